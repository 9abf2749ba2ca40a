/*
 * The log of matches, and what can be told from it: how much the output behind a place refers to what is before it, and
 * to which bytes. Only direct references count, and that is enough: a byte that derives from a window over several
 * copies derives from one that was copied out of the window directly, and that one counts. 32 KiB behind a place
 * nothing can reach back over it any more: what the log tells of it is final.
 *
 * An entry (12 bytes) is a match: where it was written (plain offset), where the symbol after it begins (compressed bit
 * offset), and (distance << 9) | length. So each is a place at which a decoder could start, too. Offsets are kept modulo
 * 2^32: what is compared is always near.
 *
 * That it is a log, not counters in the fast loop, keeps the loop short: two stores a match. And any place can be asked
 * about after the fact, when it is known to be a good one.
 */
import {
  CELL_BITS,
  CELL_COUNT,
  CELLS,
  INPUT,
  LOG,
  LOG_BYTES,
  LOG_ENTRY_BYTES,
  LOG_REACH_BYTES,
  LOG_RUN_BYTES,
  LOG_TIDY_BYTES,
  MAP,
  MAP_BYTES,
  MAX_DISTANCE,
  MAX_LENGTH,
  NEAR,
  OUTPUT,
} from "./layout";
import {
  inputOffset,
  isLogging,
  loggedSince,
  logEnd,
  out,
  outputOffset,
  setIsLogging,
  setLogEnd,
  setLoggedSince,
  setTally,
  tallied,
  tallyOrigin,
} from "./state";

/** What a part of a window costs besides its bytes, in window bytes: two numbers, which deflate less well. */
const PART_COST: u32 = 4;

/** What to add to an address in OUTPUT for its plain offset. */
export function plainBias(): u32 {
  return <u32><i64>outputOffset - OUTPUT;
}

/** What to add to a bit position in INPUT for its compressed bit offset. */
export function bitBias(): u32 {
  return <u32>(<i64>inputOffset << 3) - (INPUT << 3);
}

/** Logs the matches from here on; forgets those before. */
export function startLog(): void {
  setIsLogging(true);
  setLogEnd(LOG);
  setLoggedSince(out + plainBias());
  setTally(0, 0);
}

/** Logs no more. */
export function stopLog(): void {
  setIsLogging(false);
}

/** Adds a match written to address `to`, after which comes bit `position`. There is room for it: see `tidyLog`. */
// @ts-ignore: decorator
@inline
export function logMatch(to: u32, position: u32, distance: u32, length: u32): void {
  store<u32>(logEnd, to + plainBias());
  store<u32>(logEnd, position + bitBias(), 4);
  store<u32>(logEnd, (distance << 9) | length, 8);
  setLogEnd(logEnd + LOG_ENTRY_BYTES);
}

/**
 * Makes sure that there is room for the matches of the next LOG_RUN_BYTES of output: forgets those further back than
 * LOG_REACH_BYTES.
 */
export function tidyLog(): void {
  if (logEnd < LOG + LOG_TIDY_BYTES) return;
  tally();
  const since = out + plainBias() - LOG_REACH_BYTES;
  const from = firstEntry(since);
  // Where matches are dense, all of the log is recent: what room there is is used up before it is moved.
  const hasRoom = logEnd + (LOG_RUN_BYTES / 3 + 1) * LOG_ENTRY_BYTES <= LOG + LOG_BYTES;
  if (hasRoom && from - LOG < LOG_TIDY_BYTES / 4) return;
  memory.copy(LOG, from, logEnd - from);
  setLogEnd(logEnd - (from - LOG));
  if (tallied != 0) setTally(logEnd, tallyOrigin);
  if (<i32>(since - loggedSince) > 0) setLoggedSince(since);
}

/** The first entry of a match written at or behind plain offset `least`. */
function firstEntry(least: u32): u32 {
  let low: u32 = 0;
  let high: u32 = (logEnd - LOG) / LOG_ENTRY_BYTES;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (<i32>(load<u32>(LOG + middle * LOG_ENTRY_BYTES) - least) < 0) low = middle + 1;
    else high = middle;
  }
  return LOG + low * LOG_ENTRY_BYTES;
}

/** Weighs places from the next plain byte on, one each CELL_BYTES: see `tally`. */
export function startTally(): void {
  memory.fill(CELLS, 0, (CELL_COUNT + 1) << 2);
  setTally(logEnd, out + plainBias());
}

