import { ClipError, KIB, type Logger, retry, type RetryPolicy } from "../base/mod.ts";
import { Authenticator } from "./authenticate.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { HostGates } from "./host_gates.ts";
import { exchange, type HttpOptions, type HttpRequest, type HttpResponse } from "./http_exchange.ts";
import { Logins } from "./logins.ts";
import { RedirectMemory } from "./redirect_memory.ts";
import type { DockerReference } from "./reference.ts";
import { type RegistryHost, registryHost } from "./registry_host.ts";
import type { SourceOptions } from "./source.ts";
import { parseRetryAfter, statusError } from "./status_error.ts";

/** One request of a repository's. */
export interface RepositoryRequest {
  /** Default GET. */
  readonly method?: HttpRequest["method"];
  /** Below the repository: `manifests/latest`, `blobs/sha256:…`; or where the registry said that an upload goes on. */
  readonly path: string | URL;
  /** What a login has to allow; default pull. */
  readonly access?: Access;
  /** Sent anew with each try. */
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  /** Statuses that are no failure. */
  readonly expected: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** What is done to a repository. */
export type Access = "pull" | "push" | "delete";

/** In the words of a token's scope. Source: distribution/docs/spec/auth/scope.md. */
const ACTIONS: Readonly<Record<Access, string>> = { pull: "pull", push: "pull,push", delete: "pull,delete" };

const DEFAULT_TIMEOUT_MS = 30_000;
/** What is sent has so much more time for each KiB. */
const SENDING_MS_PER_KIB = 10;
const PROBE_TIMEOUT_MS = 5_000;

/** What was refused. */
interface RefusedRequest {
  readonly scope: string;
  /** The Authorization that it had. */
  readonly refused: string | undefined;
  readonly url: URL;
}

/**
 * Requests to one repository of one registry: finds out the scheme, logs in, translates statuses, tries again.
 * Source: OCI distribution-spec, "Pull".
 */
export class RegistryClient {
  /** `registry/repository`. */
  readonly name: string;
  readonly log: Logger;
  /** Of pings and logins, which wait for nobody: others wait for them. */
  readonly #http: HttpOptions;
  /** Of all other requests. */
  readonly #contentHttp: HttpOptions & { readonly gates: HostGates; readonly redirects: RedirectMemory };
  readonly #host: string;
  readonly #schemes: RegistryHost["schemes"];
  readonly #repository: string;
  readonly #policy: RetryPolicy | undefined;
  readonly #authenticator: Authenticator;
  readonly #closer = new AbortController();
  readonly #detach: () => void;
  #scheme: Promise<"https:" | "http:"> | undefined;

