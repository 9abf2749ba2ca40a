import { ClipError, sleep } from "../base/mod.ts";
import { describeNetworkFailure, redactUrl, RegistryError, show, stalledError } from "./errors.ts";
import type { HostGate, HostGates } from "./host_gates.ts";
import { type RedirectMemory, redirectUsableUntil, type RememberedRedirect } from "./redirect_memory.ts";
import { parseRetryAfter } from "./retry_after.ts";

/** How requests are sent. */
export interface HttpOptions {
  readonly fetch: typeof fetch;
  /** The longest wait for the headers of an answer, and for each next piece of its body. */
  readonly timeoutMs: number;
  /** Where requests wait for their turn; without it they go at once. */
  readonly gates?: HostGates;
  /** Where requests go to directly that were redirected before; without it each is redirected anew. */
  readonly redirects?: RedirectMemory;
}

/** One request. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as Authorization, but only as long as redirects stay on the origin of `url`. */
  readonly authorization?: string | undefined;
  /** As `authorization`: headers that are meant for the origin of `url` alone. */
  readonly ownHeaders?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined;
  /** Not to wait where the host has asked to be left alone: there is somebody else to ask. */
  readonly impatient?: boolean | undefined;
  /** Any of them ends the request and the reading of its answer. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/** Of a request that goes to another host than it was meant for. */
const WITHOUT_LOGIN = { authorization: undefined, ownHeaders: undefined };
const MAX_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** By these a target of an earlier redirect says that its time is over; S3 says 400 of a token that has expired. */
const REFUSALS: readonly number[] = [...REDIRECTS, 400, 401, 403, 404, 410];

/**
 * The answer to `request`, whatever its status, after following redirects. The caller closes it.
 *
 * Redirects are followed here and not by fetch, since a registry redirects to signed URLs of other hosts: these get no
 * Authorization, not even where a later redirect leads back, and their queries appear in no message.
 * @throws {RegistryError} of code `network` (retryable) without an answer; of code `registry` for a redirect that is
 * refused (https to http, more than five, of what is no GET or HEAD). @throws the reason of a signal.
 */
export async function exchange(options: HttpOptions, request: HttpRequest): Promise<HttpResponse> {
  const known = options.redirects?.find(request.url, Date.now());
  const direct = known === undefined ? undefined : await askDirectly(options, request, known);
  if (direct !== undefined) return direct;
  let url = request.url;
  let carriesLogin = true;
  let usableUntilMs = Infinity;
  for (let redirects = 0;; redirects++) {
    const response = await send(options, { ...request, url, ...(carriesLogin ? {} : WITHOUT_LOGIN) });
    if (!REDIRECTS.includes(response.status)) {
      // A target that does not serve is not worth going to directly.
      if (url.href !== request.url.href && response.status < 300) {
        options.redirects?.remember(request.url, { url, carriesLogin, untilMs: usableUntilMs }, Date.now());
      }
      return response;
    }
    const location = response.headers.get("location");
    response.close();
    const next = redirectTarget(location, url, request.method, redirects);
    carriesLogin &&= next.origin === request.url.origin;
    const cacheControl = response.headers.get("cache-control");
    usableUntilMs = Math.min(usableUntilMs, redirectUsableUntil(cacheControl, next, Date.now()));
    url = next;
  }
}

/** The answer of a target that is known from before; undefined where it refuses, so that the registry is to be asked. */
async function askDirectly(
  options: HttpOptions,
  request: HttpRequest,
  known: RememberedRedirect,
): Promise<HttpResponse | undefined> {
  let response: HttpResponse;
  try {
    response = await send(options, { ...request, url: known.url, ...(known.carriesLogin ? {} : WITHOUT_LOGIN) });
  } catch (error) {
    options.redirects?.forget(request.url);
    throw error;
  }
  if (response.status >= 300 && response.status !== 429) options.redirects?.forget(request.url);
  if (!REFUSALS.includes(response.status)) return response;
  response.close();
  return undefined;
}

