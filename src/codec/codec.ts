/**
 * What a compressed layer format must be able to do: be read once from front to back while noting where a decoder
 * could start again (scan), and be decoded from such a place (decode).
 *
 * Both directions are push interfaces, synchronous and free of I/O: the caller feeds compressed bytes as they come
 * and is called back with plain bytes. So the same code serves a stream, one range in memory and a Worker.
 */

/** Why a checkpoint is where it is. The numbers are the archive's. */
export const CheckpointKind = {
  /** The first plain byte of the layer. */
  start: 0,
  /** The first place past the chosen spacing. */
  interval: 1,
  /** The last place at or before the first data byte of a large file. */
  file: 2,
  /** The first byte of a further gzip member or zstd frame, used since it needs no window. */
  member: 3,
  /** The end of the stream: nothing starts here, it bounds the last span. */
  final: 4,
} as const;

/** One of the values of the table of the same name. */
export type CheckpointKind = (typeof CheckpointKind)[keyof typeof CheckpointKind];

/** A place in the compressed stream at which a decoder can start, and all it needs to do so. */
export interface Checkpoint {
  /** Why it is here; a decoder does not look at it. */
  readonly kind: CheckpointKind;
  /** Plain bytes before this place. */
  readonly plainOffset: number;
  /**
   * Compressed bits before this place, counted from the start of the blob. Codecs that start on bytes only use
   * multiples of 8.
   */
  readonly compressedBitOffset: number;
  /**
   * The plain bytes just before `plainOffset` that a decoder starting here may refer to, oldest first; at most 32,768
   * for gzip. Empty where none are needed (start, member, final, uncompressed). Owned by whoever holds the checkpoint.
   */
  readonly window: Uint8Array;
  /**
   * True where this is the very start of a member or frame, header included: the decoder reads a header first.
   * False where it starts between two blocks.
   */
  readonly atHeader: boolean;
}

/** Takes the plain bytes of a scan as they come, and says where large files begin in them. */
export interface PlainSink {
  /** The next plain bytes, contiguous with the last. `bytes` may be reused after the call returns. */
  write(bytes: Uint8Array): void;
  /**
   * Plain offsets of the first data byte of large files, found by the writes so far and not taken yet; ascending, and
   * each is known at the latest when the byte before it has been written. The caller removes those it has used, and
   * may leave the last ones in the list until later writes.
   */
  readonly fileStarts: number[];
}

/**
 * A codec names a checkpoint before it has written more than this many plain bytes behind it: whoever digests the
 * bytes between checkpoints holds back as much.
 */
export const MAX_CHECKPOINT_LAG_BYTES: number = 2 * 1024 * 1024;

/** What a scan is asked to do. */
export interface ScanOptions {
  /** Aim at a checkpoint every so many plain bytes. */
  readonly spacingBytes: number;
  /** Where the plain bytes go. */
  readonly sink: PlainSink;
  /**
   * Each checkpoint as it is made, the first during the first push or `finish`: it is `start` at 0. Plain offsets
   * ascend strictly; only the last, `final`, equals the one before where the stream is empty.
   */
  readonly onCheckpoint: (checkpoint: Checkpoint) => void;
  /** Something odd but harmless, such as trailing garbage. */
  readonly onWarning: (message: string) => void;
}

/** A scan under way. */
export interface Scanner {
  /** The next compressed bytes; not kept after the call. @throws {CorruptError} at the first bad byte. */
  push(compressed: Uint8Array): void;
  /**
   * Says that there are no more; makes the final checkpoint.
   * @throws {CorruptError} when the stream is not complete, or its own checksum or length does not match.
   */
  finish(): void;
}

/** What a decoder is asked to do. */
export interface DecodeOptions {
  /** Where to start. `kind` is of no meaning here. */
  readonly from: Pick<Checkpoint, "plainOffset" | "compressedBitOffset" | "window" | "atHeader">;
  /** How many plain bytes to make before stopping. */
  readonly plainBytes: number;
  /** The next plain bytes; `bytes` may be reused after the call returns. Never more than `plainBytes` in all. */
  readonly onPlain: (bytes: Uint8Array) => void;
}

/** A decoder under way. */
export interface Decoder {
  /**
   * The next compressed bytes; the first push starts with the byte that holds bit `compressedBitOffset`.
   * Returns true once `plainBytes` have been made: the rest of the input is not looked at.
   * Contents are not authenticated (a decoder that starts in the middle cannot check the stream's own checksum): the
   * caller verifies digests. @throws {CorruptError} on input that cannot be decoded.
   */
  push(compressed: Uint8Array): boolean;
}

/** A compressed layer format. */
export interface Codec {
  /** `"none"`, `"gzip"`, `"zstd"`: what an archive calls it. */
  readonly name: string;
  /** Starts a scan at the first byte of a blob. */
  scanner(options: ScanOptions): Scanner;
  /** Starts a decoder at a checkpoint. */
  decoder(options: DecodeOptions): Decoder;
}
