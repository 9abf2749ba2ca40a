/**
 * A front of a registry that takes so many requests a second: `limited_registry_main.ts UPSTREAM RATE BURST`. What is
 * beyond is answered with 429 and Retry-After: 1. Keeps answers, so that the registry behind sets no limit of its own.
 * Prints its port; `/counts` tells how many it took and refused, and starts anew.
 */
const [upstream, rate, burst] = [Deno.args[0]!, Number(Deno.args[1]), Number(Deno.args[2])];
const kept = new Map<
  string,
  Promise<{ status: number; headers: [string, string][]; bytes: Uint8Array<ArrayBuffer> }>
>();
let tokens = burst;
let filledMs = performance.now();
let counts = { taken: 0, refused: 0, bytes: 0 };

function take(): boolean {
  const nowMs = performance.now();
  tokens = Math.min(burst, tokens + rate * (nowMs - filledMs) / 1000);
  filledMs = nowMs;
  if (tokens < 1) return false;
  tokens--;
  return true;
}

async function ask(path: string, headers: Headers) {
  const response = await fetch(`http://${upstream}${path}`, { headers });
  return { status: response.status, headers: [...response.headers], bytes: await response.bytes() };
}

Deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen: ({ port }) => void Deno.stdout.write(encode(`${port}\n`)) },
  async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/counts") {
      const told = Response.json(counts);
      counts = { taken: 0, refused: 0, bytes: 0 };
      tokens = burst;
      return told;
    }
    if (!take()) {
      counts.refused++;
      return new Response("", { status: 429, headers: { "retry-after": "1" } });
    }
    counts.taken++;
    const headers = new Headers();
    for (const name of ["accept", "range"]) {
      const value = request.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    const key = JSON.stringify([pathname, search, [...headers]]);
    let answer = kept.get(key);
    if (answer === undefined) kept.set(key, answer = ask(pathname + search, headers));
    const { status, headers: all, bytes } = await answer;
    counts.bytes += bytes.length;
    return new Response(bytes, { status, headers: all });
  },
);

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
