/** A server between clip and a registry, for tests and benches: counts, delays, throttles and misbehaves as told. */

/** One request that went through, or was answered by the proxy itself. */
export interface SeenRequest {
  readonly path: string;
  readonly range: string | null;
  /** Of the answer that was sent. */
  readonly status: number;
  /** Bytes of the answer's body that were sent on so far. */
  bodyBytes: number;
}

/** What the proxy does to a request for a blob instead of what it should. */
export type Fault =
  /** Answers by itself. */
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  /** Takes the request and never answers. */
  | { readonly kind: "hang" }
  /** Turns a bit in the middle of the body over. */
  | { readonly kind: "corrupt" }
  /** Ends the body half way, as if that were its end. */
  | { readonly kind: "short" }
  /** Breaks the connection half way through the body. */
  | { readonly kind: "reset" }
  /** Sends the whole blob. */
  | { readonly kind: "ignoreRange" }
  /** Sends so many bytes of the body a second. */
  | { readonly kind: "drip"; readonly bytesPerSecond: number }
  /** Redirects to another address of the proxy, with a signature that holds until it is told otherwise. */
  | { readonly kind: "redirect" };

/** How the proxy treats what it does not spoil. */
export interface ProxyOptions {
  /** Wait before each answer. Default 0. */
  readonly latencyMs?: number;
  /** Bytes a second of all bodies together. Default unlimited. */
  readonly bytesPerSecond?: number;
}

/** Bodies may run ahead of the bandwidth by so much, as timers are no finer, … */
const BURST_MS = 2;
/** … and catch up so much of what was lost as timers are late. */
const CATCH_UP_MS = 20;

/** Plain http on a port of this machine that stays the same over stops and starts. */
export class FaultProxy {
  latencyMs: number;
  bytesPerSecond: number;
  /** What happens to a request for a blob; undefined: what should. `number` counts them from 0. */
  fault: ((number: number) => Fault | undefined) | undefined;
  /** Requests that have been answered, in order. */
  readonly seen: SeenRequest[] = [];
  /** The signature of redirects; a change makes older ones invalid. */
  signature = "signature-1";
  #upstream: string;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #port = 0;
  #stopper = new AbortController();
  #blobRequests = 0;
  /** When the line is free again, by performance.now(). */
  #lineFreeMs = 0;

  /** Starts at once. @param upstream `HOST:PORT` of the registry. */
  constructor(upstream: string, { latencyMs = 0, bytesPerSecond = Infinity }: ProxyOptions = {}) {
    this.#upstream = upstream;
    this.latencyMs = latencyMs;
    this.bytesPerSecond = bytesPerSecond;
    this.start();
    this.#port = this.#server!.addr.port;
  }

  /** `127.0.0.1:PORT`. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Requests for blobs, or parts of them, so far. */
  get blobRequests(): SeenRequest[] {
    return this.seen.filter(({ path }) => path.includes("/blobs/"));
  }

  /** Bytes of blobs that were sent so far. */
  get blobBytes(): number {
    return this.blobRequests.reduce((bytes, { bodyBytes }) => bytes + bodyBytes, 0);
  }

  /** Listens again after a stop. */
  start(): void {
    this.#stopper = new AbortController();
    const options = { hostname: "127.0.0.1", port: this.#port, onListen: () => {}, onError: () => new Response(null) };
    this.#server = Deno.serve(options, (request) => this.#handle(request));
  }

  /** Stops listening and breaks off what is under way: connections are refused from now on. */
  async stop(): Promise<void> {
    this.#stopper.abort(new Error("the proxy was stopped"));
    await this.#server?.shutdown();
    this.#server = undefined;
  }

  async #handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const isBlob = url.pathname.includes("/blobs/");
    const fault = isBlob ? this.fault?.(this.#blobRequests++) : undefined;
    const seen = { path: url.pathname, range: request.headers.get("range"), status: 0, bodyBytes: 0 };
    if (this.latencyMs > 0) await this.#wait(this.latencyMs);
    if (fault?.kind === "hang") await this.#wait(Infinity);
    const response = this.#ownAnswer(url, fault) ?? await this.#forward(request, url, fault);
    seen.status = response.status;
    this.seen.push(seen);
    return this.#throttled(response, fault, seen);
  }

  /** Answers that are not the registry's. */
  #ownAnswer(url: URL, fault: Fault | undefined): Response | undefined {
    if (fault?.kind === "status") {
      return new Response("spoilt", { status: fault.status, headers: fault.headers ?? {} });
    }
    const signature = url.searchParams.get("signature");
    if (signature !== null && signature !== this.signature) return new Response("expired", { status: 403 });
    if (fault?.kind !== "redirect" || signature !== null) return undefined;
    const location = `http://localhost:${this.#port}${url.pathname}?signature=${this.signature}`;
    return new Response(null, { status: 307, headers: { location } });
  }

