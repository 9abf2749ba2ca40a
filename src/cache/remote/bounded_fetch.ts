import { ClipError, messageOf } from "../../base/mod.ts";

/** One request of a store that speaks http. */
export interface BoundedRequest {
  readonly method: "GET" | "HEAD" | "PUT";
  readonly url: URL;
  /** The same without secrets, for messages. */
  readonly description: string;
  readonly headers: Readonly<Record<string, string>> | Headers;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** A body of status 200 with more is refused. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** The whole answer. */
export interface BoundedAnswer {
  readonly status: number;
  /** Of other statuses than 200 the first few KiB. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Of the body of an answer that says no; enough for an error code. */
const MAX_EXPLANATION_BYTES = 4096;

/**
 * The answer to one request, whatever its status; redirects are not followed.
 * @throws {ClipError} `limit` when a body is longer than allowed; `network` without a whole answer. @throws the reason
 * of the signal.
 */
export async function boundedFetch(request: BoundedRequest): Promise<BoundedAnswer> {
  const { method, url, headers, body, signal, description } = request;
  const all = new Headers(headers);
  all.set("accept-encoding", "identity");
  all.set("user-agent", "clip");
  try {
    const init: RequestInit = { method, headers: all, redirect: "manual", signal };
    const response = await fetch(url, body === undefined ? init : { ...init, body });
    const { status } = response;
    if (status === 200) return { status, body: await readBody(response, request.maxBytes, request) };
    return { status, body: await readStart(response) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ClipError) throw error;
    // What fetch says holds the URL, which is long, and of some stores signed.
    const said = messageOf(error).replaceAll(/ for url \(\S*/g, ":").replaceAll(/[a-z]+:\/\/\S*/gi, "<url>");
    throw new ClipError("network", `${method} ${description}: ${said}`, { retryable: true });
  }
}

async function readBody(
  response: Response,
  maxBytes: number,
  { method, description }: BoundedRequest,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLong = () => new ClipError("limit", `${method} ${description}: more than ${maxBytes} bytes`);
  const promised = Number(response.headers.get("content-length") ?? NaN);
  if (method !== "HEAD" && promised > maxBytes) {
    await response.body?.cancel();
    throw tooLong();
  }
  // The usual case, where the length is told and true, copies each byte once.
  let bytes = new Uint8Array(method !== "HEAD" && promised >= 0 ? promised : 0);
  let at = 0;
  for await (const piece of response.body ?? []) {
    if (at + piece.length > maxBytes) throw tooLong();
    if (at + piece.length > bytes.length) {
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(at + piece.length, bytes.length * 2)));
      larger.set(bytes.subarray(0, at));
      bytes = larger;
    }
    bytes.set(piece, at);
    at += piece.length;
  }
  return at === bytes.length ? bytes : bytes.slice(0, at);
}

async function readStart(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const start = new Uint8Array(MAX_EXPLANATION_BYTES);
  let at = 0;
  for await (const piece of response.body ?? []) {
    const part = piece.subarray(0, start.length - at);
    start.set(part, at);
    at += part.length;
    if (at === start.length) break;
  }
  return start.slice(0, at);
}

/** The error for a status that a store has no use for. `detail`: the server's own word for it. */
export function statusError(
  { method, description }: { method: string; description: string },
  status: number,
  detail = "",
): ClipError {
  const said = `${method} ${description}: status ${status}${detail === "" ? "" : ` (${detail})`}`;
  if (status === 401 || status === 403) return new ClipError("denied", said);
  if (method === "PUT" && (status === 413 || status === 507)) return new ClipError("limit", said);
  if (status >= 300 && status < 400) return new ClipError("network", `${said}: redirects are not followed`);
  return new ClipError("network", said, { retryable: status >= 500 || status === 429 });
}
