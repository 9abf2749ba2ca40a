import { ClipError, formatDuration, messageOf } from "../base/mod.ts";
import type { ObjectPlace } from "./object_place.ts";

/** A request, as far as it is always the same. */
export interface RequestOptions {
  readonly place: ObjectPlace;
  /** The longest wait for an answer, and for each next piece of it. */
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
}

/** The answer to a request, its body unread. */
export interface ObjectAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The pieces of its body. To be read, or `close` to be called. @throws {ClipError} `network`; reason of the signal. */
  pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  /** Gives up what was not read. Safe to call again. */
  close(): void;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** What S3 says, among others, to temporary credentials whose time is over. */
const REFUSALS: readonly number[] = [400, 401, 403];

/**
 * GET with these headers, redirects followed: releases and signed URLs redirect to storage. Another origin gets no
 * login, and https is not left for http. What refuses credentials that may have become others is asked once more.
 * @throws {ClipError} `network`, retryable, without an answer; the reason of the signal.
 */
export async function requestObject(
  options: RequestOptions,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<ObjectAnswer> {
  const { place } = options;
  let url = place.url;
  let wasRefused = false;
  for (let redirects = 0;;) {
    const isSameOrigin = url.origin === place.url.origin;
    const all = isSameOrigin ? await place.sign(headers) : new Headers(headers);
    const answer = await send(options, url, all, signal);
    if (REFUSALS.includes(answer.status) && isSameOrigin && place.onRefused() && !wasRefused) {
      wasRefused = true;
      answer.close();
      continue;
    }
    if (!REDIRECTS.includes(answer.status)) return answer;
    answer.close();
    url = redirectTarget(answer.headers.get("location"), url, place);
    if (redirects++ >= MAX_REDIRECTS) throw new ClipError("network", `${place.description}: too many redirects`);
  }
}

function redirectTarget(location: string | null, from: URL, { description }: ObjectPlace): URL {
  let next: URL;
  try {
    next = new URL(location ?? "", from);
  } catch {
    throw new ClipError("network", `${description}: redirects to something that is not a URL`);
  }
  const isWeb = next.protocol === "https:" || next.protocol === "http:";
  if (location === null || !isWeb || (from.protocol === "https:" && next.protocol === "http:")) {
    throw new ClipError(
      "network",
      `${description}: redirects to where nothing can be asked for, or no longer by https`,
    );
  }
  next.username = next.password = next.hash = "";
  return next;
}

async function send(
  options: RequestOptions,
  url: URL,
  headers: Headers,
  signal: AbortSignal | undefined,
): Promise<ObjectAnswer> {
  signal?.throwIfAborted();
  headers.set("user-agent", "clip");
  headers.set("accept-encoding", "identity");
  const life = new AbortController();
  const onAbort = () => life.abort(signal!.reason);
  signal?.addEventListener("abort", onAbort);
  const end = () => signal?.removeEventListener("abort", onAbort);
  const { place: { description }, timeoutMs } = options;
  /** What `wait` gives, within the time limit; failures without URLs, which may be signed. */
  const within = async <Value>(wait: Promise<Value>): Promise<Value> => {
    const late = new ClipError("network", `${description}: no answer for ${formatDuration(timeoutMs)}`, {
      retryable: true,
    });
    const timer = setTimeout(() => life.abort(late), timeoutMs);
    try {
      return await wait;
    } catch (error) {
      life.signal.throwIfAborted();
      const said = messageOf(error).replaceAll(/ for url \(\S*/g, ":").replaceAll(/[a-z]+:\/\/\S*/gi, "<url>");
      throw new ClipError("network", `${description}: ${said}`, { retryable: true });
    } finally {
      clearTimeout(timer);
    }
  };
  let response: Response;
  try {
    response = await within(options.fetch(url, { headers, redirect: "manual", signal: life.signal }));
  } catch (error) {
    end();
    throw error;
  }
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  const close = () => {
    end();
    reader?.cancel().catch(() => {});
    // Deno 2.4 keeps a connection whose body is merely cancelled, and the server with it.
    life.abort(new DOMException("no more is wanted", "AbortError"));
  };
  return {
    status: response.status,
    headers: response.headers,
    close,
    async *pieces() {
      try {
        while (reader !== undefined) {
          const { done, value } = await within(reader.read());
          if (done) return;
          if (value.length > 0) yield value;
        }
      } finally {
        close();
      }
    },
  };
}
