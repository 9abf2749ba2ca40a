/*
 * Decoding tables.
 *
 * A code has a table with subtables behind it. The first levels of both codes are then laid side by side (ENTRIES): one
 * index will do for both, and V8 checks one bound less. The bit buffer that makes the index is kept shifted left by three
 * ("scaled"), so that `bits & mask` is at once the offset of 8 bytes. Entries are made so that a symbol costs few
 * operations, most of all between one lookup and the next: the low 6 bits say how far to move, whatever the entry is.
 *
 *   literal    1·0000000·literal:8·00·000·code:5·00·code:6      the sign bit alone tells a literal
 *   length     00·extraMask:5·base:9·000·(code + 3):5·00·(code + extra):6
 *   distance   0·base:15·000·(code + 3):5·00·(code + extra):6
 *   subtable   0·address:15·11·indexBits:6·00·rootBits:6
 *   end        0·1·10·code:6·00·code:6
 *   invalid    0·0·10·code:6·00·code:6
 *
 * `code` counts the bits of the whole code, in a subtable too. (code + 3) is where the extra bits are in the scaled
 * buffer as it was before the code. A distance has no room for a mask of its extra bits, which is then made from
 * (code + extra). Bit 15 (ODD) is tested once a match for the last kinds.
 */
import {
  COUNTS,
  DISTANCE,
  DISTANCE_BITS,
  DISTANCE_MEANINGS,
  ENTRIES,
  LENGTHS,
  LITLEN,
  LITLEN_BITS,
  LITLEN_MEANINGS,
  OFFSETS,
  PATTERNS,
  PRECODE_MEANINGS,
  PRECODE_ORDER,
  SORTED,
  STRIDES,
} from "./layout";
import { SCALE } from "./entries";
import { holdsFixedCodes, setHoldsFixedCodes } from "./state";

/** Subtable, end of block or invalid. */
export const ODD: i32 = 1 << 15;
/** Of those, subtable. */
export const SUBTABLE: i32 = 1 << 14;
/** Of those, end of block. */
export const END: i32 = 1 << 16;
/** A code that stands for nothing. In the precode's table it reads as symbol 0: zlib's way with a precode without codes. */
const INVALID: i32 = ODD;

/** (SCALE << 8): what turns code into code + 3 in lengths and distances. */
const SCALED: u32 = SCALE << 8;

/** Fills what no stream changes. */
export function fillConstants(): void {
  for (let symbol: u32 = 0; symbol < 256; symbol++) litlenMeaning(symbol, i32.MIN_VALUE | (symbol << 16));
  litlenMeaning(256, ODD | END);
  let base: u32 = 3;
  for (let i: u32 = 0; i < 28; i++) {
    const extraBits: u32 = i < 8 ? 0 : (i >> 2) - 1;
    litlenMeaning(257 + i, (((1 << extraBits) - 1) << 25) | (base << 16) | SCALED | extraBits);
    base += 1 << extraBits;
  }
  litlenMeaning(285, (258 << 16) | SCALED);
  litlenMeaning(286, INVALID);
  litlenMeaning(287, INVALID);
  base = 1;
  for (let i: u32 = 0; i < 30; i++) {
    const extraBits: u32 = i < 4 ? 0 : (i >> 1) - 1;
    store<u32>(DISTANCE_MEANINGS + (i << 2), (base << 16) | SCALED | extraBits);
    base += 1 << extraBits;
  }
  store<u64>(DISTANCE_MEANINGS + 120, <u64>INVALID << 32 | INVALID);
  for (let i: u32 = 0; i < 19; i++) store<u32>(PRECODE_MEANINGS + (i << 2), i << 16);
  for (let distance: u32 = 1; distance < 16; distance++) {
    for (let i: u32 = 0; i < 16; i++) store<u8>(PATTERNS + distance * 16 + i, i % distance);
    store<u8>(STRIDES + distance, 16 - 16 % distance);
  }
  // 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
  store<u32>(PRECODE_ORDER, 0x00121110);
  store<u32>(PRECODE_ORDER + 4, 0x06090708);
  store<u32>(PRECODE_ORDER + 8, 0x040b050a);
  store<u32>(PRECODE_ORDER + 12, 0x020d030c);
  store<u32>(PRECODE_ORDER + 16, 0x000f010e);
}

