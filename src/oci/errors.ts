import { ClipError, displayByteString, type ErrorCode, formatDuration, utf8ToByteString } from "../base/mod.ts";

/** What a {@linkcode RegistryError} knows besides its message. */
export interface RegistryErrorDetails {
  /** `registry`: an answer that says no or breaks the protocol; `network`: no answer, or one that broke off. */
  readonly code: Extract<ErrorCode, "registry" | "denied" | "not_found" | "network">;
  /** What went wrong, without the request; never holds a secret. */
  readonly problem: string;
  /** The request's method. */
  readonly method: string;
  /** The request's URL as made by {@linkcode redactUrl}. */
  readonly redactedUrl: string;
  /** The status of the answer, where there was one. */
  readonly status?: number | undefined;
  /** The wait that the other side asked for. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the same request may succeed when sent again. Default false. */
  readonly retryable?: boolean;
}

/**
 * A registry, its token server or its blob storage did not give what was asked. It has no `cause`: the messages of
 * fetch hold whole URLs, and with them the signatures of redirected ones.
 */
export class RegistryError extends ClipError {
  /** The status of the answer, where there was one. */
  readonly status: number | undefined;
  /** The request's method. */
  readonly method: string;
  /** The request's URL without user, password, query and fragment. */
  readonly redactedUrl: string;
  /** The wait that the other side asked for; honoured by `retry`. */
  readonly retryAfterMs: number | undefined;

  /** Whether the other side is there, and says that it has too much to do: `retry` is patient then. */
  get isThrottled(): boolean {
    return this.status === 429 || (this.status === 503 && this.retryAfterMs !== undefined);
  }

  /** The message is `METHOD URL: problem`. */
  constructor(details: RegistryErrorDetails) {
    super(details.code, `${details.method} ${details.redactedUrl}: ${details.problem}`, {
      retryable: details.retryable ?? false,
    });
    this.status = details.status;
    this.method = details.method;
    this.redactedUrl = details.redactedUrl;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** `url` without user, password, query and fragment: the parts that may hold a secret. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

/** The error for a request that got no answer in time, or whose body stopped coming. */
export function stalledError(
  { method, redactedUrl, timeoutMs, phase }: {
    method: string;
    redactedUrl: string;
    timeoutMs: number;
    phase: "answer" | "data";
  },
): RegistryError {
  const problem = `no ${phase} for ${formatDuration(timeoutMs)}`;
  return new RegistryError({ code: "network", problem, method, redactedUrl, retryable: true });
}

/**
 * What `error`, thrown by fetch or by reading a body, says, with every URL taken out of it. `lasting`: trying again
 * cannot help, since TLS itself was refused.
 */
export function describeNetworkFailure(error: unknown): { text: string; lasting: boolean } {
  const messages: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) messages.push(at.message);
  const all = messages.length === 0 ? "the connection failed" : messages.join(": ");
  let text = show(all.replaceAll(/ for url \(\S*/g, ":").replaceAll(/[a-z]+:\/\/\S*/gi, "<url>"), 300);
  // What every failure begins with, and an end that some releases of Deno say twice.
  text = text.replace(/^(fetch failed: )?(error sending request:+ ?)?(client error \(\w+\): )?(?=.)/, "");
  text = text.replace(/: (.+): \1$/, ": $1");
  const noTls = /InvalidContentType/.test(text);
  if (noTls) text += " (it seems to speak plain http, which --plain-http allows)";
  if (/UnknownIssuer|SelfSigned|CaUsedAsEndEntity/.test(text)) text += " (--ca-file names an authority to trust)";
  return { text, lasting: noTls || /invalid peer certificate/.test(text) };
}

/** `value`, which is untrusted, as one line that cannot drive a terminal, cut at `maxLength` units. */
export function show(value: unknown, maxLength = 200): string {
  const text = typeof value === "string" ? value : jsonText(value).slice(0, maxLength * 2);
  const cut = text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
  return displayByteString(utf8ToByteString(cut));
}

/** `value` as JSON. What is nested so deep that writing it down takes more than the stack is only called so. */
function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "nothing";
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "a value nested too deep to show";
  }
}
