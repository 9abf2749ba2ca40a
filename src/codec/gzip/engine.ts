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
} as const;

/** One of the values of the table of the same name. */
export type InflateStop = (typeof InflateStop)[keyof typeof InflateStop];

/** As far back as deflate data may refer, and as much as a checkpoint's window holds. Source: RFC 1951, section 2. */
export const HISTORY_BYTES = 32768;

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
  /** How many bytes the last `inflate` took from its input. */
  readonly consumed: number;
  /** After `blockEnd`: how many high bits of the last byte taken belong to what follows, 0 to 7. Otherwise 0. */
  readonly unusedBits: number;
  /** After `bad`: the decoder's own words. */
  readonly problem: string;
  /**
   * Forgets everything and stands before a block. `window` (copied) is the output before it, at most HISTORY_BYTES;
   * `usedBits`, 0 to 7, is how many low bits of the first input byte belong to what came before. `outputEnd` becomes
   * `window.length`.
   */
  start(options: { window: Uint8Array; usedBits: number }): void;
  /** Decodes input[at, endExclusive) until one of the reasons to stop; never keeps `input`. */
  inflate(input: Uint8Array, at: number, endExclusive: number): InflateStop;
  /** Makes room: forgets all output but the newest HISTORY_BYTES, which move to the front of `output`. */
  slide(): void;
}
