/** A server between clip and a registry: counts, breaks off and falsifies. */

/** One request that went through. */
export interface SeenRequest {
  readonly path: string;
  readonly range: string | null;
  readonly status: number;
  /** Bytes of the answer's body that were sent on. */
  readonly bodyBytes: number;
}

/** What the proxy does to requests for blobs. */
export type ProxyMode =
  /** Nothing but counting. */
  | "pass"
  /** Turns a bit of each answer over. */
  | "corrupt"
  /** Takes the request and never answers. */
  | "silent";

/** Plain http on a port of this machine that stays the same over stops and starts. */
export class RegistryProxy {
  mode: ProxyMode = "pass";
  /** Requests that have been answered whole, in order. */
  readonly seen: SeenRequest[] = [];
  #upstream: string;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #port = 0;
  #stopper = new AbortController();

  /** Starts at once. @param upstream `HOST:PORT` of the registry. */
  constructor(upstream: string) {
    this.#upstream = upstream;
    this.start();
    this.#port = this.#server!.addr.port;
  }

  /** `127.0.0.1:PORT`. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Requests for parts of blobs so far. */
  get blobRequests(): SeenRequest[] {
    return this.seen.filter(({ path }) => path.includes("/blobs/"));
  }

  /** Listens again after a stop. */
  start(): void {
    this.#stopper = new AbortController();
    const options = { hostname: "127.0.0.1", port: this.#port, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => this.#handle(request));
  }

  /** Stops listening and breaks off what is under way: connections are refused from now on. */
  async stop(): Promise<void> {
    this.#stopper.abort();
    await this.#server?.shutdown();
    this.#server = undefined;
  }

  async #handle(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const isBlob = pathname.includes("/blobs/");
    if (isBlob && this.mode === "silent") return await this.#stopped();
    const response = await fetch(`http://${this.#upstream}${pathname}${search}`, {
      method: request.method,
      headers: forwarded(request.headers),
      redirect: "manual",
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (isBlob && this.mode === "corrupt" && bytes.length > 0) bytes[bytes.length >> 1]! ^= 0x10;
    const { status } = response;
    this.seen.push({ path: pathname, range: request.headers.get("range"), status, bodyBytes: bytes.length });
    return new Response(request.method === "HEAD" ? null : bytes, { status, headers: response.headers });
  }

  #stopped(): Promise<Response> {
    const { signal } = this.#stopper;
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(new Response("stopped", { status: 503 })), { once: true });
    });
  }
}

function forwarded(headers: Headers): Headers {
  const copy = new Headers();
  for (const name of ["accept", "range", "accept-encoding"]) {
    const value = headers.get(name);
    if (value !== null) copy.set(name, value);
  }
  return copy;
}
