/**
 * A proxy before a registry in a process of its own, so that it takes no turns with who measures:
 * `deno run -A bench/proxy_main.ts UPSTREAM LATENCY_MS BYTES_PER_SECOND`. Prints its `HOST:PORT`; after each line on
 * standard input, what went through since the last one, as JSON. Ends with its input.
 */
import { FaultProxy, type SeenRequest } from "../tests/fault_proxy.ts";

/** What went through a proxy. */
export interface ProxyTraffic {
  /** Requests for blobs, in order. */
  readonly blobs: readonly SeenRequest[];
  /** All requests, manifests and pings included. */
  readonly requests: number;
}

if (import.meta.main) {
  const [upstream, latencyMs, bytesPerSecond] = Deno.args;
  const proxy = new FaultProxy(upstream!, {
    latencyMs: Number(latencyMs),
    bytesPerSecond: Number(bytesPerSecond),
  });
  const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  print(proxy.host);
  for await (const _line of Deno.stdin.readable) {
    print(JSON.stringify({ blobs: proxy.blobRequests, requests: proxy.seen.length } satisfies ProxyTraffic));
    proxy.seen.length = 0;
  }
  await proxy.stop();
}