  #forward(request: Request, url: URL, fault: Fault | undefined): Promise<Response> {
    const headers = new Headers();
    for (const name of ["accept", "accept-encoding", "authorization", "range"]) {
      const value = request.headers.get(name);
      if (value !== null && !(name === "range" && fault?.kind === "ignoreRange")) headers.set(name, value);
    }
    return fetch(`http://${this.#upstream}${url.pathname}`, {
      method: request.method,
      headers,
      redirect: "manual",
      signal: this.#stopper.signal,
    });
  }

  #throttled(response: Response, fault: Fault | undefined, seen: SeenRequest): Response {
    const headers = new Headers(response.headers);
    const bodyBytes = Number(headers.get("content-length") ?? 0);
    if (fault?.kind === "short") headers.delete("content-length");
    if (response.body === null) return new Response(null, { status: response.status, headers });
    const reader = response.body.getReader();
    const stream = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        const sent = spoil(value, { fault, at: seen.bodyBytes, bodyBytes });
        const rate = fault?.kind === "drip" ? fault.bytesPerSecond : undefined;
        for (let at = 0; at < sent.length;) {
          const piece = sent.subarray(at, rate === undefined ? sent.length : at + Math.max(1, Math.ceil(rate / 10)));
          await (rate === undefined ? this.#transfer(piece.length) : this.#wait(1000 * piece.length / rate));
          controller.enqueue(piece);
          seen.bodyBytes += piece.length;
          at += piece.length;
        }
        if (sent.length === value.length) return;
        await reader.cancel();
        if (fault?.kind === "short") return controller.close();
        // What was sent is to arrive before the connection breaks.
        await this.#wait(20);
        controller.error(new Error("reset on demand"));
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
    return new Response(stream, { status: response.status, headers });
  }

  /** Waits until so many bytes have gone over the line that all bodies share. */
  async #transfer(bytes: number): Promise<void> {
    if (this.bytesPerSecond === Infinity) return;
    const nowMs = performance.now();
    this.#lineFreeMs = Math.max(this.#lineFreeMs, nowMs - CATCH_UP_MS) + 1000 * bytes / this.bytesPerSecond;
    const waitMs = this.#lineFreeMs - nowMs;
    if (waitMs > BURST_MS) await this.#wait(waitMs);
  }

  /** Rejects as soon as the proxy is stopped. */
  #wait(delayMs: number): Promise<void> {
    const { signal } = this.#stopper;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      const timer = delayMs === Infinity ? undefined : setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
    });
  }
}

/** `bytes`, which begin at `at` of a body, as they are sent; fewer where the body ends there. */
function spoil(
  bytes: Uint8Array,
  { fault, at, bodyBytes }: { fault: Fault | undefined; at: number; bodyBytes: number },
): Uint8Array {
  const middle = (bodyBytes >> 1) - at;
  if (middle < 0 || middle >= bytes.length) return bytes;
  if (fault?.kind === "short" || fault?.kind === "reset") return bytes.subarray(0, middle);
  if (fault?.kind !== "corrupt") return bytes;
  const copy = bytes.slice();
  copy[middle]! ^= 0x10;
  return copy;
}
