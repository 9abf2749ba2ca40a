import {
  assert,
  type ByteRange,
  checkRange,
  type Digest,
  RangesIgnoredError,
  type RangeSource,
  type StreamOptions,
} from "../base/mod.ts";
import type { HttpResponse } from "./http_exchange.ts";
import type { RepositoryClient } from "./registry_client.ts";

/** Who is asked for blobs: a repository at one place, or wherever it is. */
export type BlobClient = RepositoryClient & {
  /** As in `RepositoryReader`; without it there is nobody else to be asked. */
  passOver?(response: HttpResponse, path: string, error: unknown): boolean;
  /** As in `RepositoryReader`. */
  mistrust?(path: string): void;
};

/** What is common to the blobs of one repository. */
export interface BlobContext {
  readonly client: BlobClient;
  /** Hosts that were warned about, for ignoring Range. */
  readonly warnedHosts: Set<string>;
  /** Blobs of which a range was asked in vain, and until when none is asked again, in milliseconds since 1970. */
  readonly rangelessUntilMs: Map<Digest, number>;
}

/** The context of the blobs that `client` reads. */
export function blobContext(client: BlobClient): BlobContext {
  return { client, warnedHosts: new Set(), rangelessUntilMs: new Map() };
}

/** A server that ignored Range is asked for one again after this: another one may answer. */
const RANGELESS_REST_MS = 60_000;

/**
 * A blob in a registry, read by range requests.
 *
 * A range that comes back wrong would be corruption that nobody may notice at once, so an answer counts only if it says
 * which bytes it holds and holds just these. A server that ignores Range answers 200 with the whole blob. That is given
 * up and said (RangesIgnoredError), unless the range begins where the blob does, so that the reader takes the blob from
 * its start, once, and not from there again for each part. What arrived before a transfer broke off is kept, and the next try asks for the rest; if that is answered
 * with the whole blob, the rest is taken out of it.
 * Source: RFC 9110, section 14; OCI distribution-spec, "Pulling blobs".
 */
export class RegistryBlob implements RangeSource {
  readonly description: string;
  readonly sizeBytes: number;
  readonly #digest: Digest;
  readonly #path: string;
  readonly #context: BlobContext;

  constructor(context: BlobContext, { digest, sizeBytes }: { digest: Digest; sizeBytes: number }) {
    this.description = `blob ${digest} of ${context.client.name}`;
    this.sizeBytes = sizeBytes;
    this.#digest = digest;
    this.#path = `blobs/${digest}`;
    this.#context = context;
  }

