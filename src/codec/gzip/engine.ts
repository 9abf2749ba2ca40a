/** How an engine stopped. */
export const InflateStop = {
  /** All input was taken; more is needed. */
  input: 0,
  /** The output buffer is full: `slide` must be called before the next `inflate`. */
  output: 1,
  /** Between two blocks: a decoder could start here. */
  blockEnd: 2,
  /** After the final block of the stream. What follows starts at the next whole byte. */
  streamEnd: 3,
  /** The input is no deflate stream; `problem` says why. The engine must be started anew. */
  bad: 4,
  /** At the limit, or past it by less than a match, between two symbols of a block: a decoder could start here. */
  limit: 5,
} as const;

/** One of the values of the table of the same name. */
export type InflateStop = (typeof InflateStop)[keyof typeof InflateStop];

/** As far back as deflate data may refer, and as much as a checkpoint's window holds. Source: RFC 1951, section 2. */
export const HISTORY_BYTES = 32768;

/** How far back the log of an engine with `symbols` tells of places. */
export const LOG_REACH_BYTES = 128 * 1024;
/** The distance of the places that it weighs. */
export const CELL_BYTES = 1024;
/** How many of them. */
export const CELL_COUNT = 2304;

/** Where an engine starts. */
export interface EngineStart {
  /** The output before, at most HISTORY_BYTES, oldest first; copied. `outputEnd` becomes its length. */
  readonly window: Uint8Array;
  /** Of the first bit to decode, from the start of the blob; the first input byte is the one that holds it. */
  readonly compressedBitOffset: number;
  /** Plain bytes before it, from the start of the layer. */
  readonly plainOffset: number;
  /** The block in whose middle that bit is; undefined between two blocks. */
  readonly block?: { readonly headerBitOffset: number; readonly header: Uint8Array } | undefined;
}

/**
 * A decoder of raw deflate data that stops at block ends. It knows nothing of gzip members, checkpoints and sums, so
 * that a faster one can take its place by implementing these few members.
 *
 * The engine owns the output buffer. Bytes [0, outputEnd) of it are valid; the newest are at the end, and at least
 * HISTORY_BYTES of the stream's output (or all there is) come before them without a gap, so that a window is a slice.
 */
export interface InflateEngine {
  /** The plain bytes; to be read only. An engine may replace it in any call (memory that grows). */
  readonly output: Uint8Array;
  /** The position in `output` after the newest byte. */
  readonly outputEnd: number;
  /**
   * How many bytes the last `inflate` took from its input. After `streamEnd` it may be negative: that many bytes taken
   * by earlier calls, of the same input, are given back.
   */
  readonly consumed: number;
  /** Compressed bits before the next one, from the start of the blob. */
  readonly bitOffset: number;
  /** After `bad`, or a refused start: the decoder's own words. */
  readonly problem: string;
  /** What only an engine that sees single symbols can do; undefined in others. */
  readonly symbols: SymbolSense | undefined;
  /** Forgets everything and stands at a place. False, and `problem` is set, where no decoder can start there. */
  start(place: EngineStart): boolean;
  /**
   * Decodes input[at, endExclusive) until one of the reasons to stop; never keeps `input` beyond the stop for more
   * input, and may hold what it took until then: call again with what is left, which may be nothing, until it asks for
   * more. `limit` is a plain offset to stop at; engines without `symbols` ignore it.
   */
  inflate(input: Uint8Array, at: number, endExclusive: number, limit: number): InflateStop;
  /**
   * Makes room: forgets all output but the newest, which moves to the front of `output`. Kept are HISTORY_BYTES, and
   * LOG_REACH_BYTES besides while an engine logs: the windows of all places that the log tells of.
   */
  slide(): void;
}

/** Looks between single symbols. */
export interface SymbolSense {
  /** Whether the engine stands inside a block. */
  readonly isInBlock: boolean;
  /**
   * How many of the bytes `header`, which begin with the one that holds bit `headerBitOffset`, the header of that block
   * takes. Some microseconds.
   */
  headerBytes(header: Uint8Array, headerBitOffset: number): number;
  /**
   * Logs from here on what is referred to, until `stopLog` or a start, and forgets what it has logged: places behind
   * this one can then be asked about, until LOG_REACH_BYTES more have been made. The answers are final HISTORY_BYTES
   * behind a place.
   */
  startLog(): void;
  /** Logs no more. */
  stopLog(): void;
  /** While logging: weighs CELL_COUNT places from here on, one each CELL_BYTES. */
  startTally(): void;
  /**
   * The tally, up to date. The sum of its first i + 1 numbers is the weight of the place i · CELL_BYTES behind its
   * start: about what `mark` makes of it, those bytes that are referred to several times counted as often. A view.
   */
  tally(): Int32Array;
  /** The lightest place between two symbols less than half of CELL_BYTES from `plainOffset`, if any is known. */
  lightestNear(plainOffset: number): SymbolPlace | undefined;
  /**
   * Marks in `marks` which of the HISTORY_BYTES before a place the output behind it refers to. Returns its weight: how
   * many bytes are marked, and some for each part that they lie in.
   */
  mark(plainOffset: number): number;
  /** Bit i % 8 of byte i >> 3 is for byte i of the HISTORY_BYTES before the place, oldest first. */
  readonly marks: Uint8Array;
}

/** Where a symbol begins. */
export interface SymbolPlace {
  readonly plainOffset: number;
  readonly compressedBitOffset: number;
}
