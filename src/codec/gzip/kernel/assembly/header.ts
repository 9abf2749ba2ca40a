/*
 * Block headers. All or nothing: where the input ends inside a header nothing is consumed, and the header is read again
 * from its start when there is more. It is at most 2,286 bits long, so that costs little, and no state is kept between.
 *
 * Here and in careful.ts bits past the end of the input are read (the slack makes that safe) and decoded before it is
 * known whether they exist. That is sound: a code that lies wholly in the input is found whatever follows it, and no
 * other can be found shorter. What is found is used, for good or ill, only after its end has been compared with `end`.
 */
import {
  DISTANCE,
  DISTANCE_BITS,
  DISTANCE_MEANINGS,
  INPUT,
  LENGTHS,
  LITLEN,
  LITLEN_BITS,
  LITLEN_MEANINGS,
  PRECODE,
  PRECODE_BITS,
  PRECODE_MEANINGS,
  PRECODE_ORDER,
} from "./layout";
import {
  IN_CODES,
  IN_STORED,
  inputEnd,
  inputOffset,
  position,
  setFinal,
  setHeaderOffset,
  setHoldsFixedCodes,
  setPhase,
  setPosition,
  setStoredLeft,
} from "./state";
import {
  BAD_BLOCK_TYPE,
  BAD_CODE_LENGTHS,
  BAD_DISTANCE_CODES,
  BAD_LITLEN_CODES,
  BAD_REPEAT,
  BAD_STORED_LENGTHS,
  NEED_INPUT,
  NO_END_OF_BLOCK,
  PROCEED,
  TOO_MANY_SYMBOLS,
} from "./status";
import { buildFixedTables, buildTable, joinTables } from "./tables";

/** What `bitsAt` gives at least. */
const MIN_BITS_AT: u32 = 57;
/** The longest code of a code length, with its extra bits. */
const MAX_LENGTH_BITS: u32 = 7 + 7;

/** The next MIN_BITS_AT bits or more from bit `at` on, the first in bit 0. */
// @ts-ignore: decorator
@inline
export function bitsAt(at: u32): u64 {
  return load<u64>(at >> 3) >> (at & 7);
}

/** Reads a block's header and gets ready for its contents: PROCEED, NEED_INPUT, or a refusal. */
export function readHeader(): i32 {
  const end = inputEnd << 3;
  const start = position;
  if (start + 3 > end) return NEED_INPUT;
  const bits = <u32>bitsAt(start);
  const type = (bits >> 1) & 3;
  let status = PROCEED;
  if (type == 0) status = readStoredHeader(start + 3, end);
  else if (type == 1) {
    buildFixedTables();
    setPosition(start + 3);
    setPhase(IN_CODES);
  } else if (type == 2) status = readDynamicHeader(start + 3, end);
  else status = BAD_BLOCK_TYPE;
  if (status != PROCEED) return status;
  setFinal((bits & 1) != 0);
  setHeaderOffset(inputOffset * 8 + <f64>(start - (INPUT << 3)));
  return PROCEED;
}

function readStoredHeader(afterType: u32, end: u32): i32 {
  const at = (afterType + 7) & ~7;
  if (at + 32 > end) return NEED_INPUT;
  const lengths = load<u32>(at >> 3);
  if ((lengths & 0xffff) != (lengths >> 16 ^ 0xffff)) return BAD_STORED_LENGTHS;
  setStoredLeft(lengths & 0xffff);
  setPosition(at + 32);
  setPhase(IN_STORED);
  return PROCEED;
}

function readDynamicHeader(afterType: u32, end: u32): i32 {
  let at = afterType + 14;
  if (at > end) return NEED_INPUT;
  let bits = bitsAt(afterType);
  const litlenCount: u32 = 257 + (<u32>bits & 31);
  const distanceCount: u32 = 1 + (<u32>(bits >> 5) & 31);
  const precodeCount: u32 = 4 + (<u32>(bits >> 10) & 15);
  if (litlenCount > 286 || distanceCount > 30) return TOO_MANY_SYMBOLS;

  if (at + precodeCount * 3 > end) return NEED_INPUT;
  v128.store(LENGTHS, i64x2.splat(0));
  v128.store(LENGTHS + 16, i64x2.splat(0));
  bits = bitsAt(at);
  for (let i: u32 = 0; i < precodeCount; i++) {
    // The 57 bits at hand are just those of all 19 lengths.
    store<u8>(LENGTHS + load<u8>(PRECODE_ORDER + i), <u32>(bits >> (i * 3)) & 7);
  }
  at += precodeCount * 3;
  if (!buildTable(PRECODE, PRECODE_BITS, LENGTHS, 19, PRECODE_MEANINGS, false)) return BAD_CODE_LENGTHS;

  const total = litlenCount + distanceCount;
  let done: u32 = 0;
  while (done < total) {
    const start = at;
    bits = bitsAt(at);
    do {
      const entry = load<u32>(PRECODE + ((<u32>bits & ((1 << PRECODE_BITS) - 1)) << 2));
      const symbol = entry >> 16;
      at += entry & 63;
      bits >>= <u64>(entry & 63);
      if (symbol < 16) {
        if (at > end) return NEED_INPUT;
        store<u8>(LENGTHS + done, symbol);
        done++;
        continue;
      }
      const extraBits: u32 = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
      const extra = <u32>bits & ((1 << extraBits) - 1);
      at += extraBits;
      bits >>= <u64>extraBits;
      if (at > end) return NEED_INPUT;
      const repeat: u32 = (symbol == 18 ? 11 : 3) + extra;
      if ((symbol == 16 && done == 0) || done + repeat > total) return BAD_REPEAT;
      const repeated = i8x16.splat(symbol == 16 ? load<u8>(LENGTHS + done - 1) : 0);
      for (let i: u32 = 0; i < repeat; i += 16) v128.store(LENGTHS + done + i, repeated);
      done += repeat;
    } while (done < total && at - start <= MIN_BITS_AT - MAX_LENGTH_BITS);
  }
  if (load<u8>(LENGTHS + 256) == 0) return NO_END_OF_BLOCK;

  setHoldsFixedCodes(false);
  if (!buildTable(LITLEN, LITLEN_BITS, LENGTHS, litlenCount, LITLEN_MEANINGS, true)) return BAD_LITLEN_CODES;
  if (!buildTable(DISTANCE, DISTANCE_BITS, LENGTHS + litlenCount, distanceCount, DISTANCE_MEANINGS, true)) {
    return BAD_DISTANCE_CODES;
  }
  joinTables();
  setPosition(at);
  setPhase(IN_CODES);
  return PROCEED;
}
