/*
 * Lookups in the tables, described in tables.ts. `bits` is the bit buffer, scaled: the next bit of the stream is bit 2.
 */
import { DISTANCE, DISTANCE_BITS, LITLEN_BITS } from "./layout";

/** The first-level entry of the literal/length code at the front of `bits`. */
// @ts-ignore: decorator
@inline
export function litlenEntry(bits: u64): i32 {
  return load<i32>(<u32>bits & (((1 << LITLEN_BITS) - 1) << 2));
}

/** The entry in the subtable that `entry` refers to. */
// @ts-ignore: decorator
@inline
export function litlenSubtableEntry(entry: u32, bits: u64): i32 {
  return load<i32>((entry >> 16) + (<u32>(bits >> LITLEN_BITS) & (((1 << ((entry >> 8) & 15)) - 1) << 2)));
}

/** The match length of `entry`; `bits` still starts with its code. */
// @ts-ignore: decorator
@inline
export function lengthOf(entry: u32, bits: u64): u32 {
  return ((entry >> 16) & 511) + ((<u32>bits >> (entry >> 8)) & (entry >> 25));
}

/** The first-level entry of the distance code at the front of `bits`. */
// @ts-ignore: decorator
@inline
export function distanceEntry(bits: u64): u32 {
  return load<u32>(<u32>bits & (((1 << DISTANCE_BITS) - 1) << 2), DISTANCE);
}

/** The entry in the subtable that `entry` refers to. */
// @ts-ignore: decorator
@inline
export function distanceSubtableEntry(entry: u32, bits: u64): u32 {
  return load<u32>((entry >> 16) + (<u32>(bits >> DISTANCE_BITS) & (((1 << ((entry >> 8) & 15)) - 1) << 2)));
}

/** The distance of `entry`; `bits` still starts with its code. */
// @ts-ignore: decorator
@inline
export function distanceOf(entry: u32, bits: u64): u32 {
  return (entry >> 16) + ((<u32>bits & ((4 << entry) - 1)) >> (entry >> 8));
}
