import { basicHeader, type Credential } from "./credential.ts";
import { exchange, type HttpOptions, type HttpResponse } from "./http_exchange.ts";
import { statusError } from "./status_error.ts";
import { parseTokenAnswer, type TokenAnswer } from "./token.ts";

/** What is asked of a token server. */
export interface TokenRequest {
  /** Where; it has been checked. */
  readonly realm: URL;
  readonly service: string | undefined;
  /** `repository:NAME:pull`, or several such, between spaces. */
  readonly scope: string;
  /** As who; undefined to be nobody. */
  readonly credential: Exclude<Credential, { kind: "bearer" }> | undefined;
  /** Says of a refusal what was refused. */
  readonly refusal: string;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
/** So answer servers that know no POST: GCR and others by 404 and 405, Artifactory by 401. */
const NO_POST: readonly number[] = [401, 404, 405];

/**
 * A token for a scope. A refresh token goes by POST, as OAuth2 has it, and where the server knows none, as a password, by
 * GET, as everything else does. Source: distribution/docs/spec/auth/token.md, oauth.md.
 * @throws {RegistryError} `denied` with the text of `refusal`, and as {@linkcode exchange}. @throws {CorruptError}
 */
export async function requestToken(http: HttpOptions, request: TokenRequest): Promise<TokenAnswer> {
  const { credential } = request;
  if (credential?.kind === "identity") {
    const response = await postRefreshToken(http, request, credential.refreshToken);
    if (!NO_POST.includes(response.status)) return await readToken(response, request);
    response.close();
  }
  return await readToken(await getToken(http, request), request);
}

async function readToken(response: HttpResponse, request: TokenRequest): Promise<TokenAnswer> {
  const { status } = response;
  try {
    if (status === 401 || status === 403 || (status === 400 && request.credential !== undefined)) {
      throw await statusError(response, request.refusal);
    }
    if (status !== 200) throw await statusError(response);
    const bytes = await response.readAll(MAX_ANSWER_BYTES);
    return parseTokenAnswer(bytes, { source: response.redactedUrl, nowMs: request.nowMs });
  } finally {
    response.close();
  }
}

function getToken(http: HttpOptions, { realm, service, scope, credential, signal }: TokenRequest) {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  if (scope !== "") url.searchParams.set("scope", scope);
  return exchange(http, {
    method: "GET",
    url,
    headers: { accept: "application/json" },
    authorization: credential === undefined ? undefined : basicHeader(credential),
    signals: [signal],
  });
}

function postRefreshToken(
  http: HttpOptions,
  { realm, service, scope, signal }: TokenRequest,
  refreshToken: string,
): Promise<HttpResponse> {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "clip", scope });
  if (service !== undefined) form.set("service", service);
  form.set("refresh_token", refreshToken);
  return exchange(http, {
    method: "POST",
    url: realm,
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: form.toString(),
    signals: [signal],
  });
}
