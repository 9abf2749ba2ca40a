import { Authenticator } from "./authenticate.ts";
import { RegistryError } from "./errors.ts";
import { findRegistry } from "./find_endpoints.ts";
import { allowsPlainHttp } from "./hosts/endpoint.ts";
import { exchange, type HttpOptions, type HttpRequest } from "./http_exchange.ts";
import { Logins } from "./logins.ts";
import type { SourceOptions } from "./source.ts";
import { statusError } from "./status_error.ts";

const DEFAULT_TIMEOUT_MS = 10_000;

/** How a registry answered. */
export interface RegistryAnswer {
  /** `https://ghcr.io` */
  readonly origin: string;
  /** Where the login for it is from; undefined where there is none. */
  readonly loginOrigin: string | undefined;
  /** Whether it answers only those who log in, be it as nobody in particular. */
  readonly asksForLogin: boolean;
}

/**
 * Asks a registry for `/v2/`, as who the logins say. Sends everything once.
 * Source: OCI distribution-spec, "Determining Support".
 * @param registry `host` or `host:port`, as references name it.
 * @param repository Whose reading a token is asked for; without, of none.
 * @throws {ClipError} when it does not answer, refuses, or is none; messages hold no secret.
 */
export async function pingRegistry(
  { registry, repository }: { registry: string; repository?: string | undefined },
  options: SourceOptions,
): Promise<RegistryAnswer> {
  const reference = { transport: "docker", registry, repository: repository ?? "any" } as const;
  const { endpoint, network } = await findRegistry(reference, options);
  const { host, scheme: only, apiPath, headers: ownHeaders } = endpoint;
  const plainHttp = allowsPlainHttp(endpoint);
  const http: HttpOptions = {
    fetch: options.fetch ?? network.fetch,
    timeoutMs: options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
  const signal = options.signal ?? new AbortController().signal;
  const schemes = only === "either" ? ["https", "http"] : [only];
  const logins = options.logins ?? new Logins(options);
  const { login } = await logins.find({ registry, repository, signal });
  const authenticator = new Authenticator({ http, registry, repository, plainHttp, logins, log: options.log, signal });
  let failure: RegistryError | undefined;
  for (const scheme of schemes) {
    const url = new URL(`${scheme}://${host}${apiPath}/`);
    const request: HttpRequest = { method: "GET", url, headers: {}, ownHeaders, signals: [signal] };
    try {
      const scope = repository === undefined ? "" : `repository:${repository}:pull`;
      const asksForLogin = await ask(http, request, authenticator, scope);
      return { origin: url.origin, loginOrigin: login?.origin, asksForLogin };
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      // Who presents a certificate speaks TLS: what plain http is told says nothing.
      const speaksTls = /certificate/.test(failure?.message ?? "");
      if (error.code !== "network" && !speaksTls) throw error;
      failure ??= error;
    }
  }
  throw failure!;
}

/** Whether it asked for a login, and took it. */
async function ask(
  http: HttpOptions,
  request: HttpRequest,
  authenticator: Authenticator,
  scope: string,
): Promise<boolean> {
  let response = await exchange(http, request);
  try {
    if (response.status === 200) return false;
    if (response.status !== 401) throw await statusError(response);
    const authorization = await authenticator.renew(scope, undefined, response);
    response.close();
    response = await exchange(http, { ...request, authorization });
    if (response.status === 200) return true;
    throw await statusError(response, response.status === 401 ? authenticator.refusal : undefined);
  } finally {
    response.close();
  }
}