  /** Sends nothing. */
  constructor({ registry, repository }: Pick<DockerReference, "registry" | "repository">, options: SourceOptions) {
    const plainHttp = options.plainHttp ?? false;
    this.name = `${registry}/${repository}`;
    this.log = options.log;
    this.#http = { fetch: options.fetch ?? fetch, timeoutMs: options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS };
    this.#contentHttp = { ...this.#http, gates: new HostGates(), redirects: new RedirectMemory() };
    const { host, schemes } = registryHost(registry, plainHttp);
    this.#host = host;
    this.#schemes = schemes;
    this.#repository = repository;
    this.#policy = options.retry;
    const onAbort = () => this.#closer.abort(options.signal?.reason);
    options.signal?.addEventListener("abort", onAbort);
    this.#detach = () => options.signal?.removeEventListener("abort", onAbort);
    if (options.signal?.aborted) onAbort();
    if (schemes.length === 1) this.#scheme = Promise.resolve(schemes[0]);
    this.#authenticator = new Authenticator({
      http: this.#http,
      registry,
      repository,
      plainHttp,
      logins: options.logins ?? new Logins({ log: options.log }),
      log: options.log,
      signal: this.#closer.signal,
    });
  }

  /** Ends all requests; later ones fail. */
  close(): void {
    this.#detach();
    this.#closer.abort(new ClipError("aborted", `${this.name}: the connection to the registry was closed`));
  }

  /** The result of `work`, tried again after failures that may pass. */
  async retry<Value>(work: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    // Both the caller and the closing of the store must end a wait between two tries.
    const either = new AbortController();
    const onAbort = (event: Event) => either.abort((event.target as AbortSignal).reason);
    const signals = [this.#closer.signal, signal];
    try {
      for (const source of signals) {
        source?.throwIfAborted();
        source?.addEventListener("abort", onAbort);
      }
      return await retry(work, {
        ...(this.#policy === undefined ? {} : { policy: this.#policy }),
        signal: either.signal,
        onRetry: ({ message }, delayMs) =>
          this.log.info("trying again", { error: message, delayMs: Math.round(delayMs) }),
      });
    } finally {
      for (const source of signals) source?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * The answer to one request, with one of the `expected` statuses; the caller reads and closes it. Tries again only
   * after a refusal, with a renewed login. @throws {RegistryError} @throws the reason of a signal.
   */
  async open(request: RepositoryRequest): Promise<HttpResponse> {
    const origin = `${await this.#findScheme()}//${this.#host}`;
    const { path, access = "pull" } = request;
    const url = path instanceof URL ? path : new URL(`/v2/${this.#repository}/${path}`, origin);
    const scope = `repository:${this.#repository}:${ACTIONS[access]}`;
    // An upload may go on at another host, which gets no login.
    const mayLogIn = url.origin === origin;
    let authorization = mayLogIn ? await this.#authenticator.header(scope) : undefined;
    for (let loggedIn = false;; loggedIn = true) {
      const response = await this.#send(url, request, authorization);
      if (request.expected.includes(response.status)) return response;
      try {
        this.#heedRetryAfter(response);
        const renewed = response.origin !== url.origin || loggedIn || !mayLogIn
          ? undefined
          : await this.#renewLogin(response, { scope, refused: authorization, url });
        if (renewed === undefined) throw await statusError(response);
        authorization = renewed;
      } finally {
        response.close();
      }
    }
  }

  /** Keeps everything back from a host that asks for it. */
  #heedRetryAfter({ status, headers, origin }: HttpResponse): void {
    if (status !== 429 && status !== 503) return;
    const delayMs = parseRetryAfter(headers.get("retry-after"), Date.now());
    if (delayMs !== undefined) this.#contentHttp.gates.gate(origin).pause(delayMs);
  }

  /** What to try again with after `refusal`; undefined where a login is not what is missing. */
  async #renewLogin(refusal: HttpResponse, request: RefusedRequest): Promise<string | undefined> {
    const { scope, refused } = request;
    if (refusal.status === 401) return await this.#logIn(refusal, request);
    // So some registries (ECR) refuse a login that has come to its end.
    if (refusal.status === 403 && refused !== undefined) return await this.#authenticator.replace(scope, refused);
    return undefined;
  }

  /** A login to try again with; where the refusal itself does not say how, the registry's ping must. */
  async #logIn(refusal: HttpResponse, { scope, refused, url }: RefusedRequest): Promise<string> {
    if (refusal.headers.has("www-authenticate")) return await this.#authenticator.renew(scope, refused, refusal);
    const ping = await this.#ping(url, this.#http);
    try {
      return await this.#authenticator.renew(scope, refused, ping);
    } finally {
      ping.close();
    }
  }

  #send(url: URL, request: RepositoryRequest, authorization: string | undefined): Promise<HttpResponse> {
    const signals = [this.#closer.signal, request.signal];
    const { method = "GET", headers, body } = request;
    this.log.debug("request", {
      ...(method === "GET" ? {} : { method }),
      url: redactUrl(url),
      range: headers["range"],
    });
    const { redirects, timeoutMs, ...rest } = this.#contentHttp;
    const http = {
      ...rest,
      timeoutMs: timeoutMs + SENDING_MS_PER_KIB * (body?.length ?? 0) / KIB,
      // A signature is for the method as well as for the address.
      ...(method === "GET" ? { redirects } : {}),
    };
    return exchange(http, { method, url, headers, body, authorization, signals });
  }

  #ping(base: URL, http: HttpOptions): Promise<HttpResponse> {
    const url = new URL("/v2/", base);
    return exchange(http, { method: "GET", url, headers: {}, signals: [this.#closer.signal] });
  }

  /**
   * https, but plain http for a registry on this machine that does not answer in https: Docker's rule. Asked once,
   * unless nothing answers at all.
   */
  #findScheme(): Promise<"https:" | "http:"> {
    this.#scheme ??= this.#probe().catch((error) => {
      this.#scheme = undefined;
      throw error;
    });
    return this.#scheme;
  }

  async #probe(): Promise<"https:" | "http:"> {
    const http = { ...this.#http, timeoutMs: Math.min(this.#http.timeoutMs, PROBE_TIMEOUT_MS) };
    for (const scheme of this.#schemes) {
      try {
        (await this.#ping(new URL(`${scheme}//${this.#host}/`), http)).close();
        return scheme;
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== "network" || scheme === "http:") throw error;
      }
    }
    throw new ClipError("internal", "internal error: no scheme left to probe");
  }
}