function redirectTarget(location: string | null, from: URL, method: string, redirectsBefore: number): URL {
  const refuse = (problem: string) =>
    new RegistryError({ code: "registry", problem, method, redactedUrl: redactUrl(from) });
  if (method !== "GET" && method !== "HEAD") throw refuse("redirects a request that carries a login or data");
  if (redirectsBefore >= MAX_REDIRECTS) throw refuse(`more than ${MAX_REDIRECTS} redirects`);
  let next: URL;
  try {
    next = new URL(location ?? "", from);
  } catch {
    throw refuse("redirects to something that is not a URL");
  }
  if (location === null) throw refuse("redirects without saying where to");
  if (next.protocol !== "https:" && next.protocol !== "http:") throw refuse(`redirects to ${show(next.protocol)}`);
  if (from.protocol === "https:" && next.protocol === "http:") {
    throw refuse(`redirects from https to ${redactUrl(next)}; plain http is refused`);
  }
  next.username = "";
  next.password = "";
  next.hash = "";
  return next;
}

async function send(options: HttpOptions, request: HttpRequest): Promise<HttpResponse> {
  const gate = options.gates?.gate(request.url.origin);
  const { method, url, ownHeaders, impatient } = request;
  const notAsked = { method, redactedUrl: redactUrl(url), retryable: true };
  if (gate?.isShut()) {
    const problem = "not asked: the host has not answered for some time";
    throw new RegistryError({ ...notAsked, code: "network", problem });
  }
  const life = new RequestLife(options.timeoutMs, request);
  const headers: Record<string, string> = {
    "user-agent": "clip",
    ...ownHeaders,
    ...request.headers,
    "accept-encoding": "identity",
  };
  if (request.authorization !== undefined) headers["authorization"] = request.authorization;
  try {
    life.held = await gate?.enter(life.signal, impatient);
    if (gate !== undefined && life.held === undefined) {
      const problem = "not asked: the host has asked to be left alone";
      throw new RegistryError({ ...notAsked, code: "registry", problem, retryAfterMs: gate.pauseMs });
    }
    const sentMs = Date.now();
    const response = await life.within("answer", () =>
      options.fetch(url, {
        method,
        headers,
        redirect: "manual",
        signal: life.signal,
        ...(request.body === undefined ? {} : { body: request.body }),
      }));
    if (gate !== undefined) tellGate(gate, response, sentMs);
    return new HttpResponse(response, request, life, gate);
  } catch (error) {
    if (error instanceof RegistryError && error.code === "network") gate?.failed();
    life.end();
    throw error;
  }
}

function tellGate(gate: HostGate, { status, headers }: Response, sentMs: number): void {
  const retryAfter = headers.get("retry-after");
  if (status === 429 || (status === 503 && retryAfter !== null)) {
    gate.refused(sentMs, parseRetryAfter(retryAfter, Date.now()));
  } else if (status >= 500) gate.failed();
  else gate.succeeded();
}

/** The time limits and signals of one request, from its start to the end of its answer's body. */
class RequestLife {
  /** What is waited for: one thing at a time. */
  #phase: "answer" | "data" | undefined;
  #waitsSinceMs = 0;
  /** One for the whole life: bytes come in hundreds of pieces, and to set a timer takes as long as to take one. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Gives back the place that the request has among those to its host. */
  held: (() => void) | undefined;
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  readonly #request: HttpRequest;
  readonly #onAbort: (event: Event) => void;

