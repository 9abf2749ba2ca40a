/** A half-open range of bytes: `offset` is the first, `endExclusive` the one after the last. */
export interface ByteRange {
  /** The first byte. */
  readonly offset: number;
  /** The byte after the last; equal to `offset` in an empty range. */
  readonly endExclusive: number;
}

/** An immutable run of bytes that can be read from any offset: a blob in a registry, a file, a part of a file. */
export interface RangeSource {
  /** What it is, for messages; never holds a secret. */
  readonly description: string;
  /** How many bytes there are. */
  readonly sizeBytes: number;
  /**
   * Exactly the bytes of `range`, in a fresh array that the caller owns.
   * Bytes are as the source gives them: nothing is verified here but their number.
   * @throws {RangesIgnoredError} for `offset` > 0, where nothing but all bytes from the first one on is to be had.
   * @throws {ClipError} when they cannot be had, all of them; never returns fewer.
   */
  readRange(range: ByteRange, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * All bytes from `offset` (default 0) to `endExclusive` (default the end), in pieces of the source's choosing, each
   * owned by the consumer. Broken transfers are resumed where they stopped. Ends only after the last byte; a stop before
   * that throws.
   * @throws {RangesIgnoredError} as `readRange`. @throws {ClipError}
   */
  stream(options?: StreamOptions): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /**
   * Says that these ranges will be read next. Sources have it of which each read is a way to another machine and back:
   * they get ranges that lie close together at once. @throws {ClipError} as `readRange`.
   */
  expect?(ranges: readonly ByteRange[]): Promise<void>;
  /** What was read last turned out to be other bytes than it should: they are to be had elsewhere, if that can be. */
  mistrust?(): void;
}

/** What to stream. */
export interface StreamOptions extends Partial<ByteRange> {
  /** Ends the stream with its reason. */
  readonly signal?: AbortSignal | undefined;
}