/**
 * Adds what has been logged to the weights: the sum of CELLS[0] to CELLS[i] is that of the place i cells behind the
 * start of the tally: what matches behind it copy from before it. Final once 32 KiB behind it have been made.
 */
export function tally(): void {
  if (tallied == 0) return;
  let at = tallied;
  for (; at < logEnd; at += LOG_ENTRY_BYTES) {
    const to = load<u32>(at) - tallyOrigin;
    const packed = load<u32>(at, 8);
    const length = packed & 511;
    // It weighs on the places from the end of its source to where it is written.
    const sourceEnd: i32 = to - (packed >> 9) + length;
    const end: u32 = min(to >> CELL_BITS, CELL_COUNT - 1) + 1;
    const first: u32 = min(<u32>max(sourceEnd + (1 << CELL_BITS) - 1, 0) >> CELL_BITS, end);
    addTo(CELLS + (first << 2), length + PART_COST);
    addTo(CELLS + (end << 2), -(length + PART_COST));
  }
  setTally(at, tallyOrigin);
}

// @ts-ignore: decorator
@inline
function addTo(at: u32, value: u32): void {
  store<u32>(at, load<u32>(at) + value);
}

/**
 * The address of the entry behind whose match, of all that end less than half a cell from plain offset `middle`, is the
 * place of least weight; 0 where none does.
 */
export function lightestNear(middle: u32): u32 {
  const size: u32 = 1 << CELL_BITS;
  const base = middle - (size >> 1);
  memory.fill(NEAR, 0, (size + 1) << 2);
  const first = firstEntry(base - MAX_LENGTH);
  let lastPlace: u32 = first;
  for (let at = first; at < logEnd; at += LOG_ENTRY_BYTES) {
    const to: i32 = load<u32>(at) - base;
    if (to >= <i32>(size + MAX_DISTANCE)) break;
    const packed = load<u32>(at, 8);
    const length = packed & 511;
    if (to + <i32>length < <i32>size) lastPlace = at + LOG_ENTRY_BYTES;
    const end: u32 = min(<u32>max(to + 1, 0), size);
    const from: u32 = min(<u32>max(to - <i32>(packed >> 9) + <i32>length, 0), end);
    addTo(NEAR + (from << 2), length + PART_COST);
    addTo(NEAR + (end << 2), -(length + PART_COST));
  }
  let best: u32 = 0;
  let least: u32 = u32.MAX_VALUE;
  let weight: u32 = 0;
  let summed: u32 = 0;
  for (let at = first; at < lastPlace; at += LOG_ENTRY_BYTES) {
    const place: i32 = load<u32>(at) + (load<u32>(at, 8) & 511) - base;
    if (place < 0) continue;
    for (; summed <= <u32>place; summed++) weight += load<u32>(NEAR + (summed << 2));
    if (weight < least) {
      least = weight;
      best = at;
    }
  }
  return best;
}

/**
 * Marks in MAP which of the 32 KiB before plain offset `point`, a place, the 32 KiB behind it refer to, as far as they
 * have been made: bit i & 7 of byte i >> 3 is for the byte 32,768 − i before it. Returns the weight of what is marked:
 * its bytes, and PART_COST for each part; −1 where the log does not go back so far.
 */
export function mark(point: u32): i32 {
  if (!isLogging || <i32>(point - loggedSince) < 0) return -1;
  memory.fill(MAP, 0, MAP_BYTES);
  for (let at = firstEntry(point); at < logEnd; at += LOG_ENTRY_BYTES) {
    const to = load<u32>(at) - point;
    if (to >= MAX_DISTANCE) break;
    const packed = load<u32>(at, 8);
    const before: i32 = (packed >> 9) - to;
    if (before > 0) setBits(MAX_DISTANCE - before, min(packed & 511, before));
  }
  let last: u64 = 0;
  let weight: u64 = 0;
  for (let i: u32 = 0; i < MAP_BYTES; i += 8) {
    const bits = load<u64>(MAP + i);
    weight += popcnt(bits) + PART_COST * popcnt(bits & ~((bits << 1) | (last >> 63)));
    last = bits;
  }
  return <i32>weight;
}

/** Sets bits [first, first + count) of MAP, 0 < count ≤ 258. */
function setBits(first: u32, count: u32): void {
  let at = MAP + ((first >> 6) << 3);
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

/** Address of MAP. */
export function mapAddress(): u32 {
  return MAP;
}

/** Address of CELLS. */
export function cellsAddress(): u32 {
  return CELLS;
}
