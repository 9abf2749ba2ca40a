/*
 * Where everything lies in the kernel's linear memory. There is no allocator and no static data: these constants are
 * the whole map, and kernel.ts repeats none of them (it asks the exported functions).
 *
 *       0  LITLEN    decoding table of literals and lengths; being at 0, its index is its address
 *    16Ki  DISTANCE  decoding table of distances
 *    24Ki  PRECODE … small tables and scratch
 *    32Ki  TRACES    one bit map of 4 KiB for each trace
 *    64Ki  INPUT     compressed bytes, then slack
 *   130Ki  OUTPUT    history and new output, then slack
 */

/** Bits that index the first level of the literal/length table. */
export const LITLEN_BITS: u32 = 11;
/** Bits that index the first level of the distance table. */
export const DISTANCE_BITS: u32 = 9;
/** Bits that index the only level of the table of code length codes. */
export const PRECODE_BITS: u32 = 7;

/*
 * Bounds of the tables. A second-level table of 2^s entries is made only for a prefix that holds a complete code of
 * depth s, which has at least s + 1 symbols: so a symbol accounts for at most 2^s / (s + 1) entries, with s at most
 * 15 − root bits. Literal/length: 2^4 / 5 · 288 < 922, with the first level 2,970 of 3,072 entries. Distance:
 * 2^6 / 7 · 32 < 293, with the first level 805 of 1,024.
 */

/** Literal/length table, 3,072 entries of 4 bytes. */
export const LITLEN: u32 = 0;
/** Distance table, 1,024 entries of 4 bytes. */
export const DISTANCE: u32 = 16 << 10;
/** Table of code length codes, 128 entries of 4 bytes. */
export const PRECODE: u32 = 24 << 10;
/** Code lengths, a byte each: 19 of the precode, or up to 286 + 30; 288 + 32 for the fixed codes. */
export const LENGTHS: u32 = PRECODE + 512;
/** How many symbols have each code length: 16 u32. */
export const COUNTS: u32 = LENGTHS + 512;
/** Where the next symbol of each code length goes in SORTED: 16 u32. */
export const OFFSETS: u32 = COUNTS + 64;
/** Symbols in the order of their codes, u16 each, up to 288. */
export const SORTED: u32 = OFFSETS + 64;
/** What each literal/length symbol means: 288 entries of 4 bytes, without code lengths. */
export const LITLEN_MEANINGS: u32 = 27 << 10;
/** What each distance symbol means: 32 entries of 4 bytes, without code lengths. */
export const DISTANCE_MEANINGS: u32 = LITLEN_MEANINGS + 288 * 4;
/** What each code length symbol means: 19 entries of 4 bytes, without code lengths. */
export const PRECODE_MEANINGS: u32 = DISTANCE_MEANINGS + 32 * 4;
/** For each distance 0–15, 16 bytes: i mod distance, for repeating short patterns. Index 0 is not used. */
export const PATTERNS: u32 = 30 << 10;
/** For each distance 0–15, how many bytes the whole patterns in 16 bytes make: a byte each. */
export const STRIDES: u32 = PATTERNS + 256;
/** The order in which the code lengths of the precode are stored: 19 bytes. */
export const PRECODE_ORDER: u32 = STRIDES + 16;
/** Points of the traces, u32 addresses in OUTPUT, 0 where unused: 8. */
export const TRACE_POINTS: u32 = PRECODE_ORDER + 32;

/** How many traces can be under way at once. */
export const TRACE_COUNT: u32 = 8;
/** Bytes of a trace's bit map: one bit for each of the 32 KiB before its point. */
export const TRACE_BYTES: u32 = 4 << 10;
/** Bit maps of the traces. */
export const TRACES: u32 = 32 << 10;

/** The furthest a match reaches back. */
export const MAX_DISTANCE: u32 = 32 << 10;
/** The longest match. */
export const MAX_LENGTH: u32 = 258;

/** Compressed bytes. */
export const INPUT: u32 = 64 << 10;
/** Room for compressed bytes. */
export const INPUT_BYTES: u32 = 64 << 10;
/** Bytes after INPUT and after OUTPUT that may be read, or written by wide stores, and never matter. */
export const SLACK_BYTES: u32 = 512;

/** History, then new output. */
export const OUTPUT: u32 = INPUT + INPUT_BYTES + (2 << 10);
/**
 * History kept when output is moved down: twice what matches can reach, so that the window before a point is still
 * there when the trace that began at the point is complete.
 */
export const HISTORY_BYTES: u32 = 64 << 10;
/** Room for history and new output: 1 MiB of the latter at least. */
export const OUTPUT_BYTES: u32 = HISTORY_BYTES + (1 << 20);
/** One past the last byte used. */
export const MEMORY_END: u32 = OUTPUT + OUTPUT_BYTES + SLACK_BYTES;
/** The memory's size, fixed, in pages of 64 KiB; scripts/build_kernel.ts reads it here. */
export const MEMORY_PAGES: u32 = 20;
