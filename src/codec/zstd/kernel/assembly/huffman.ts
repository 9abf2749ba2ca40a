/* Literals coded by Huffman codes. Source: RFC 8878, sections 4.2 and 3.1.1.3.1. */
import { accuracyBits, makeTable, readDistribution } from "./fse";
import { HUFFMAN, HUFFMAN_BITS, RANKS, WEIGHT_BITS, WEIGHT_MEANINGS, WEIGHT_TABLE, WEIGHTS } from "./layout";
import { BAD_HUFFMAN_WEIGHTS, BAD_LITERALS } from "./status";

const MAX_WEIGHTS: u32 = 255;
/** Bits of the longest code in HUFFMAN; 0 before there is any. */
let tableBits: u32 = 0;

export function hasHuffmanTable(): bool {
  return tableBits != 0;
}

export function forgetHuffmanTable(): void {
  tableBits = 0;
}

/** Position, in bits from the start, of the mark that ends a stream read backwards; −1 where there is none. */
@inline
export function markOf(at: u32, bytes: u32): i32 {
  const last = <u32>load<u8>(at + bytes - 1);
  return last == 0 ? -1 : <i32>(((bytes - 1) << 3) + 31 - clz(last));
}

/** `count` bits, at most 32, that end before bit `position` of the stream at `at`; those before its start are zero. */
@inline
function bitsBefore(at: u32, position: i32, count: u32): u32 {
  const from = position - <i32>count;
  if (from >= 0) return <u32>(load<u64>(at + (from >> 3)) >> (from & 7)) & ((1 << count) - 1);
  if (position <= 0) return 0;
  return <u32>((load<u64>(at) & ((<u64>1 << position) - 1)) << -from);
}

/** Reads the description of a code from [at, end) and makes its table; the bytes it took, or a refusal. */
export function readHuffman(at: u32, end: u32): i32 {
  if (at >= end) return BAD_HUFFMAN_WEIGHTS;
  const head = <u32>load<u8>(at);
  let count: u32;
  let used: u32;
  if (head >= 128) {
    count = head - 127;
    used = 1 + ((count + 1) >> 1);
    if (at + used > end) return BAD_HUFFMAN_WEIGHTS;
    for (let i: u32 = 0; i < count; i++) {
      const pair = <u32>load<u8>(at + 1 + (i >> 1));
      store<u8>(WEIGHTS + i, (i & 1) == 0 ? pair >> 4 : pair & 15);
    }
  } else {
    used = 1 + head;
    if (at + used > end) return BAD_HUFFMAN_WEIGHTS;
    const decoded = readWeights(at + 1, at + used);
    if (decoded < 0) return decoded;
    count = decoded;
  }
  return makeHuffman(count) ? <i32>used : BAD_HUFFMAN_WEIGHTS;
}

/** Weights in an FSE stream; how many. */
function readWeights(start: u32, end: u32): i32 {
  const taken = readDistribution(start, end, 255, WEIGHT_BITS);
  if (taken < 0) return BAD_HUFFMAN_WEIGHTS;
  const at = start + taken;
  if (at >= end) return BAD_HUFFMAN_WEIGHTS;
  makeTable(WEIGHT_TABLE, WEIGHT_MEANINGS);
  let position = markOf(at, end - at);
  const bits = accuracyBits;
  if (position < <i32>(2 * bits)) return BAD_HUFFMAN_WEIGHTS;
  let first = bitsBefore(at, position, bits);
  position -= bits;
  let second = bitsBefore(at, position, bits);
  position -= bits;
  let count: u32 = 0;
  // Two states take turns; when the bits run out, the one whose turn it is not has the last symbol.
  while (count <= MAX_WEIGHTS - 2) {
    const entry = load<u64>(WEIGHT_TABLE + (first << 3));
    store<u8>(WEIGHTS + count++, <u32>entry);
    const wanted = <u32>(entry >> 48) & 0xff;
    const next = (<u32>(entry >> 32) & 0xffff) + bitsBefore(at, position, wanted);
    position -= wanted;
    first = second;
    if (position < 0) {
      store<u8>(WEIGHTS + count++, <u32>load<u64>(WEIGHT_TABLE + (first << 3)));
      return count;
    }
    second = next;
  }
  return BAD_HUFFMAN_WEIGHTS;
}

