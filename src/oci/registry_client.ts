import { ClipError, KIB, type Logger, waitFor } from "../base/mod.ts";
import { Authenticator } from "./authenticate.ts";
import { ClientLife } from "./client_life.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { HostGates } from "./host_gates.ts";
import { exchange, type HttpOptions, type HttpRequest, type HttpResponse } from "./http_exchange.ts";
import { allowsPlainHttp, type Endpoint } from "./hosts/endpoint.ts";
import { Logins } from "./logins.ts";
import { RedirectMemory } from "./redirect_memory.ts";
import type { SourceOptions } from "./source.ts";
import { statusError } from "./status_error.ts";

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
  /** As in {@linkcode HttpRequest}. */
  readonly impatient?: boolean | undefined;
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

/** Who a repository is asked of, at one place or wherever it is. */
export type RepositoryClient = Pick<RegistryClient, "name" | "log" | "open" | "retry">;

/**
 * Requests to one repository at one place: finds out the scheme, logs in, translates statuses, tries again.
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
  readonly #endpoint: Endpoint;
  readonly #authenticator: Authenticator;
  readonly #life: ClientLife;
  #scheme: Promise<"https:" | "http:"> | undefined;

  /** Sends nothing. */
  constructor(endpoint: Endpoint, options: SourceOptions) {
    const { registry, repository, scheme, isMirror } = endpoint;
    const { network } = options;
    this.name = `${registry}/${repository}`;
    this.log = options.log;
    this.#http = {
      fetch: options.fetch ?? network?.fetch ?? fetch,
      timeoutMs: options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    };
    this.#contentHttp = {
      ...this.#http,
      gates: network?.gates ?? new HostGates(),
      redirects: new RedirectMemory(),
    };
    this.#endpoint = endpoint;
    this.#life = new ClientLife(this.name, options);
    if (scheme !== "either") this.#scheme = Promise.resolve(`${scheme}:` as const);
    this.#authenticator = new Authenticator({
      http: this.#http,
      registry,
      repository,
      isMirror,
      plainHttp: allowsPlainHttp(endpoint),
      logins: options.logins ?? new Logins({ log: options.log }),
      log: options.log,
      signal: this.#life.signal,
    });
  }

  /** Ends all requests; later ones fail. */
  close(): void {
    this.#life.close();
  }

  /** The result of `work`, tried again after failures that may pass. */
  retry<Value>(work: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    return this.#life.retry(work, signal);
  }

  /**
   * The answer to one request, with one of the `expected` statuses; the caller reads and closes it. Tries again only
   * after a refusal, with a renewed login. @throws {RegistryError} @throws the reason of a signal.
   */
  async open(request: RepositoryRequest): Promise<HttpResponse> {
    const { host, apiPath, repository, namespace } = this.#endpoint;
    const { path, access = "pull", signal } = request;
    const origin = `${await waitFor(this.#findScheme(), signal)}//${host}`;
    const url = path instanceof URL ? path : new URL(`${apiPath}/${repository}/${path}`, origin);
    if (namespace !== undefined) url.searchParams.set("ns", namespace);
    const scope = `repository:${repository}:${ACTIONS[access]}`;
    // An upload may go on at another host, which gets no login.
    const mayLogIn = url.origin === origin;
    let authorization = mayLogIn ? await waitFor(this.#authenticator.header(scope), signal) : undefined;
    for (let loggedIn = false;; loggedIn = true) {
      const response = await this.#send(url, request, authorization);
      if (request.expected.includes(response.status)) return response;
      try {
        const renewed = response.origin !== url.origin || loggedIn || !mayLogIn
          ? undefined
          : await waitFor(this.#renewLogin(response, { scope, refused: authorization, url }), signal);
        if (renewed !== undefined) authorization = renewed;
        else {
          const isRefused = response.status === 401 && loggedIn && response.origin === url.origin;
          throw await statusError(response, isRefused ? this.#authenticator.refusal : undefined);
        }
      } finally {
        response.close();
      }
    }
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
    const signals = [this.#life.signal, request.signal];
    const { method = "GET", headers, body, impatient } = request;
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
    const isOwn = url.host === this.#endpoint.host;
    const ownHeaders = isOwn ? this.#endpoint.headers : undefined;
    return exchange(http, { method, url, headers, ownHeaders, body, authorization, impatient, signals });
  }

  #ping(base: URL, http: HttpOptions): Promise<HttpResponse> {
    const url = new URL(`${this.#endpoint.apiPath}/`, base);
    const ownHeaders = this.#endpoint.headers;
    return exchange(http, { method: "GET", url, headers: {}, ownHeaders, signals: [this.#life.signal] });
  }

  /**
   * https, but plain http for a host that may be without TLS and does not answer in it: one on this machine, which is
   * Docker's rule, or that was said to be insecure. Asked once, unless nothing answers at all.
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
    for (const scheme of ["https:", "http:"] as const) {
      try {
        (await this.#ping(new URL(`${scheme}//${this.#endpoint.host}/`), http)).close();
        return scheme;
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== "network" || scheme === "http:") throw error;
        // Who presents a certificate speaks TLS.
        if (/certificate/.test(error.message)) throw error;
      }
    }
    throw new ClipError("internal", "internal error: no scheme left to probe");
  }
}