  constructor(timeoutMs: number, request: HttpRequest) {
    this.#timeoutMs = timeoutMs;
    this.#request = request;
    this.#onAbort = (event) => this.#controller.abort((event.target as AbortSignal).reason);
    for (const signal of request.signals) signal?.throwIfAborted();
    // Not AbortSignal.any: listeners on a signal that lives as long as a mount must go when the request ends.
    for (const signal of request.signals) signal?.addEventListener("abort", this.#onAbort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The result of `wait`, with the reason of the end where that came first, and every failure a RegistryError. */
  async within<Value>(phase: "answer" | "data", wait: () => Promise<Value>): Promise<Value> {
    this.#phase = phase;
    this.#waitsSinceMs = performance.now();
    this.#timer ??= setTimeout(() => this.#look(), this.#timeoutMs);
    try {
      return await wait();
    } catch (error) {
      this.signal.throwIfAborted();
      // A file that was to be read first.
      if (error instanceof ClipError) throw error;
      const { method, url } = this.#request;
      const { text, lasting } = describeNetworkFailure(error);
      const problem = `${phase === "answer" ? "no answer" : "the transfer broke off"}: ${text}`;
      throw new RegistryError({ code: "network", problem, method, redactedUrl: redactUrl(url), retryable: !lasting });
    } finally {
      this.#phase = undefined;
    }
  }

  /** The timer has run out: gives up, if the wait under way has taken so long. */
  #look(): void {
    this.#timer = undefined;
    if (this.#phase === undefined) return;
    const { method, url } = this.#request;
    const leftMs = this.#waitsSinceMs + this.#timeoutMs - performance.now();
    if (leftMs > 0) this.#timer = setTimeout(() => this.#look(), leftMs);
    else {
      const stalled = { method, redactedUrl: redactUrl(url), timeoutMs: this.#timeoutMs, phase: this.#phase };
      this.#controller.abort(stalledError(stalled));
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.held?.();
    for (const signal of this.#request.signals) signal?.removeEventListener("abort", this.#onAbort);
  }
}

/** An answer whose body is being read. To be closed, however the reading went. */
export class HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly method: string;
  /** Of the request that got this answer, after redirects. */
  readonly redactedUrl: string;
  /** `host` or `host:port` that gave the answer. */
  readonly host: string;
  /** Scheme, host and port that gave the answer. */
  readonly origin: string;
  readonly #life: RequestLife;
  readonly #gate: HostGate | undefined;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  #ended = false;

  /** @param life Ended by {@linkcode close}. */
  constructor(response: Response, request: HttpRequest, life: RequestLife, gate?: HostGate) {
    this.#gate = gate;
    this.status = response.status;
    this.headers = response.headers;
    this.method = request.method;
    this.redactedUrl = redactUrl(request.url);
    this.host = request.url.host;
    this.origin = request.url.origin;
    this.#life = life;
    // Bodies are never shared memory; the types of older Deno releases do not say so.
    this.#reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  }

  /**
   * The next piece of the body, never empty, owned by the caller; undefined at its end.
   * @throws {RegistryError} of code `network`, retryable. @throws the reason of a signal.
   */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#reader !== undefined && !this.#ended) {
      const { done, value } = await this.#life.within("data", () => this.#reader!.read());
      if (done) this.#ended = true;
      if (done || value.length === 0) continue;
      const waitMs = this.#gate?.transferMs(value.length) ?? 0;
      if (waitMs > 0) await sleep(waitMs, this.#life.signal);
      return value;
    }
    return undefined;
  }

  /** The whole body. @throws {ClipError} of code `limit` when it has more than `limitBytes`; else as `read`. */
  async readAll(limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    for (let piece = await this.read(); piece !== undefined; piece = await this.read()) {
      sizeBytes += piece.length;
      if (sizeBytes > limitBytes) {
        throw new ClipError("limit", `${this.method} ${this.redactedUrl}: the answer exceeds ${limitBytes} bytes`);
      }
      pieces.push(piece);
    }
    const all = new Uint8Array(sizeBytes);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  /** An error about this answer. */
  error(problem: string, options: { retryable?: boolean } = {}): RegistryError {
    const { method, redactedUrl, status } = this;
    return new RegistryError({ code: "registry", problem, method, redactedUrl, status, ...options });
  }

  /** Gives up whatever was not read, and lets go of the signals. Safe to call again. */
  close(): void {
    this.#life.end();
    if (this.#ended || this.#reader === undefined) return;
    this.#ended = true;
    // The body may already have failed; there is nobody left to tell.
    this.#reader.cancel().catch(() => {});
  }
}
