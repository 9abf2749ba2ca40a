/* Sequences: so many literals, then a match. Source: RFC 8878, sections 3.1.1.3.2 and 3.1.1.5. */
import { copyMatch, copyWide } from "./copy";
import { accuracyBits, makeSingle, makeTable, readDistribution } from "./fse";
import { markOf, top } from "./huffman";
import {
  DEFAULT_LITERALS_LENGTHS,
  DEFAULT_MATCH_LENGTHS,
  DEFAULT_OFFSETS,
  DESCRIPTION_BYTES,
  DESCRIPTIONS,
  LITERALS_LENGTH_BITS,
  LITERALS_LENGTH_MEANINGS,
  LITERALS_LENGTHS,
  MATCH_LENGTH_BITS,
  MATCH_LENGTH_MEANINGS,
  MATCH_LENGTHS,
  OFFSET_BITS,
  OFFSET_MEANINGS,
  OFFSETS,
} from "./layout";
import { log, logBefore } from "./log";
import {
  blockLimitBytes,
  historyStart,
  out,
  recent1,
  recent2,
  recent3,
  setOut,
  setRecent,
  windowBytes,
} from "./state";
import {
  BAD_DISTRIBUTION,
  BAD_SEQUENCES,
  BAD_SEQUENCES_HEADER,
  NO_SEQUENCE_TABLE,
  OFFSET_TOO_FAR,
  TOO_MUCH_OUTPUT,
} from "./status";

/** How a table is described; 0: by default. */
const SINGLE: u32 = 1;
const DESCRIBED: u32 = 2;
const REPEAT: u32 = 3;

/** Table in use, its accuracy, and how it was described; address 0 where there is none yet. */
let literalsTable: u32 = 0;
let literalsBits: u32 = 0;
let offsetTable: u32 = 0;
let offsetBits: u32 = 0;
let matchTable: u32 = 0;
let matchBits: u32 = 0;

export function forgetTables(): void {
  literalsTable = 0;
  offsetTable = 0;
  matchTable = 0;
}

/** Slots of DESCRIPTIONS: how the table in use was described: mode u8, bytes u8, then the bytes. */
const LITERALS_LENGTH_SLOT: u32 = 0;
const OFFSET_SLOT: u32 = 1;
const MATCH_LENGTH_SLOT: u32 = 2;
/** Of the Huffman table; mode is not used. */
export const HUFFMAN_SLOT: u32 = 3;

export function describe(slot: u32, mode: u32, from: u32, bytes: u32): void {
  const at = DESCRIPTIONS + slot * DESCRIPTION_BYTES;
  store<u8>(at, mode);
  store<u8>(at, bytes, 1);
  memory.copy(at + 2, from, bytes);
}

/**
 * Reads one of the three tables as `mode` has it from [at, end); the bytes it took, or a refusal. `slot` says which.
 */
export function readTable(slot: u32, mode: u32, at: u32, end: u32): i32 {
  let table: u32;
  let meanings: u32;
  let maxSymbol: u32;
  let maxBits: u32;
  let defaultTable: u32;
  let defaultBits: u32;
  if (slot == LITERALS_LENGTH_SLOT) {
    table = LITERALS_LENGTHS;
    meanings = LITERALS_LENGTH_MEANINGS;
    maxSymbol = 35;
    maxBits = LITERALS_LENGTH_BITS;
    defaultTable = DEFAULT_LITERALS_LENGTHS;
    defaultBits = 6;
  } else if (slot == OFFSET_SLOT) {
    table = OFFSETS;
    meanings = OFFSET_MEANINGS;
    maxSymbol = 31;
    maxBits = OFFSET_BITS;
    defaultTable = DEFAULT_OFFSETS;
    defaultBits = 5;
  } else {
    table = MATCH_LENGTHS;
    meanings = MATCH_LENGTH_MEANINGS;
    maxSymbol = 52;
    maxBits = MATCH_LENGTH_BITS;
    defaultTable = DEFAULT_MATCH_LENGTHS;
    defaultBits = 6;
  }
  let used: i32 = 0;
  let bits = defaultBits;
  if (mode == REPEAT) {
    const known = slot == LITERALS_LENGTH_SLOT ? literalsTable : slot == OFFSET_SLOT ? offsetTable : matchTable;
    return known == 0 ? NO_SEQUENCE_TABLE : 0;
  }
  if (mode == SINGLE) {
    if (at >= end) return BAD_SEQUENCES_HEADER;
    const symbol = <u32>load<u8>(at);
    if (symbol > maxSymbol) return BAD_SEQUENCES_HEADER;
    makeSingle(table, meanings, symbol);
    used = 1;
    bits = 0;
  } else if (mode == DESCRIBED) {
    used = readDistribution(at, end, maxSymbol, maxBits);
    if (used < 0) return BAD_DISTRIBUTION;
    makeTable(table, meanings);
    bits = accuracyBits;
  } else {
    table = defaultTable;
  }
  if (slot == LITERALS_LENGTH_SLOT) {
    literalsTable = table;
    literalsBits = bits;
  } else if (slot == OFFSET_SLOT) {
    offsetTable = table;
    offsetBits = bits;
  } else {
    matchTable = table;
    matchBits = bits;
  }
  describe(slot, mode, at, used);
  return used;
}

