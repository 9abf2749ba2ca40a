/*
 * Where everything lies in the kernel's linear memory. There is no allocator and no static data: these constants are
 * the whole map. What lies behind OUTPUT depends on the frame's window; the caller grows the memory for it.
 *
 *       0   HUFFMAN … entropy tables and scratch
 *    32Ki   LITERALS  the literals of one block, then slack
 *   164Ki   INPUT     the content of one block, between slacks
 *   296Ki   LOG       which bytes before its start the last block refers to
 *   640Ki   OUTPUT    history and new output, then slack
 */

/** The most that a block makes, and the most that its content takes. Source: RFC 8878, section 3.1.1.2.4. */
export const BLOCK_BYTES: u32 = 128 << 10;
/** Bytes around buffers that wide loads and stores may touch, and which never matter. */
export const SLACK_BYTES: u32 = 512;

/** Longest Huffman code. Source: RFC 8878, section 4.2.1. */
export const HUFFMAN_BITS: u32 = 11;
/** Largest accuracy of the FSE tables. Source: RFC 8878, sections 3.1.1.3.2.1.1 and 4.2.1.2. */
export const LITERALS_LENGTH_BITS: u32 = 9;
export const OFFSET_BITS: u32 = 8;
export const MATCH_LENGTH_BITS: u32 = 9;
export const WEIGHT_BITS: u32 = 6;

/** Decoding table of literals: 2^11 entries of symbol | bits << 8, u16. */
export const HUFFMAN: u32 = 0;
/** Decoding tables of sequences, 8 bytes an entry: baseline u32, next state u16, its bits u8, extra bits u8. */
export const LITERALS_LENGTHS: u32 = HUFFMAN + 4096;
export const OFFSETS: u32 = LITERALS_LENGTHS + 512 * 8;
export const MATCH_LENGTHS: u32 = OFFSETS + 256 * 8;
/** The same of the default distributions. */
export const DEFAULT_LITERALS_LENGTHS: u32 = MATCH_LENGTHS + 512 * 8;
export const DEFAULT_OFFSETS: u32 = DEFAULT_LITERALS_LENGTHS + 64 * 8;
export const DEFAULT_MATCH_LENGTHS: u32 = DEFAULT_OFFSETS + 32 * 8;
/** Decoding table of Huffman weights, 2^6 entries in the same form. */
export const WEIGHT_TABLE: u32 = DEFAULT_MATCH_LENGTHS + 64 * 8;
/** What symbols mean, 8 bytes each: baseline u32, 0 u16, 0 u8, extra bits u8. */
export const LITERALS_LENGTH_MEANINGS: u32 = WEIGHT_TABLE + 64 * 8;
export const OFFSET_MEANINGS: u32 = LITERALS_LENGTH_MEANINGS + 36 * 8;
export const MATCH_LENGTH_MEANINGS: u32 = OFFSET_MEANINGS + 32 * 8;
export const WEIGHT_MEANINGS: u32 = MATCH_LENGTH_MEANINGS + 53 * 8;
/** Probabilities of a distribution being read: 256 i16. */
export const PROBABILITIES: u32 = WEIGHT_MEANINGS + 256 * 8;
/** The next state of each symbol while a table is made: 256 u16. */
export const NEXT_STATES: u32 = PROBABILITIES + 512;
/** Weights of a Huffman code: 256 bytes, then slack. */
export const WEIGHTS: u32 = NEXT_STATES + 512;
/** How many symbols have each weight, and then where they go in the table: 16 u32. */
export const RANKS: u32 = WEIGHTS + 272;
/** State of the checksum: 4 lanes of u64, then up to 32 bytes not yet taken in. */
export const XXH: u32 = RANKS + 64 + 8;
export const XXH_PENDING: u32 = XXH + 32;
/** The descriptions of the tables in use, as they stood in the stream, each in a slot of 192 bytes. */
export const DESCRIPTIONS: u32 = XXH_PENDING + 40;
export const DESCRIPTION_BYTES: u32 = 192;
/** One past the last byte of the tables. */
export const TABLES_END: u32 = DESCRIPTIONS + 4 * DESCRIPTION_BYTES;

/** The literals of the block being decoded. */
export const LITERALS: u32 = 32 << 10;
/** The content of the block being decoded. */
export const INPUT: u32 = LITERALS + BLOCK_BYTES + 2 * SLACK_BYTES + (3 << 10);
/** References of the last block to bytes before it: distance from the block's start and length, u32 each. */
export const LOG: u32 = INPUT + BLOCK_BYTES + (4 << 10);
/** A match makes three bytes at least. */
export const LOG_BYTES: u32 = (BLOCK_BYTES / 3 + 1) << 3;
/** History, then new output. */
export const OUTPUT: u32 = 640 << 10;
/** The memory's size at first, in pages of 64 KiB; scripts/build_kernel.ts reads it here. */
export const MEMORY_PAGES: u32 = 12;
