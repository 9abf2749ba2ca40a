/* Tables of finite state entropy. Source: RFC 8878, section 4.1. */
import { NEXT_STATES, PROBABILITIES } from "./layout";
import { BAD_DISTRIBUTION } from "./status";

/** The accuracy of the distribution read last. */
export let accuracyBits: u32 = 0;
let symbolCount: u32 = 0;

/**
 * Reads a distribution from [at, end) to PROBABILITIES; the bytes it took, or BAD_DISTRIBUTION. Behind `end` there must
 * be slack.
 */
export function readDistribution(at: u32, end: u32, maxSymbol: u32, maxAccuracyBits: u32): i32 {
  if (at >= end) return BAD_DISTRIBUTION;
  const accuracy = (<u32>load<u8>(at) & 15) + 5;
  if (accuracy > maxAccuracyBits) return BAD_DISTRIBUTION;
  const endBits = (end - at) << 3;
  let bit: u32 = 4;
  let remaining: i32 = (1 << accuracy) + 1;
  let threshold: i32 = 1 << accuracy;
  let bits: u32 = accuracy + 1;
  let symbol: u32 = 0;
  while (remaining > 1) {
    if (symbol > maxSymbol || bit >= endBits) return BAD_DISTRIBUTION;
    const value = <i32>(load<u32>(at + (bit >> 3)) >> (bit & 7)) & ((threshold << 1) - 1);
    const short = (threshold << 1) - 1 - remaining;
    let count = value & (threshold - 1);
    if (count < short) {
      bit += bits - 1;
    } else {
      count = value >= threshold ? value - short : value;
      bit += bits;
    }
    count--;
    remaining -= count < 0 ? 1 : count;
    if (remaining < 1) return BAD_DISTRIBUTION;
    store<i16>(PROBABILITIES + (symbol << 1), <i16>count);
    symbol++;
    if (count == 0) {
      for (;;) {
        if (bit >= endBits) return BAD_DISTRIBUTION;
        const zeros = (load<u32>(at + (bit >> 3)) >> (bit & 7)) & 3;
        bit += 2;
        if (symbol + zeros > maxSymbol + 1) return BAD_DISTRIBUTION;
        for (let i: u32 = 0; i < zeros; i++) store<i16>(PROBABILITIES + (symbol++ << 1), 0);
        if (zeros != 3) break;
      }
    }
    while (remaining < threshold) {
      bits--;
      threshold >>= 1;
    }
  }
  if (bit > endBits) return BAD_DISTRIBUTION;
  accuracyBits = accuracy;
  symbolCount = symbol;
  return (bit + 7) >> 3;
}

/** Says what PROBABILITIES holds where it was not read from a stream. */
export function setDistribution(accuracy: u32, symbols: u32): void {
  accuracyBits = accuracy;
  symbolCount = symbols;
}

/** Makes the decoding table of PROBABILITIES at `table`; `meanings` has baseline and extra bits of each symbol. */
export function makeTable(table: u32, meanings: u32): void {
  const size: u32 = 1 << accuracyBits;
  const mask = size - 1;
  let high = size;
  for (let symbol: u32 = 0; symbol < symbolCount; symbol++) {
    const probability = load<i16>(PROBABILITIES + (symbol << 1));
    if (probability == -1) {
      high--;
      store<u8>(table + (high << 3), symbol);
      store<u16>(NEXT_STATES + (symbol << 1), 1);
    } else {
      store<u16>(NEXT_STATES + (symbol << 1), probability);
    }
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let place: u32 = 0;
  for (let symbol: u32 = 0; symbol < symbolCount; symbol++) {
    const probability = <i32>load<i16>(PROBABILITIES + (symbol << 1));
    for (let i = 0; i < probability; i++) {
      store<u8>(table + (place << 3), symbol);
      do place = (place + step) & mask; while (place >= high);
    }
  }
  for (let state: u32 = 0; state < size; state++) {
    const entry = table + (state << 3);
    const symbol = <u32>load<u8>(entry);
    const next = <u32>load<u16>(NEXT_STATES + (symbol << 1));
    store<u16>(NEXT_STATES + (symbol << 1), next + 1);
    const bits = accuracyBits - (31 - clz(next));
    const meaning = load<u64>(meanings + (symbol << 3));
    store<u64>(entry, meaning | (<u64>((next << bits) - size) << 32) | (<u64>bits << 48));
  }
}

/** Makes a table of a single entry, for a symbol that is the only one. */
export function makeSingle(table: u32, meanings: u32, symbol: u32): void {
  accuracyBits = 0;
  store<u64>(table, load<u64>(meanings + (symbol << 3)));
}