/** The highest `count` bits, 0 to 32. */
@inline
function take(bits: u64, count: u32): u32 {
  return <u32>((bits >> 1) >> (63 - <u64>count));
}

/**
 * Carries out the sequences section in [start, end) with the literals in [literal, literalEnd). 0, or a refusal.
 */
export function runSequences(start: u32, end: u32, firstLiteral: u32, literalEnd: u32): i32 {
  let literal = firstLiteral;
  let at = start;
  if (at >= end) return BAD_SEQUENCES_HEADER;
  let count = <u32>load<u8>(at++);
  if (count >= 128) {
    if (count < 255) {
      if (at >= end) return BAD_SEQUENCES_HEADER;
      count = ((count - 128) << 8) + <u32>load<u8>(at++);
    } else {
      if (at + 2 > end) return BAD_SEQUENCES_HEADER;
      count = <u32>load<u16>(at) + 0x7f00;
      at += 2;
    }
  }
  const limit = out + blockLimitBytes;
  let to = out;
  if (count != 0) {
    if (at >= end) return BAD_SEQUENCES_HEADER;
    const modes = <u32>load<u8>(at++);
    if ((modes & 3) != 0) return BAD_SEQUENCES_HEADER;
    for (let slot: u32 = 0; slot < 3; slot++) {
      const used = readTable(slot, (modes >> (6 - 2 * slot)) & 3, at, end);
      if (used < 0) return used;
      at += used;
    }
    if (at >= end) return BAD_SEQUENCES;
    let position = markOf(at, end - at);
    if (position < 0) return BAD_SEQUENCES;
    let bits = top(at, position);
    let literalsState = take(bits, literalsBits);
    bits <<= literalsBits;
    let offsetState = take(bits, offsetBits);
    bits <<= offsetBits;
    let matchState = take(bits, matchBits);
    position -= literalsBits + offsetBits + matchBits;
    let first = recent1;
    let second = recent2;
    let third = recent3;
    const oldest = historyStart;
    const reach = windowBytes;
    const before = logBefore;
    for (;;) {
      if (position < 0) return BAD_SEQUENCES;
      const literals = load<u64>(literalsTable + (literalsState << 3));
      const offsets = load<u64>(offsetTable + (offsetState << 3));
      const matches = load<u64>(matchTable + (matchState << 3));
      const offsetExtra = <u32>(offsets >> 56);
      const matchExtra = <u32>(matches >> 56);
      const literalsExtra = <u32>(literals >> 56);
      bits = top(at, position);
      let offset = <u32>offsets + take(bits, offsetExtra);
      bits <<= offsetExtra;
      const matchBytes = <u32>matches + take(bits, matchExtra);
      position -= offsetExtra + matchExtra;
      // 56 bits were there; lengths and states take at most 16 + 26 more.
      if (offsetExtra + matchExtra > 14) bits = top(at, position);
      else bits <<= matchExtra;
      const literalBytes = <u32>literals + take(bits, literalsExtra);
      bits <<= literalsExtra;
      position -= literalsExtra;

      if (offset > 3) {
        offset -= 3;
        third = second;
        second = first;
        first = offset;
      } else {
        const which = offset - (literalBytes != 0 ? 1 : 0);
        if (which == 0) {
          offset = first;
        } else {
          if (which == 1) {
            offset = second;
          } else {
            offset = which == 2 ? third : first - 1;
            third = second;
          }
          second = first;
          first = offset;
        }
      }

      const next = to + literalBytes + matchBytes;
      if (literal + literalBytes > literalEnd || next > limit) return TOO_MUCH_OUTPUT;
      copyWide(to, literal, literalBytes);
      to += literalBytes;
      literal += literalBytes;
      if (offset > to - oldest || offset > reach || offset == 0) return OFFSET_TOO_FAR;
      if (to - offset < before) log(to - offset, matchBytes);
      copyMatch(to, offset, matchBytes);
      to = next;

      if (--count == 0) break;
      const literalsNext = <u32>(literals >> 48) & 0xff;
      const matchNext = <u32>(matches >> 48) & 0xff;
      const offsetNext = <u32>(offsets >> 48) & 0xff;
      literalsState = (<u32>(literals >> 32) & 0xffff) + take(bits, literalsNext);
      bits <<= literalsNext;
      matchState = (<u32>(matches >> 32) & 0xffff) + take(bits, matchNext);
      bits <<= matchNext;
      offsetState = (<u32>(offsets >> 32) & 0xffff) + take(bits, offsetNext);
      position -= literalsNext + matchNext + offsetNext;
    }
    if (position != 0) return BAD_SEQUENCES;
    setRecent(first, second, third);
  } else if (at != end) {
    return BAD_SEQUENCES_HEADER;
  }
  const left = literalEnd - literal;
  if (to + left > limit) return TOO_MUCH_OUTPUT;
  if (left > 0) copyWide(to, literal, left);
  setOut(to + left);
  return 0;
}
