/* Which bytes before a point the output behind it refers to: one trace at a time. */

/** The point, an address; 0 when nothing is traced. Bytes before it are marked, by references from behind it. */
export let tracePoint: u32 = 0;
/** How many bytes are marked. */
export let tracedBytes: u32 = 0;
/** Address of the map. Bit i of it, from the lowest of each byte, is for the byte i + 1 before the point. */
let map: u32 = 0;
let mapBytes: u32 = 0;

/** Begins a trace at `point`; the map at `at` has room for `reach` bytes before it, rounded up to 64. */
export function beginTrace(point: u32, at: u32, reach: u32): void {
  tracePoint = point;
  tracedBytes = 0;
  map = at;
  mapBytes = ((reach + 63) >> 6) << 3;
  memory.fill(map, 0, mapBytes);
}

export function endTrace(): void {
  tracePoint = 0;
}

/** Output was moved down by `bytes`. */
export function moveTrace(bytes: u32): void {
  if (tracePoint != 0) tracePoint -= bytes;
}

/** Marks [from, end), of which what lies before the point counts. */
export function mark(from: u32, end: u32): void {
  const last = min(end, tracePoint);
  // Byte a is bit point − 1 − a: the range in bits is [point − last, point − from).
  let bit = tracePoint - last;
  const endBit = tracePoint - from;
  if (endBit > mapBytes << 3) return;
  while (bit < endBit) {
    const word = map + ((bit >> 6) << 3);
    const low = bit & 63;
    const count = min<u32>(64 - low, endBit - bit);
    const bits = (count == 64 ? <u64>-1 : (<u64>1 << count) - 1) << low;
    const old = load<u64>(word);
    tracedBytes += <u32>popcnt(bits & ~old);
    store<u64>(word, old | bits);
    bit += count;
  }
}
