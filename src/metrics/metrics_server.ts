import { ClipError, messageOf } from "../base/mod.ts";
import { formatListenAddress, type ListenAddress } from "./listen_address.ts";
import { PROMETHEUS_MEDIA_TYPE } from "./prometheus_text.ts";

/** What a {@linkcode MetricsServer} serves; asked at each request. */
export interface MetricsPages {
  /** `/metrics`, in the text format of Prometheus. */
  metrics(): string;
  /** `/stats.json`. */
  stats(): unknown;
}

/** A server of metrics over HTTP. It does not keep the process alive. */
export interface MetricsServer {
  /** Where it listens; of port 0, the port that it got. */
  readonly address: ListenAddress;
  /** Stops listening, and takes a socket's file away. Answers under way are cut off. */
  close(): Promise<void>;
}

/**
 * Serves metrics at `address`. The file of a Unix socket on which nobody listens any more is replaced.
 * @throws {ClipError} of code `io` naming the address.
 */
export async function serveMetrics(address: ListenAddress, pages: MetricsPages): Promise<MetricsServer> {
  try {
    if (address.transport === "unix") await removeDeadSocket(address.path);
    const stop = new AbortController();
    const options = { signal: stop.signal, onListen: () => {}, onError: failed };
    const handler = (request: Request) => answer(request, pages);
    const server: Deno.HttpServer<Deno.Addr> = address.transport === "unix"
      ? Deno.serve({ ...options, path: address.path }, handler)
      : Deno.serve({ ...options, hostname: address.hostname, port: address.port }, handler);
    server.unref();
    const { addr } = server;
    return {
      address: "port" in addr && address.transport === "tcp" ? { ...address, port: addr.port } : address,
      async close() {
        server.ref();
        stop.abort();
        await server.finished;
        // Deno 2.4 leaves the file, 2.9 does not.
        if (address.transport === "unix") await Deno.remove(address.path).catch(() => {});
      },
    };
  } catch (error) {
    throw new ClipError("io", `cannot listen on ${formatListenAddress(address)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Whether somebody listens on a Unix socket, be it somebody too busy to answer. */
export async function isListening(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.NotFound);
  }
}

async function removeDeadSocket(path: string): Promise<void> {
  const info = await Deno.lstat(path).catch(() => undefined);
  if (info?.isSocket && !await isListening(path)) await Deno.remove(path);
}

function answer(request: Request, pages: MetricsPages): Response {
  const { pathname } = new URL(request.url);
  const page = PAGES[pathname];
  if (page === undefined) return new Response("see /metrics, /stats.json and /healthz\n", { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("only GET and HEAD\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const { type, body } = page(pages);
  return new Response(body, { headers: { "content-type": type, "cache-control": "no-store" } });
}

const PAGES: Readonly<Record<string, (pages: MetricsPages) => { type: string; body: string }>> = {
  "/metrics": (pages) => ({ type: PROMETHEUS_MEDIA_TYPE, body: pages.metrics() }),
  "/stats.json": (pages) => ({ type: "application/json", body: `${JSON.stringify(pages.stats())}\n` }),
  // That it answers at all is the news.
  "/healthz": () => ({ type: "text/plain; charset=utf-8", body: "ok\n" }),
};

function failed(error: unknown): Response {
  return new Response(`${messageOf(error)}\n`, { status: 500 });
}