/** Makes the table of the code whose first `given` weights are in WEIGHTS; false where they make no complete code. */
function makeHuffman(given: u32): bool {
  memory.fill(RANKS, 0, 64);
  let total: u32 = 0;
  for (let i: u32 = 0; i < given; i++) {
    const weight = <u32>load<u8>(WEIGHTS + i);
    if (weight > HUFFMAN_BITS) return false;
    if (weight == 0) continue;
    total += 1 << (weight - 1);
    const rank = RANKS + (weight << 2);
    store<u32>(rank, load<u32>(rank) + 1);
  }
  if (total == 0) return false;
  const bits: u32 = 32 - clz(total);
  if (bits > HUFFMAN_BITS) return false;
  // The last weight is what is missing to a power of two.
  const left = (<u32>1 << bits) - total;
  if (popcnt(left) != 1) return false;
  const last = ctz(left) + 1;
  store<u8>(WEIGHTS + given, last);
  store<u32>(RANKS + (last << 2), load<u32>(RANKS + (last << 2)) + 1);
  const longest = load<u32>(RANKS + 4);
  if (longest < 2 || (longest & 1) != 0) return false;
  let next: u32 = 0;
  for (let weight: u32 = 1; weight <= bits; weight++) {
    const symbols = load<u32>(RANKS + (weight << 2));
    store<u32>(RANKS + (weight << 2), next);
    next += symbols << (weight - 1);
  }
  for (let symbol: u32 = 0; symbol <= given; symbol++) {
    const weight = <u32>load<u8>(WEIGHTS + symbol);
    if (weight == 0) continue;
    const rank = RANKS + (weight << 2);
    const from = load<u32>(rank);
    const entries: u32 = 1 << (weight - 1);
    store<u32>(rank, from + entries);
    const entry = symbol | ((bits + 1 - weight) << 8);
    for (let i = from; i < from + entries; i++) store<u16>(HUFFMAN + (i << 1), entry);
  }
  tableBits = bits;
  return true;
}

/** The bits before `position`, at least 56 of them, from the highest bit of the result down. Reads up to 8 bytes before `at`. */
@inline
export function top(at: u32, position: i32): u64 {
  const from = (position - 56) >> 3;
  return load<u64>(at + from) << (64 - (position - (from << 3)));
}

/** Decodes one stream of `bytes` bytes to [to, end); false where it does not hold just that. */
export function decodeStream(at: u32, bytes: u32, to: u32, end: u32): bool {
  if (bytes == 0) return false;
  return finishStream(at, markOf(at, bytes), to, end);
}

function finishStream(at: u32, mark: i32, to: u32, end: u32): bool {
  let position = mark;
  const shift: u64 = 64 - <u64>tableBits;
  while (to < end) {
    // Bits before the stream's start are read too; a code that would take them is found out by the count.
    if (position <= 0) return false;
    const entry = <u32>load<u16>(<u32>(top(at, position) >> shift) << 1, HUFFMAN);
    store<u8>(to++, entry);
    position -= entry >> 8;
  }
  return position == 0;
}

/**
 * Decodes the four streams in [at, end), after their table of lengths, to [to, to + bytes).
 * 0, or a refusal. SLACK_BYTES before `at` may be read.
 */
export function decodeFourStreams(at: u32, end: u32, to: u32, bytes: u32): i32 {
  if (end - at < 10) return BAD_LITERALS;
  const bytes1 = <u32>load<u16>(at);
  const bytes2 = <u32>load<u16>(at, 2);
  const bytes3 = <u32>load<u16>(at, 4);
  const at1 = at + 6;
  const at2 = at1 + bytes1;
  const at3 = at2 + bytes2;
  const at4 = at3 + bytes3;
  if (bytes1 == 0 || bytes2 == 0 || bytes3 == 0 || at4 >= end) return BAD_LITERALS;
  const part: u32 = (bytes + 3) >> 2;
  if (part * 3 > bytes) return BAD_LITERALS;
  let position1 = markOf(at1, bytes1);
  let position2 = markOf(at2, bytes2);
  let position3 = markOf(at3, bytes3);
  let position4 = markOf(at4, end - at4);
  let to1 = to;
  const shift: u64 = 64 - <u64>tableBits;
  // Five symbols take at most 55 bits. The last part is the shortest.
  const safe = bytes - 3 * part < 5 ? to : to + bytes - 3 * part - 5;
  while (to1 < safe) {
    if (position1 < 56 || position2 < 56 || position3 < 56 || position4 < 56) break;
    let bits1 = top(at1, position1);
    let bits2 = top(at2, position2);
    let bits3 = top(at3, position3);
    let bits4 = top(at4, position4);
    for (let i: u32 = 0; i < 5; i++) {
      const entry1 = <u32>load<u16>(<u32>(bits1 >> shift) << 1, HUFFMAN);
      const entry2 = <u32>load<u16>(<u32>(bits2 >> shift) << 1, HUFFMAN);
      const entry3 = <u32>load<u16>(<u32>(bits3 >> shift) << 1, HUFFMAN);
      const entry4 = <u32>load<u16>(<u32>(bits4 >> shift) << 1, HUFFMAN);
      store<u8>(to1, entry1);
      store<u8>(to1 + part, entry2);
      store<u8>(to1 + 2 * part, entry3);
      store<u8>(to1 + 3 * part, entry4);
      to1++;
      bits1 <<= <u64>(entry1 >> 8);
      bits2 <<= <u64>(entry2 >> 8);
      bits3 <<= <u64>(entry3 >> 8);
      bits4 <<= <u64>(entry4 >> 8);
      position1 -= entry1 >> 8;
      position2 -= entry2 >> 8;
      position3 -= entry3 >> 8;
      position4 -= entry4 >> 8;
    }
  }
  const good = finishStream(at1, position1, to1, to + part) &&
    finishStream(at2, position2, to1 + part, to + 2 * part) &&
    finishStream(at3, position3, to1 + 2 * part, to + 3 * part) &&
    finishStream(at4, position4, to1 + 3 * part, to + bytes);
  return good ? 0 : BAD_LITERALS;
}
