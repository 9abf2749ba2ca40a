/* What functions of the kernel return: 0 or more is good, what is below is an index into the host's REFUSALS. */
export const BAD_LITERALS_HEADER: i32 = -1;
export const BAD_HUFFMAN_WEIGHTS: i32 = -2;
export const NO_HUFFMAN_TABLE: i32 = -3;
export const BAD_LITERALS: i32 = -4;
export const BAD_SEQUENCES_HEADER: i32 = -5;
export const BAD_DISTRIBUTION: i32 = -6;
export const NO_SEQUENCE_TABLE: i32 = -7;
export const BAD_SEQUENCES: i32 = -8;
export const OFFSET_TOO_FAR: i32 = -9;
export const TOO_MUCH_OUTPUT: i32 = -10;
export const BAD_STATE: i32 = -11;
