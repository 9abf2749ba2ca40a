/*
 * Traces: which of the 32 KiB before a point the output after it refers to. Only direct references are marked, and
 * that is enough: a byte that derives from the window over several copies derives from one that was copied out of the
 * window directly, and that one was marked. 32 KiB past the point nothing can reach it any more: the trace is complete.
 */
import { MAX_DISTANCE, OUTPUT, TRACE_BYTES, TRACE_COUNT, TRACE_POINTS, TRACES } from "./layout";
import { blockStart, crossingBytes, historyStart, out, setCrossingBytes, setTraceBounds, tracesEnd } from "./state";

/** Starts a trace in `slot`, 0 ≤ slot < TRACE_COUNT, with the point at the next output byte. */
export function startTrace(slot: u32): void {
  store<u32>(TRACE_POINTS + (slot << 2), out);
  memory.fill(traceMap(slot), 0, TRACE_BYTES);
  findTraceBounds();
}

/** Ends the trace in `slot`; its bit map stays until the next one starts there. */
export function stopTrace(slot: u32): void {
  store<u32>(TRACE_POINTS + (slot << 2), 0);
  findTraceBounds();
}

/** Address of the bit map of `slot`: bit i (of byte i >> 3, from the lowest) is for the byte 32,768 − i before the point. */
export function traceMap(slot: u32): u32 {
  return TRACES + slot * TRACE_BYTES;
}

/** How many bytes the trace in `slot` has marked. */
export function tracedBytes(slot: u32): u32 {
  const map = traceMap(slot);
  let sum: u64 = 0;
  for (let i: u32 = 0; i < TRACE_BYTES; i += 8) sum += popcnt(load<u64>(map + i));
  return <u32>sum;
}

/** Moves the points along with the output, by `bytes` towards 0; ends the traces whose points leave it. */
export function moveTraces(bytes: u32): void {
  for (let slot: u32 = 0; slot < TRACE_COUNT; slot++) {
    const point = load<u32>(TRACE_POINTS + (slot << 2));
    if (point != 0) store<u32>(TRACE_POINTS + (slot << 2), point >= OUTPUT + bytes ? point - bytes : 0);
  }
  findTraceBounds();
}

/** Ends all traces: nothing that follows can refer to what came before. */
export function stopTraces(): void {
  memory.fill(TRACE_POINTS, 0, TRACE_COUNT << 2);
  setTraceBounds(0, 0, 0);
}

function findTraceBounds(): void {
  let highest: u32 = 0;
  let end: u32 = 0;
  for (let slot: u32 = 0; slot < TRACE_COUNT; slot++) {
    const point = load<u32>(TRACE_POINTS + (slot << 2));
    highest = max(highest, point);
    if (point != 0) end = slot + 1;
  }
  setTraceBounds(highest == 0 ? 0 : highest + MAX_DISTANCE, highest, end);
}

/**
 * Takes note of a match that copies `length` bytes from `from` to `out` or above; false where `from` lies
 * before the history. Since a match that starts before `blockStart` has written nothing yet, all its source bytes
 * before `blockStart` are that many distinct ones.
 */
export function noteMatch(from: u32, length: u32): bool {
  if (from < historyStart) return false;
  if (from < blockStart) setCrossingBytes(crossingBytes + min(length, blockStart - from));
  for (let slot: u32 = 0; slot < tracesEnd; slot++) {
    const point = load<u32>(TRACE_POINTS + (slot << 2));
    // `point` ≤ `out`, so that a source before it is at most 32 KiB before it.
    if (from < point) mark(traceMap(slot), from - (point - MAX_DISTANCE), min(length, point - from));
  }
  return true;
}

/** Sets bits [first, first + count) of a map, 0 < count ≤ 258. */
function mark(map: u32, first: u32, count: u32): void {
  let at = map + ((first >> 6) << 3);
  const shift = <u64>(first & 63);
  const head = min(count, 64 - (first & 63));
  store<u64>(at, load<u64>(at) | ((u64.MAX_VALUE >> (64 - head)) << shift));
  for (let left = count - head; left > 0;) {
    at += 8;
    const bits = min(left, 64);
    store<u64>(at, load<u64>(at) | (u64.MAX_VALUE >> (64 - bits)));
    left -= bits;
  }
}
