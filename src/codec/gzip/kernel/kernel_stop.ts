/** How a run of the kernel ended. */
export const KernelStop = {
  /** The input was used up. */
  needInput: 0,
  /** The next symbol would write beyond the limit, or beyond the end of the output buffer. */
  outputFull: 1,
  /** A block, not the stream's last, ended. */
  blockEnd: 2,
  /** The stream's last block ended. What follows starts at the next whole byte. */
  streamEnd: 3,
  /** The input is no deflate stream. */
  bad: 4,
} as const;

/** One of the values of the table of the same name. */
export type KernelStop = (typeof KernelStop)[keyof typeof KernelStop];

/**
 * What the kernel's statuses below zero mean, that of status −1 first. The words are zlib's, where zlib has the case.
 * Source: zlib's inflate.c; assembly/status.ts for the order.
 */
export const REFUSALS: readonly string[] = [
  "invalid block type",
  "invalid stored block lengths",
  "too many length or distance symbols",
  "invalid code lengths set",
  "invalid bit length repeat",
  "invalid code -- missing end-of-block",
  "invalid literal/lengths set",
  "invalid distances set",
  "invalid literal/length code",
  "invalid distance code",
  "invalid distance too far back",
  "resume offset outside its block",
];
