/*
 * Lookups in the tables, described in tables.ts. `bits` is the bit buffer, scaled: the next bit of the stream is bit
 * SCALE.
 */
import { DISTANCE_BITS, LITLEN_BITS } from "./layout";

/** How far the bit buffer is shifted left: masked, it is the offset of two entries, 8 bytes. */
export const SCALE: u32 = 3;

/** Where the first-level entries of both codes are for what is at the front of `bits`. */
// @ts-ignore: decorator
@inline
export function entriesAt(bits: u64): u32 {
  return <u32>bits & (((1 << LITLEN_BITS) - 1) << SCALE);
}

/** The entry of the literal/length code at `entriesAt`. */
// @ts-ignore: decorator
@inline
export function litlenEntry(at: u32): i32 {
  return load<i32>(at);
}

/** The entry of the distance code at `entriesAt`. */
// @ts-ignore: decorator
@inline
export function distanceEntry(at: u32): u32 {
  return load<u32>(at, 4);
}

/** The entry in the subtable that `entry` refers to. */
// @ts-ignore: decorator
@inline
export function litlenSubtableEntry(entry: u32, bits: u64): i32 {
  const index = <u32>(bits >> (LITLEN_BITS + SCALE - 2));
  return load<i32>((entry >> 16) + (index & (((1 << ((entry >> 8) & 15)) - 1) << 2)));
}

/** The match length of `entry`; `bits` still starts with its code. */
// @ts-ignore: decorator
@inline
export function lengthOf(entry: u32, bits: u64): u32 {
  return ((entry >> 16) & 511) + ((<u32>bits >> (entry >> 8)) & (entry >> 25));
}

/** The entry in the subtable that `entry` refers to. */
// @ts-ignore: decorator
@inline
export function distanceSubtableEntry(entry: u32, bits: u64): u32 {
  const index = <u32>(bits >> (DISTANCE_BITS + SCALE - 2));
  return load<u32>((entry >> 16) + (index & (((1 << ((entry >> 8) & 15)) - 1) << 2)));
}

/** The distance of `entry`; `bits` still starts with its code. */
// @ts-ignore: decorator
@inline
export function distanceOf(entry: u32, bits: u64): u32 {
  return (entry >> 16) + ((<u32>bits & ((1 << SCALE << entry) - 1)) >> (entry >> 8));
}
