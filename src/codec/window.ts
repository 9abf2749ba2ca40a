/** Of the plain bytes before a checkpoint, those that a decoder starting there may copy from. */
export interface Window {
  /** How far back it reaches: bytes before the checkpoint's place in the compressed stream; at most 32,768 in gzip, 8 MiB in zstd. */
  readonly lengthBytes: number;
  /**
   * The parts that are kept, as pairs of start and length, ascending and apart; starts count from the oldest byte.
   * Output up to the next checkpoint refers to nothing outside them.
   */
  readonly runs: Uint32Array;
  /** The bytes of the parts, end to end. */
  readonly bytes: Uint8Array;
}

/** The window of places that need none. */
export const NO_WINDOW: Window = { lengthBytes: 0, runs: new Uint32Array(0), bytes: new Uint8Array(0) };

/** Gaps of up to so many bytes cost less when they are kept than as two parts. */
const MAX_KEPT_GAP_BYTES = 3;

/** A window that keeps every byte; `bytes` are copied. */
export function wholeWindow(bytes: Uint8Array): Window {
  if (bytes.length === 0) return NO_WINDOW;
  return { lengthBytes: bytes.length, runs: Uint32Array.of(0, bytes.length), bytes: bytes.slice() };
}

/**
 * A window that keeps what `map` marks, and the last `keptLastBytes`. Its length is that of what lies between the
 * oldest byte kept and the place.
 * @param history The plain bytes before the place, oldest first; copied.
 * @param map A bit a byte, from the lowest of each: the last of its bits is for the last byte of the history.
 */
export function markedWindow(history: Uint8Array, map: Uint8Array, keptLastBytes: number): Window {
  const starts: number[] = [];
  const ends: number[] = [];
  const keep = (from: number, endExclusive: number) => {
    if (ends.length > 0 && from - ends.at(-1)! <= MAX_KEPT_GAP_BYTES) {
      ends[ends.length - 1] = Math.max(ends.at(-1)!, endExclusive);
    } else {
      starts.push(from);
      ends.push(endExclusive);
    }
  };
  const firstBit = map.length * 8 - history.length;
  for (let bit = firstBit; bit < map.length * 8 - keptLastBytes;) {
    const bits = map[bit >> 3]!;
    if (bits === 0) {
      bit = (bit | 7) + 1;
      continue;
    }
    if ((bits & (1 << (bit & 7))) !== 0) keep(bit - firstBit, bit - firstBit + 1);
    bit++;
  }
  if (keptLastBytes > 0) keep(history.length - keptLastBytes, history.length);
  if (starts.length === 0) return NO_WINDOW;
  const origin = starts[0]!;
  const runs = new Uint32Array(starts.length * 2);
  const bytes = new Uint8Array(ends.reduce((sum, end, i) => sum + end - starts[i]!, 0));
  let filled = 0;
  starts.forEach((start, i) => {
    runs[2 * i] = start - origin;
    runs[2 * i + 1] = ends[i]! - start;
    bytes.set(history.subarray(start, ends[i]!), filled);
    filled += ends[i]! - start;
  });
  return { lengthBytes: history.length - origin, runs, bytes };
}

/** The window at its full length for a decoder; bytes that are not kept are `fill`. */
export function expandWindow({ lengthBytes, runs, bytes }: Window, fill = 0): Uint8Array<ArrayBuffer> {
  const window = new Uint8Array(lengthBytes).fill(fill);
  let taken = 0;
  for (let i = 0; i < runs.length; i += 2) {
    window.set(bytes.subarray(taken, taken + runs[i + 1]!), runs[i]!);
    taken += runs[i + 1]!;
  }
  return window;
}
