import {
  type ByteRange,
  checkRange,
  ClipError,
  DEFAULT_RETRY,
  type Logger,
  RangesIgnoredError,
  type RangeSource,
  retry,
  type RetryPolicy,
  type StreamOptions,
} from "../base/mod.ts";
import type { Environment } from "./environment.ts";
import { objectPlace } from "./object_place.ts";
import { type ObjectAnswer, requestObject, type RequestOptions } from "./object_request.ts";
import { s3ErrorCode } from "./s3_bucket.ts";

/** How objects are read. */
export interface ObjectOptions {
  /** Where S3 looks for what its URLs do not say. */
  readonly env: Environment;
  /** Told of requests that are sent again. */
  readonly log: Logger;
  /** The longest wait for an answer, and for each next piece of it; default 30,000. */
  readonly timeoutMs?: number;
  /** How often and how patiently failed requests are sent again. */
  readonly retry?: RetryPolicy;
  /** Replaceable for tests. */
  readonly fetch?: typeof fetch;
}

/** Asked for at first: header, table, and all of a short archive. */
const HEAD_BYTES = 64 * 1024;
/** What is expected is got together where less than this lies between. */
const MAX_GAP_BYTES = 256 * 1024;
/** What is expected is not kept beyond this. */
const MAX_EXPECTED_BYTES = 256 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
/** Of an answer that says no; enough for an error code. */
const MAX_EXPLANATION_BYTES = 4096;

/** Bytes that were got before they are asked for. */
interface Held {
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * An object on a web server or in a bucket, read by ranges, all of one version: requests carry its ETag as If-Match, and
 * each answer has to name the same ETag, length and, where there is no strong ETag, time of change. One that was replaced
 * meanwhile is an error.
 */
export class ObjectSource implements RangeSource {
  readonly description: string;
  readonly sizeBytes: number;
  readonly #request: RequestOptions;
  readonly #options: ObjectOptions;
  readonly #version: Version;
  readonly #head: Held;
  #expected: Held[] = [];

  /** Made by {@linkcode openObject}. */
  constructor(request: RequestOptions, options: ObjectOptions, { version, head }: { version: Version; head: Held }) {
    this.description = request.place.description;
    this.sizeBytes = version.sizeBytes;
    this.#request = request;
    this.#options = options;
    this.#version = version;
    this.#head = head;
  }

  /** What {@linkcode RangeSource} says of `readRange`. */
  async readRange(range: ByteRange, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(range, this.sizeBytes);
    const held = this.#held(range);
    if (held !== undefined) return held;
    const bytes = new Uint8Array(range.endExclusive - range.offset);
    let filled = 0;
    for await (const piece of this.stream({ ...range, signal })) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes;
  }

