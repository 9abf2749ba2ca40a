/*
 * Where everything lies in the kernel's linear memory. There is no allocator and no static data: these constants are
 * the whole map, and kernel.ts repeats none of them (it asks the exported functions).
 *
 *       0  ENTRIES   first levels of the two decoding tables, side by side; being at 0, their index is their address
 *    16Ki  LITLEN    decoding table of literals and lengths
 *    28Ki  DISTANCE  decoding table of distances
 *    32Ki  PRECODE … small tables and scratch
 *    40Ki  MAP …     what is told from the log
 *    64Ki  INPUT     compressed bytes, then slack
 *   130Ki  OUTPUT    history and new output, then slack
 *  1315Ki  LOG       matches
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

/**
 * For each value of LITLEN_BITS bits, 8 bytes: the first-level entry of the literal/length code, and that of the distance
 * code that starts with the first DISTANCE_BITS of the same bits.
 */
export const ENTRIES: u32 = 0;
/** Literal/length table, 3,072 entries of 4 bytes. */
export const LITLEN: u32 = ENTRIES + (8 << LITLEN_BITS);
/** Distance table, 1,024 entries of 4 bytes. */
export const DISTANCE: u32 = LITLEN + (12 << 10);
/** Table of code length codes, 128 entries of 4 bytes. */
export const PRECODE: u32 = 32 << 10;
/** Code lengths, a byte each: 19 of the precode, or up to 286 + 30; 288 + 32 for the fixed codes. */
export const LENGTHS: u32 = PRECODE + 512;
/** How many symbols have each code length: 16 u32, and three times as much while they are counted. */
export const COUNTS: u32 = LENGTHS + 512;
/** Where the next symbol of each code length goes in SORTED: 16 u32. */
export const OFFSETS: u32 = COUNTS + 4 * 64;
/** Symbols in the order of their codes, u16 each, up to 288. */
export const SORTED: u32 = OFFSETS + 64;
/** What each literal/length symbol means: 288 entries of 4 bytes, without code lengths. */
export const LITLEN_MEANINGS: u32 = 35 << 10;
/** What each distance symbol means: 32 entries of 4 bytes, without code lengths. */
export const DISTANCE_MEANINGS: u32 = LITLEN_MEANINGS + 288 * 4;
/** What each code length symbol means: 19 entries of 4 bytes, without code lengths. */
export const PRECODE_MEANINGS: u32 = DISTANCE_MEANINGS + 32 * 4;
/** For each distance 0–15, 16 bytes: i mod distance, for repeating short patterns. Index 0 is not used. */
export const PATTERNS: u32 = 38 << 10;
/** For each distance 0–15, how many bytes the whole patterns in 16 bytes make: a byte each. */
export const STRIDES: u32 = PATTERNS + 256;
/** The order in which the code lengths of the precode are stored: 19 bytes. */
export const PRECODE_ORDER: u32 = STRIDES + 16;

/** A bit map of the 32 KiB before a place. */
export const MAP: u32 = 40 << 10;
/** Its length. */
export const MAP_BYTES: u32 = 4 << 10;
/** The distance of the places that are weighed, as a power of two: 1 KiB. */
export const CELL_BITS: u32 = 10;
/** How many places are weighed: 2.25 MiB. */
export const CELL_COUNT: u32 = 2304;
/** Steps of the weight from place to place: one i32 more than there are places. */
export const CELLS: u32 = MAP + MAP_BYTES;
/** Steps of the weight from byte to byte of one cell: one i32 more than it has bytes. */
export const NEAR: u32 = 56 << 10;

/** The furthest a match reaches back. */
export const MAX_DISTANCE: u32 = 32 << 10;
/** The longest match. */
export const MAX_LENGTH: u32 = 258;

/** Compressed bytes. */
export const INPUT: u32 = 64 << 10;
/** Room for compressed bytes. */
export const INPUT_BYTES: u32 = 64 << 10;

/** History, then new output. */
export const OUTPUT: u32 = INPUT + INPUT_BYTES + (2 << 10);
/** The most history that is kept when output is moved down: the windows of the places that the log tells of. */
export const HISTORY_BYTES: u32 = 160 << 10;
/** Room for history and new output: 1 MiB of the latter at least. */
export const OUTPUT_BYTES: u32 = HISTORY_BYTES + (1 << 20);

/** Length of an entry of the log. */
export const LOG_ENTRY_BYTES: u32 = 12;
/** The log tells of places so far back at least. */
export const LOG_REACH_BYTES: u32 = 128 << 10;
/** Output until the log is looked after. */
export const LOG_RUN_BYTES: u32 = 32 << 10;
/** A log of this length is cut to its reach: little enough to stay in a second-level cache. */
export const LOG_TIDY_BYTES: u32 = 192 << 10;
/** Matches of three bytes end to end: 54,614 of them, and some for single steps. */
export const LOG_BYTES: u32 = ((LOG_REACH_BYTES + LOG_RUN_BYTES) / 3 + 1000) * LOG_ENTRY_BYTES;
/** Matches, oldest first. */
export const LOG: u32 = OUTPUT + OUTPUT_BYTES + (1 << 10);

/** One past the last byte used. */
export const MEMORY_END: u32 = LOG + LOG_BYTES;
/** The memory's size, fixed, in pages of 64 KiB; scripts/build_kernel.ts reads it here. */
export const MEMORY_PAGES: u32 = 31;