function litlenMeaning(symbol: u32, value: i32): void {
  store<i32>(LITLEN_MEANINGS + (symbol << 2), value);
}

/** Builds the tables of the fixed codes, unless the tables hold them already. Source: RFC 1951, 3.2.6. */
export function buildFixedTables(): void {
  if (holdsFixedCodes) return;
  memory.fill(LENGTHS, 8, 144);
  memory.fill(LENGTHS + 144, 9, 112);
  memory.fill(LENGTHS + 256, 7, 24);
  memory.fill(LENGTHS + 280, 8, 8);
  memory.fill(LENGTHS + 288, 5, 32);
  buildTable(LITLEN, LITLEN_BITS, LENGTHS, 288, LITLEN_MEANINGS, true);
  buildTable(DISTANCE, DISTANCE_BITS, LENGTHS + 288, 32, DISTANCE_MEANINGS, true);
  joinTables();
  setHoldsFixedCodes(true);
}

/**
 * Builds the table of the canonical code whose `symbolCount` code lengths lie at `lengths`; false where the lengths
 * make no code that zlib would take: over-subscribed, or incomplete other than no code at all or (`allowSingle`) one
 * code of one bit. Unused codes of those two become INVALID, of one bit. Source: RFC 1951, 3.2.2; zlib's inftrees.c
 * for what is refused.
 *
 * Deflate's codes come most significant bit first, so a table index is a code with its bits reversed. Codes are
 * handed out in order of length; `code` is the reversed code, and adding one to it carries downwards from its highest
 * bit. While the codes are no longer than the first level, only 2^length entries are filled; when the length grows by
 * one, what is there is doubled. (libdeflate's way.)
 */
export function buildTable(
  table: u32,
  rootBits: u32,
  lengths: u32,
  symbolCount: u32,
  meanings: u32,
  allowSingle: bool,
): bool {
  const used = sortSymbols(lengths, symbolCount);
  let sorted = SORTED + (load<u32>(COUNTS) << 1);
  if (used < 2) {
    const single = used == 1 && load<u32>(COUNTS + 4) == 1;
    if (used == 1 && !(single && allowSingle)) return false;
    const invalid: u32 = INVALID + 0x101;
    const entry = used == 1 ? load<u32>(meanings + (<u32>load<u16>(sorted) << 2)) + 0x101 : invalid;
    for (let i: u32 = 0; i < 1 << rootBits; i += 2) {
      store<u32>(table + (i << 2), entry);
      store<u32>(table + (i << 2), invalid, 4);
    }
    return true;
  }
  let left: i32 = 1;
  for (let length: u32 = 1; length < 16; length++) {
    left = (left << 1) - load<i32>(COUNTS + (length << 2));
    if (left < 0) return false;
  }
  if (left > 0) return false;

  let code: u32 = 0;
  let length: u32 = 1;
  while (load<u32>(COUNTS + (length << 2)) == 0) length++;
  // No code of so few symbols starts out longer than the first level's bits: it would be incomplete.
  let size: u32 = 1 << length;
  while (length <= rootBits) {
    const entryBits = length * 0x101;
    for (let count = load<u32>(COUNTS + (length << 2)); count > 0; count--) {
      const symbol: u32 = load<u16>(sorted);
      sorted += 2;
      store<u32>(table + (code << 2), load<u32>(meanings + (symbol << 2)) + entryBits);
      if (code == size - 1) {
        for (; length < rootBits; length++) size = double(table, size);
        return true;
      }
      code = nextCode(code, size - 1);
    }
    do {
      length++;
      if (length <= rootBits) size = double(table, size);
    } while (load<u32>(COUNTS + (length << 2)) == 0);
  }
  buildSubtables(table, rootBits, meanings, sorted, code, length);
  return true;
}

