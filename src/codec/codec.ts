/**
 * What a compressed layer format must be able to do: be read once from front to back while noting where a decoder
 * could start again (scan), and be decoded from such a place (decode).
 *
 * Both directions are push interfaces, synchronous and free of I/O: the caller feeds compressed bytes as they come
 * and is called back with plain bytes. So the same code serves a stream, one range in memory and a Worker.
 */
import type { Window } from "./window.ts";

/** How checkpoints are chosen; gzip/strategies has a file for each. */
export const STRATEGY_NAMES = ["interval", "file", "sparse", "exact"] as const;

/** One of {@linkcode STRATEGY_NAMES}. */
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** Who inflates: the WebAssembly kernel, or pako where WebAssembly is not to be had, or to compare. */
export const INFLATE_NAMES = ["kernel", "pako"] as const;

/** One of {@linkcode INFLATE_NAMES}. */
export type InflateName = (typeof INFLATE_NAMES)[number];

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
  /** Why it is there. */
  readonly kind: CheckpointKind;
  /** Plain bytes before it: the first that a decoder starting here makes is this one. */
  readonly plainOffset: number;
  /**
   * Compressed bits before this place, counted from the start of the blob. Codecs that start on bytes only use
   * multiples of 8.
   */
  readonly compressedBitOffset: number;
  /**
   * The plain bytes before what bit `compressedBitOffset` makes, as far as those up to the next checkpoint refer to them. Nothing where none
   * are needed (start, member, final, uncompressed). Owned by whoever holds the checkpoint.
   */
  readonly window: Window;
  /**
   * How many plain bytes from `plainOffset` on are the last of the window instead of being decoded: where a match lies
   * across `plainOffset`, decoding starts behind the match. 0 to 257.
   */
  readonly prefixBytes: number;
  /**
   * True where this is the very start of a member or frame, header included: the decoder reads a header first.
   * False where it starts between two blocks, or inside one.
   */
  readonly atHeader: boolean;
  /**
   * The block in whose middle this place is, or, of zstd, before which it is: where its header begins, and what a decoder
   * has to know of it. Undefined between blocks of gzip, and where nothing is needed.
   */
  readonly block: BlockHead | undefined;
}

/** What a decoder has to know of a block, to start inside it or, of zstd, before it. */
export interface BlockHead {
  /** Where it begins: compressed bits from the start of the blob. */
  readonly headerBitOffset: number;
  /**
   * gzip: the compressed bytes from the one that holds that bit, at least to the end of the header. zstd: what the blocks
   * before leave to it. At most 1,024 bytes.
   */
  readonly header: Uint8Array;
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
  /**
   * The plain offset up to which the sink would like to be written to before more is decoded, since it may then know of
   * a large file that begins there; Infinity where it has no wish.
   */
  readonly nextStop: number;
}

/**
 * A codec names a checkpoint before it has written more than this many plain bytes behind it: whoever digests the
 * bytes between checkpoints holds back as much.
 */
export const MAX_CHECKPOINT_LAG_BYTES: number = 4 * 1024 * 1024;

/**
 * A cut is a place of which is known how much of the compressed stream makes all before it. No decoder can start there, but
 * one that is to stop there needs no more.
 */
export interface CutOptions {
  /** Aim at a cut every so many plain bytes. */
  readonly everyBytes: number;
  /**
   * The compressed bits before `compressedBitOffset` make the plain bytes before `plainOffset`, which have been written.
   * Ascending, not at 0, as often as the stream allows; named as soon as a checkpoint.
   */
  readonly onCut: (plainOffset: number, compressedBitOffset: number) => void;
}

/** What a scan is asked to do. */
export interface ScanOptions {
  /** How checkpoints are chosen, by codecs that have a choice. */
  readonly strategy: StrategyName;
  /** Default kernel. */
  readonly inflate?: InflateName | undefined;
  /** Aim at a checkpoint every so many plain bytes. */
  readonly spacingBytes: number;
  /** Where the plain bytes go. */
  readonly sink: PlainSink;
  /** Default none. */
  readonly cuts?: CutOptions | undefined;
  /**
   * Each checkpoint as it is made, the first during the first push or `finish`: it is `start` at 0. Plain offsets
   * ascend strictly; only the last, `final`, equals the one before where the stream is empty. Its `window` may be put
   * there later, at the latest before the next checkpoint is told of: what it has to keep is known only then.
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

/** A checkpoint as a decoder wants it: the window is at its full length, bytes that are not kept have any value. */
export interface DecodeStart extends Omit<Checkpoint, "kind" | "window"> {
  /** Oldest byte first; gzip: at most 32,768 bytes, zstd: at most 8 MiB. */
  readonly window: Uint8Array;
}

/** What a decoder is asked to do. */
export interface DecodeOptions {
  /** Default kernel. */
  readonly inflate?: InflateName | undefined;
  /** Where to start. `kind` is of no meaning here. */
  readonly from: DecodeStart;
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