  /** What {@linkcode RangeSource} says of `readRange`. */
  async readRange(range: ByteRange, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(range, this.sizeBytes);
    const bytes = new Uint8Array(range.endExclusive - range.offset);
    let filledBytes = 0;
    if (bytes.length === 0) return bytes;
    return await this.#context.client.retry(async () => {
      const missing = { offset: range.offset + filledBytes, endExclusive: range.endExclusive };
      const transfer = await this.#open(missing, { askedOffset: range.offset, signal });
      try {
        for (let piece = await transfer.next(); piece !== undefined; piece = await transfer.next()) {
          bytes.set(piece, filledBytes);
          filledBytes += piece.length;
        }
      } catch (error) {
        // Bytes from an answer that turned out to be wrong are not to be trusted; from one that broke off they are.
        if (transfer.isWrong) filledBytes = missing.offset - range.offset;
        this.#context.client.passOver?.(transfer.response, this.#path, error);
        throw error;
      } finally {
        transfer.close();
      }
      return bytes;
    }, signal);
  }

  /** What {@linkcode RangeSource} says of `stream`. */
  async *stream(
    { offset = 0, endExclusive = this.sizeBytes, signal }: StreamOptions = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    checkRange({ offset, endExclusive }, this.sizeBytes);
    let transfer: Transfer | undefined;
    try {
      for (let position = offset; position < endExclusive;) {
        // The tries are counted anew for each piece: a long transfer may break many times, as long as it gets on.
        const piece = await this.#context.client.retry(async () => {
          try {
            const missing = { offset: position, endExclusive };
            transfer ??= await this.#open(missing, { askedOffset: offset, signal });
            return await transfer.next();
          } catch (error) {
            if (transfer !== undefined) this.#context.client.passOver?.(transfer.response, this.#path, error);
            transfer?.close();
            transfer = undefined;
            throw error;
          }
        }, signal);
        assert(piece !== undefined, `${this.description}: a transfer ended before its range`);
        position += piece.length;
        yield piece;
      }
    } finally {
      transfer?.close();
    }
  }

  /** What {@linkcode RangeSource} says of `mistrust`. */
  mistrust(): void {
    this.#context.client.mistrust?.(this.#path);
  }

  /** A transfer of what is still missing of the range that was asked for. */
  async #open(
    missing: ByteRange,
    { askedOffset, signal }: { askedOffset: number; signal: AbortSignal | undefined },
  ): Promise<Transfer> {
    const { client, rangelessUntilMs } = this.#context;
    if (askedOffset > 0 && Date.now() < (rangelessUntilMs.get(this.#digest) ?? 0)) throw this.#rangesIgnored();
    const isWhole = missing.offset === 0 && missing.endExclusive === this.sizeBytes;
    const response = await client.open({
      path: this.#path,
      headers: isWhole ? {} : { range: `bytes=${missing.offset}-${missing.endExclusive - 1}` },
      expected: isWhole ? [200] : [200, 206],
      signal,
    });
    try {
      if (!isWhole && response.status === 200) {
        // Another place may do better.
        const ignored = response.error("ignores Range", { retryable: true });
        if (askedOffset > 0 && client.passOver?.(response, this.#path, new RangesIgnoredError(this.description))) {
          throw ignored;
        }
        this.#noteRangeless(response.host);
        if (askedOffset > 0) throw this.#rangesIgnored();
      }
      return new Transfer(response, missing, this.sizeBytes);
    } catch (error) {
      client.passOver?.(response, this.#path, error);
      response.close();
      throw error;
    }
  }

  #noteRangeless(host: string): void {
    const { client, warnedHosts, rangelessUntilMs } = this.#context;
    rangelessUntilMs.set(this.#digest, Date.now() + RANGELESS_REST_MS);
    if (warnedHosts.has(host)) return;
    warnedHosts.add(host);
    client.log.warn("registry ignores Range: whole layers are transferred to read parts of them", { host });
  }

  #rangesIgnored(): RangesIgnoredError {
    return new RangesIgnoredError(this.description);
  }
}

/** One answer that holds a range of a blob. */
class Transfer {
  /** Whether the answer was found to hold other bytes than it should. */
  isWrong = false;
  /** What it is read from. */
  readonly response: HttpResponse;
  /** Bytes of the body before the range. */
  #skipBytes: number;
  /** Bytes of the range still to come. */
  #leftBytes: number;
  /** Whether the body ends where the range ends. */
  readonly #endsWithRange: boolean;

  /** @throws {RegistryError} (retryable) when the headers say that it holds something else. */
  constructor(response: HttpResponse, range: ByteRange, sizeBytes: number) {
    const isPartial = response.status === 206;
    const rangeBytes = range.endExclusive - range.offset;
    if (isPartial) checkContentRange(response, range, sizeBytes);
    const bodyBytes = isPartial ? rangeBytes : sizeBytes;
    const stated = response.headers.get("content-length");
    if (stated !== null && Number(stated) !== bodyBytes) {
      throw response.error(`a body of ${Number(stated)} bytes, expected ${bodyBytes}`, { retryable: true });
    }
    this.response = response;
    this.#skipBytes = isPartial ? 0 : range.offset;
    this.#leftBytes = rangeBytes;
    this.#endsWithRange = isPartial || range.endExclusive === sizeBytes;
  }

  /** The next bytes of the range; undefined after the last. @throws {RegistryError} (retryable) */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#leftBytes > 0) {
      let piece = await this.response.read();
      if (piece === undefined) {
        throw this.response.error(`the body ended ${this.#leftBytes} bytes early`, { retryable: true });
      }
      const skippedBytes = Math.min(this.#skipBytes, piece.length);
      this.#skipBytes -= skippedBytes;
      if (skippedBytes > 0) piece = piece.subarray(skippedBytes);
      if (piece.length > this.#leftBytes) {
        if (this.#endsWithRange) throw this.#tooLong();
        piece = piece.subarray(0, this.#leftBytes);
      }
      if (piece.length === 0) continue;
      this.#leftBytes -= piece.length;
      // The last piece is given out only once the body is seen to end with it.
      if (this.#leftBytes === 0 && this.#endsWithRange && (await this.response.read()) !== undefined) {
        throw this.#tooLong();
      }
      return piece;
    }
    return undefined;
  }

  close(): void {
    this.response.close();
  }

  #tooLong(): Error {
    this.isWrong = true;
    return this.response.error("the body goes on past the end of the range", { retryable: true });
  }
}

function checkContentRange(response: HttpResponse, range: ByteRange, sizeBytes: number): void {
  const header = response.headers.get("content-range") ?? "";
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/i.exec(header.trim());
  const [first, last, total] = match?.slice(1).map(Number) ?? [];
  if (first === range.offset && last === range.endExclusive - 1 && total === sizeBytes) return;
  const found = match === null ? "no usable Content-Range" : `bytes ${first} to ${last} of ${total}`;
  const expected = `bytes ${range.offset} to ${range.endExclusive - 1} of ${sizeBytes}`;
  throw response.error(`${found}, expected ${expected}`, { retryable: true });
}
