import assert from "node:assert/strict";
import { ClipError, UsageError } from "../../src/base/mod.ts";
import {
  formatListenAddress,
  isListening,
  type ListenAddress,
  parseListenAddress,
  serveMetrics,
} from "../../src/metrics/mod.ts";

const PAGES = { metrics: () => "x 1\n", stats: () => ({ x: 1 }) };

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-metrics-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function get(address: ListenAddress, path: string, method = "GET"): Promise<[number, string, string]> {
  const unix = address.transport === "unix";
  const client = Deno.createHttpClient(unix ? { proxy: { transport: "unix", path: address.path } } : {});
  try {
    const host = unix ? "clip" : formatListenAddress(address);
    const response = await fetch(`http://${host}${path}`, { client, method });
    return [response.status, response.headers.get("content-type") ?? "", await response.text()];
  } finally {
    client.close();
  }
}

Deno.test("addresses", () => {
  for (const text of ["127.0.0.1:9100", "localhost:0", "[::1]:65535", "unix:/run/x.sock", "0.0.0.0:80"]) {
    assert.equal(formatListenAddress(parseListenAddress(text)), text);
  }
  for (
    const text of ["", "9100", ":9100", "host", "host:", "host:65536", "host:x", "unix:", "unix:x", "::1:80", "a b:1"]
  ) {
    assert.throws(() => parseListenAddress(text), UsageError, text);
  }
});

Deno.test("pages, over TCP and over a Unix socket", () =>
  inFolder(async (folder) => {
    const addresses: ListenAddress[] = [
      { transport: "tcp", hostname: "127.0.0.1", port: 0 },
      { transport: "unix", path: `${folder}/socket` },
    ];
    for (const address of addresses) {
      const server = await serveMetrics(address, PAGES);
      const ask = (path: string, method?: string) => get(server.address, path, method);
      const text = "text/plain; version=0.0.4; charset=utf-8";
      assert.deepEqual(await ask("/metrics"), [200, text, "x 1\n"]);
      assert.deepEqual(await ask("/metrics", "HEAD"), [200, text, ""]);
      assert.deepEqual(await ask("/stats.json"), [200, "application/json", '{"x":1}\n']);
      assert.deepEqual(await ask("/healthz"), [200, "text/plain; charset=utf-8", "ok\n"]);
      assert.equal((await ask("/metrics", "POST"))[0], 405);
      for (const path of ["/", "/constructor", "/metrics/x", "/..%2fetc/passwd"]) {
        assert.equal((await ask(path))[0], 404, path);
      }
      await server.close();
      await assert.rejects(ask("/metrics"));
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("what cannot be listened on is an error that names it", () =>
  inFolder(async (folder) => {
    const named = (text: string) => (error: unknown) =>
      error instanceof ClipError && error.code === "io" && error.message.includes(text);
    const path = `${folder}/socket`;
    const server = await serveMetrics({ transport: "unix", path }, PAGES);
    await assert.rejects(serveMetrics({ transport: "unix", path }, PAGES), named(`unix:${path}`));
    const tcp = await serveMetrics({ transport: "tcp", hostname: "127.0.0.1", port: 0 }, PAGES);
    await assert.rejects(serveMetrics(tcp.address, PAGES), named(formatListenAddress(tcp.address)));
    await tcp.close();
    await server.close();
    await Deno.writeTextFile(path, "precious");
    await assert.rejects(serveMetrics({ transport: "unix", path }, PAGES), named("in use"));
    assert.equal(await Deno.readTextFile(path), "precious");
    await assert.rejects(serveMetrics({ transport: "unix", path: `/${"x".repeat(120)}` }, PAGES), named("SUN_LEN"));
    const away = { transport: "tcp", hostname: "192.0.2.1", port: 9100 } as const;
    await assert.rejects(serveMetrics(away, PAGES), named("192.0.2.1:9100"));
  }));

Deno.test("a socket that its process left behind is replaced", () =>
  inFolder(async (folder) => {
    const path = `${folder}/socket`;
    assert.equal(await isListening(path), false);
    const script = `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} }); Deno.kill(Deno.pid, "SIGKILL");`;
    await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
    assert.ok((await Deno.lstat(path)).isSocket);
    assert.equal(await isListening(path), false);
    const server = await serveMetrics({ transport: "unix", path }, PAGES);
    assert.equal(await isListening(path), true);
    assert.equal((await get(server.address, "/healthz"))[2], "ok\n");
    await server.close();
  }));

Deno.test("an error in a page is an answer", async () => {
  const pages = {
    ...PAGES,
    metrics: () => {
      throw new ClipError("internal", "no figures");
    },
  };
  const server = await serveMetrics({ transport: "tcp", hostname: "127.0.0.1", port: 0 }, pages);
  const [status, , text] = await get(server.address, "/metrics");
  assert.deepEqual([status, text], [500, "no figures\n"]);
  await server.close();
});