/** The codes longer than `rootBits`: `code` is the first of them, of `length` bits, its symbol at `sorted`. */
function buildSubtables(table: u32, rootBits: u32, meanings: u32, sorted: u32, code: u32, length: u32): void {
  const rootMask: u32 = (1 << rootBits) - 1;
  let end: u32 = table + (4 << rootBits);
  let start: u32 = end;
  let prefix: u32 = u32.MAX_VALUE;
  let left = load<u32>(COUNTS + (length << 2));
  while (true) {
    if ((code & rootMask) != prefix) {
      prefix = code & rootMask;
      start = end;
      // As many bits as it takes until the codes to come fill the subtable.
      let bits = length - rootBits;
      let room: i32 = (1 << bits) - left;
      while (room > 0) {
        bits++;
        room = (room << 1) - load<i32>(COUNTS + ((rootBits + bits) << 2));
      }
      end = start + (4 << bits);
      store<u32>(table + (prefix << 2), (start << 16) | ODD | SUBTABLE | (bits << 8) | rootBits);
    }
    const symbol: u32 = load<u16>(sorted);
    sorted += 2;
    const entry = load<u32>(meanings + (symbol << 2)) + length * 0x101;
    const step: u32 = 4 << (length - rootBits);
    for (let at = start + ((code >> rootBits) << 2); at < end; at += step) store<u32>(at, entry);
    const mask: u32 = (1 << length) - 1;
    if (code == mask) return;
    code = nextCode(code, mask);
    left--;
    while (left == 0) {
      length++;
      left = load<u32>(COUNTS + (length << 2));
    }
  }
}

/** Lays the first levels of both tables side by side, that of distances repeated as it is the shorter one. */
export function joinTables(): void {
  for (let i: u32 = 0; i < 1 << LITLEN_BITS; i += 4) {
    const litlen = v128.load(LITLEN + (i << 2));
    const distance = v128.load(DISTANCE + ((i & ((1 << DISTANCE_BITS) - 1)) << 2));
    v128.store(ENTRIES + (i << 3), v128.shuffle<u32>(litlen, distance, 0, 4, 1, 5));
    v128.store(ENTRIES + (i << 3), v128.shuffle<u32>(litlen, distance, 2, 6, 3, 7), 16);
  }
}

/** Copies the first `size` entries behind themselves; twice `size`. (In V8 memory.copy is a call, which takes longer.) */
// @ts-ignore: decorator
@inline
function double(table: u32, size: u32): u32 {
  const bytes = size << 2;
  for (let i: u32 = 0; i < bytes; i += 16) v128.store(table + bytes + i, v128.load(table + i));
  return size << 1;
}

/** The reversed code after `code`, which is not all ones; `mask` has a one for each of its bits. */
// @ts-ignore: decorator
@inline
function nextCode(code: u32, mask: u32): u32 {
  const bit: u32 = 0x80000000 >>> clz(code ^ mask);
  return (code & (bit - 1)) | bit;
}

/**
 * Fills COUNTS, and SORTED with the symbols by length and then by number, those without a code first; how many have one.
 */
function sortSymbols(lengths: u32, symbolCount: u32): u32 {
  for (let i: u32 = 0; i < 4 * 64; i += 16) v128.store(COUNTS + i, i64x2.splat(0));
  // Neighbours are mostly of one length: counted in turn in four places, they do not wait for each other.
  for (let symbol: u32 = 0; symbol < symbolCount; symbol++) {
    const at = COUNTS + ((symbol & 3) << 6) + (<u32>load<u8>(lengths + symbol) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
  for (let i: u32 = COUNTS; i < COUNTS + 64; i += 16) {
    const first = i32x4.add(v128.load(i), v128.load(i, 64));
    v128.store(i, i32x4.add(first, i32x4.add(v128.load(i, 128), v128.load(i, 192))));
  }
  let offset: u32 = SORTED;
  for (let length: u32 = 0; length < 16; length++) {
    store<u32>(OFFSETS + (length << 2), offset);
    offset += load<u32>(COUNTS + (length << 2)) << 1;
  }
  for (let symbol: u32 = 0; symbol < symbolCount; symbol++) {
    const at = OFFSETS + (<u32>load<u8>(lengths + symbol) << 2);
    const place = load<u32>(at);
    store<u16>(place, symbol);
    store<u32>(at, place + 2);
  }
  return symbolCount - load<u32>(COUNTS);
}
