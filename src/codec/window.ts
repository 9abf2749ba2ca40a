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
  /** The starts of the parts and their ends, exclusive, in turn. */
  const edges: number[] = [];
  const keep = (from: number, endExclusive: number) => {
    if (edges.length > 0 && from - edges.at(-1)! <= MAX_KEPT_GAP_BYTES) edges[edges.length - 1] = endExclusive;
    else edges.push(from, endExclusive);
  };
  const firstBit = map.length * 8 - history.length;
  const endBit = map.length * 8 - keptLastBytes;
  for (let bit = nextBit(map, firstBit, endBit, 0); bit < endBit;) {
    const end = nextBit(map, bit, endBit, ALL_BITS);
    keep(bit - firstBit, end - firstBit);
    bit = nextBit(map, end, endBit, 0);
  }
  if (keptLastBytes > 0) keep(history.length - keptLastBytes, history.length);
  if (edges.length === 0) return NO_WINDOW;
  const origin = edges[0]!;
  const runs = new Uint32Array(edges.length);
  for (let i = 0; i < edges.length; i += 2) {
    runs[i] = edges[i]! - origin;
    runs[i + 1] = edges[i + 1]! - edges[i]!;
  }
  return { lengthBytes: history.length - origin, runs, bytes: joinParts(history, edges) };
}

const ALL_BITS = 0xff;

/** The first bit from `from` on that `map` has, its bytes changed by `flip`, or else `endExclusive`. */
function nextBit(map: Uint8Array, from: number, endExclusive: number, flip: number): number {
  for (let bit = from; bit < endExclusive; bit = (bit | 7) + 1) {
    const bits = (map[bit >> 3]! ^ flip) >> (bit & 7);
    if (bits !== 0) return Math.min(bit + 31 - Math.clz32(bits & -bits), endExclusive);
  }
  return endExclusive;
}

/** What is between each start and end, end to end. */
function joinParts(history: Uint8Array, edges: readonly number[]): Uint8Array {
  let length = 0;
  for (let i = 0; i < edges.length; i += 2) length += edges[i + 1]! - edges[i]!;
  const bytes = new Uint8Array(length);
  let filled = 0;
  for (let i = 0; i < edges.length; i += 2) {
    // Most have a few bytes: a call for each would take longer.
    for (let at = edges[i]!; at < edges[i + 1]!; at++) bytes[filled++] = history[at]!;
  }
  return bytes;
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
