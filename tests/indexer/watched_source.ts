import type { ByteRange, RangeSource, StreamOptions } from "../../src/base/mod.ts";

/** Bytes in memory as a source that keeps what is asked of it, and fails or lies when told to. */
export class WatchedSource implements RangeSource {
  readonly description: string;
  readonly sizeBytes: number;
  readonly bytes: Uint8Array;
  /** Ranges read, in order; a stream counts as one, to its end. */
  readonly requests: ByteRange[] = [];
  /** Called with each piece before it is given out, in an array that may be changed; what it throws, the reader gets. */
  onPiece: (piece: Uint8Array<ArrayBuffer>, range: ByteRange, signal?: AbortSignal) => void | Promise<void> = () => {};
  /** Length of the pieces of a stream. */
  pieceBytes = 64 * 1024;

  constructor(bytes: Uint8Array, description: string) {
    this.bytes = bytes;
    this.sizeBytes = bytes.length;
    this.description = description;
  }

  /** @see RangeSource.readRange */
  async readRange(range: ByteRange, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    if (!(range.offset >= 0 && range.offset <= range.endExclusive && range.endExclusive <= this.sizeBytes)) {
      throw new RangeError(`range ${range.offset} to ${range.endExclusive} of ${this.sizeBytes} bytes`);
    }
    signal?.throwIfAborted();
    this.requests.push(range);
    return await this.#piece(range, signal);
  }

  /** @see RangeSource.stream */
  async *stream(
    { offset = 0, endExclusive = this.sizeBytes, signal }: StreamOptions = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (!(offset >= 0 && offset <= endExclusive && endExclusive <= this.sizeBytes)) {
      throw new RangeError(`range ${offset} to ${endExclusive} of ${this.sizeBytes} bytes`);
    }
    signal?.throwIfAborted();
    this.requests.push({ offset, endExclusive });
    for (let at = offset; at < endExclusive;) {
      signal?.throwIfAborted();
      const end = Math.min(at + this.pieceBytes, endExclusive);
      yield await this.#piece({ offset: at, endExclusive: end }, signal);
      at = end;
    }
  }

  async #piece(range: ByteRange, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    const piece = new Uint8Array(this.bytes.subarray(range.offset, range.endExclusive));
    await this.onPiece(piece, range, signal);
    return piece;
  }

  /** Compressed bytes asked for so far. */
  get requestedBytes(): number {
    return this.requests.reduce((bytes, range) => bytes + range.endExclusive - range.offset, 0);
  }
}
