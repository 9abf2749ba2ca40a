import { RegistryError } from "./errors.ts";
import type { HttpResponse } from "./http_exchange.ts";
import { parseRetryAfter } from "./retry_after.ts";

const MAX_ERROR_BODY_BYTES = 16 * 1024;

/**
 * The error for an answer with a status that means failure; reads the start of its body for the registry's own error
 * codes. What else the body says is left out, since a hostile registry could make it echo the login.
 * Retryable: 416, 429, 5xx but 501, and a blob that a manifest names and that is not there yet.
 * Source: OCI distribution-spec, "Error Codes".
 */
export async function statusError(response: HttpResponse, problem?: string): Promise<RegistryError> {
  const { status, method, redactedUrl } = response;
  const codes = await readErrorCodes(response);
  const text = problem ?? STATUS_TEXTS[status] ?? (status >= 500 ? "the server failed" : "unexpected answer");
  return new RegistryError({
    code: status === 401 || status === 403 ? "denied" : status === 404 ? "not_found" : "registry",
    problem: `${text} (${["status " + status, ...codes].join(", ")})`,
    method,
    redactedUrl,
    status,
    retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), Date.now()),
    // Somebody else may be pushing the same blob: docker-registry then does not find its own note of it for a moment.
    retryable: codes.includes("MANIFEST_BLOB_UNKNOWN") || status === 416 || status === 429 ||
      (status >= 500 && status !== 501),
  });
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  401: "a login is needed",
  403: "access is denied: either it does not exist or the login does not suffice",
  404: "not found",
  416: "the range is refused",
  429: "too many requests; a login may raise the limit",
};

async function readErrorCodes(response: HttpResponse): Promise<readonly string[]> {
  let errors: unknown;
  try {
    errors = JSON.parse(new TextDecoder().decode(await response.readAll(MAX_ERROR_BODY_BYTES)))?.errors;
  } catch {
    // A body that is no JSON, too long or broken off says nothing; the status does.
  }
  if (!Array.isArray(errors)) return [];
  const codes = errors.slice(0, 4).map((error) => error?.code);
  return codes.filter((code) => typeof code === "string" && KNOWN_CODES.has(code));
}

const KNOWN_CODES: ReadonlySet<string> = new Set([
  "BLOB_UNKNOWN",
  "BLOB_UPLOAD_INVALID",
  "BLOB_UPLOAD_UNKNOWN",
  "DENIED",
  "DIGEST_INVALID",
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_INVALID",
  "MANIFEST_UNKNOWN",
  "NAME_INVALID",
  "NAME_UNKNOWN",
  "SIZE_INVALID",
  "TOOMANYREQUESTS",
  "UNAUTHORIZED",
  "UNAVAILABLE",
  "UNKNOWN",
  "UNSUPPORTED",
]);
