/*
 * What `run` returns. Zero and above: it stopped in good order. Below zero: the stream is refused, for one of the
 * reasons zlib has; messages in ../status.ts, in the same order.
 */
export const NEED_INPUT: i32 = 0;
export const OUTPUT_FULL: i32 = 1;
export const BLOCK_END: i32 = 2;
export const STREAM_END: i32 = 3;

/** Internal: go on. */
export const PROCEED: i32 = 4;

export const BAD_BLOCK_TYPE: i32 = -1;
export const BAD_STORED_LENGTHS: i32 = -2;
export const TOO_MANY_SYMBOLS: i32 = -3;
export const BAD_CODE_LENGTHS: i32 = -4;
export const BAD_REPEAT: i32 = -5;
export const NO_END_OF_BLOCK: i32 = -6;
export const BAD_LITLEN_CODES: i32 = -7;
export const BAD_DISTANCE_CODES: i32 = -8;
export const BAD_LITLEN_SYMBOL: i32 = -9;
export const BAD_DISTANCE_SYMBOL: i32 = -10;
export const DISTANCE_TOO_FAR: i32 = -11;
/** A resume inside a block whose symbol offset does not lie in the block. */
export const BAD_RESUME: i32 = -12;