  /** What {@linkcode RangeSource} says of `stream`. */
  async *stream(
    { offset = 0, endExclusive = this.sizeBytes, signal }: StreamOptions = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    checkRange({ offset, endExclusive }, this.sizeBytes);
    for (let at = offset; at < endExclusive;) {
      const start = at;
      const pieces = await this.#retry(async () => {
        const answer = await this.#ask({ offset: at, endExclusive }, signal);
        const pieces = answer.pieces();
        // The first piece is a part of the try: servers break off before it more often than after.
        return { first: await pieces.next(), pieces };
      }, signal);
      try {
        for (let next = pieces.first; !next.done; next = await pieces.pieces.next()) {
          const piece = next.value.subarray(0, endExclusive - at);
          at += piece.length;
          yield piece;
          if (at === endExclusive) break;
        }
      } catch (error) {
        // Goes on where it broke off, as long as it gets on at all.
        if (!(error instanceof ClipError) || !error.retryable || at === start) throw error;
        this.#options.log.debug(`${error.message}: asked for the rest`);
      } finally {
        await pieces.pieces.return(undefined);
      }
      if (at === start) throw new ClipError("network", `${this.description}: an answer without bytes`);
    }
  }

  /** What {@linkcode RangeSource} says of `expect`. What it gets is kept until it is asked for, once. */
  async expect(ranges: readonly ByteRange[]): Promise<void> {
    const missing = ranges.filter((range) => range.offset < range.endExclusive && !isIn(this.#head, range));
    const together: { offset: number; endExclusive: number }[] = [];
    for (const { offset, endExclusive } of [...missing].sort((one, other) => one.offset - other.offset)) {
      const last = together.at(-1);
      if (last !== undefined && offset - last.endExclusive <= MAX_GAP_BYTES) {
        last.endExclusive = Math.max(last.endExclusive, endExclusive);
      } else together.push({ offset, endExclusive });
    }
    const wanted = together.filter(({ offset, endExclusive }) => endExclusive - offset <= MAX_EXPECTED_BYTES);
    this.#expected = await Promise.all(
      wanted.map(async (range) => ({ offset: range.offset, bytes: await this.readRange(range) })),
    );
  }

  #held(range: ByteRange): Uint8Array<ArrayBuffer> | undefined {
    const held = isIn(this.#head, range) ? this.#head : this.#expected.find((held) => isIn(held, range));
    if (held === undefined) return undefined;
    const bytes = held.bytes.slice(range.offset - held.offset, range.endExclusive - held.offset);
    // What is read from front to back is let go of with its last bytes.
    if (range.endExclusive === held.offset + held.bytes.length) {
      this.#expected = this.#expected.filter((other) => other !== held);
    }
    return bytes;
  }

  #retry<Value>(work: () => Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
    return retry(work, {
      policy: this.#options.retry ?? DEFAULT_RETRY,
      signal,
      onRetry: (error, delayMs) => this.#options.log.debug(`${error.message}: trying again`, { delayMs }),
    });
  }

  async #ask({ offset, endExclusive }: ByteRange, signal: AbortSignal | undefined): Promise<ObjectAnswer> {
    const headers: Record<string, string> = { range: `bytes=${offset}-${endExclusive - 1}` };
    if (this.#version.strongTag !== undefined) headers["if-match"] = this.#version.strongTag;
    const answer = await requestObject(this.#request, headers, signal);
    try {
      if (answer.status === 412) throw replaced(this.description);
      if (answer.status === 200) throw new RangesIgnoredError(this.description);
      if (answer.status !== 206) throw await statusError(answer, this.#request);
      const range = contentRange(answer, this.description);
      const version = versionOf(answer, range.sizeBytes);
      if (version.text !== this.#version.text) throw replaced(this.description);
      if (range.offset !== offset || range.endExclusive !== endExclusive) {
        throw new ClipError("network", `${this.description}: another range was sent than was asked for`);
      }
      return answer;
    } catch (error) {
      answer.close();
      throw error;
    }
  }
}

/**
 * The object that a URL names, by one request for its beginning.
 * @param signal Ends the opening; reads have signals of their own.
 * @throws {UsageError} for a URL of no object. @throws {ClipError} `not_found`, `denied`, `network`, `unsupported`.
 */
export async function openObject(
  text: string,
  options: ObjectOptions,
  signal?: AbortSignal,
): Promise<ObjectSource> {
  const place = objectPlace(text, options.env);
  const request = { place, timeoutMs: options.timeoutMs ?? TIMEOUT_MS, fetch: options.fetch ?? fetch };
  return await retry(async () => {
    const answer = await requestObject(request, { range: `bytes=0-${HEAD_BYTES - 1}` }, signal);
    try {
      const length = Number(answer.headers.get("content-length") ?? NaN);
      // All there is, of something short.
      const isWhole = answer.status === 200 && length <= HEAD_BYTES;
      if (answer.status === 416) throw new ClipError("corrupt", `${place.description} is empty`);
      if (answer.status === 200 && !isWhole) throw new RangesIgnoredError(place.description);
      if (answer.status !== 206 && !isWhole) throw await statusError(answer, request);
      const sizeBytes = isWhole ? length : contentRange(answer, place.description).sizeBytes;
      const bytes = new Uint8Array(Math.min(sizeBytes, HEAD_BYTES));
      let filled = 0;
      for await (const piece of answer.pieces()) {
        bytes.set(piece.subarray(0, bytes.length - filled), filled);
        filled += piece.length;
      }
      if (filled !== bytes.length) {
        throw new ClipError("network", `${place.description}: ${filled} bytes instead of ${bytes.length}`, {
          retryable: true,
        });
      }
      const version = versionOf(answer, sizeBytes);
      return new ObjectSource(request, options, { version, head: { offset: 0, bytes } });
    } finally {
      answer.close();
    }
  }, { policy: options.retry ?? DEFAULT_RETRY, signal });
}

/** What tells one version of an object from the next. */
interface Version {
  readonly sizeBytes: number;
  /** The ETag, where it promises equal bytes. */
  readonly strongTag: string | undefined;
  /** All that is known of it. */
  readonly text: string;
}

function versionOf({ headers }: ObjectAnswer, sizeBytes: number): Version {
  const tag = headers.get("etag") ?? "";
  const isStrong = /^"[^"]*"$/.test(tag);
  const changed = headers.get("last-modified") ?? "";
  return {
    sizeBytes,
    strongTag: isStrong ? tag : undefined,
    text: isStrong ? `${sizeBytes} ${tag}` : `${sizeBytes} ${tag} ${changed}`,
  };
}

/** Source: RFC 9110, section 14.4. */
function contentRange(answer: ObjectAnswer, description: string): ByteRange & { readonly sizeBytes: number } {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(answer.headers.get("content-range") ?? "");
  if (match === null) {
    throw new ClipError("network", `${description}: an answer that does not say which bytes it holds`);
  }
  return { offset: Number(match[1]), endExclusive: Number(match[2]) + 1, sizeBytes: Number(match[3]) };
}

async function statusError(answer: ObjectAnswer, { place }: RequestOptions): Promise<ClipError> {
  const { status } = answer;
  const start: number[] = [];
  for await (const piece of answer.pieces()) {
    start.push(...piece.subarray(0, MAX_EXPLANATION_BYTES - start.length));
    if (start.length === MAX_EXPLANATION_BYTES) break;
  }
  const code = s3ErrorCode(Uint8Array.from(start));
  const said = `${place.description}: status ${status}${code === "" ? "" : ` (${code})`}`;
  if (status === 404) return new ClipError("not_found", `${place.description} does not exist`);
  if (status === 400 || status === 401 || status === 403) return new ClipError("denied", said);
  return new ClipError("network", said, { retryable: status >= 500 || status === 429 || status === 408 });
}

function replaced(description: string): ClipError {
  return new ClipError("io", `${description} was replaced while it was read: open it again`);
}

function isIn({ offset, bytes }: Held, range: ByteRange): boolean {
  return offset <= range.offset && range.endExclusive <= offset + bytes.length;
}
