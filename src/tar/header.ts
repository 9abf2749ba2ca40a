/**
 * The 512-byte blocks of tar: every numeric offset of the format, and how their fields are read.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
 */
import { type ByteString, CorruptError, displayByteString, toByteString } from "../base/mod.ts";

/** Headers fill one block; data are padded to whole blocks. */
export const BLOCK_BYTES = 512;

/** A field of a block: bytes [at, at + length). */
export interface Field {
  /** Its name in the standard, for messages. */
  readonly name: string;
  /** Offset in the block. */
  readonly at: number;
  /** Length in bytes. */
  readonly length: number;
}

/** The fields of a header that clip reads. */
export const HEADER = {
  name: { name: "name", at: 0, length: 100 },
  mode: { name: "mode", at: 100, length: 8 },
  uid: { name: "uid", at: 108, length: 8 },
  gid: { name: "gid", at: 116, length: 8 },
  size: { name: "size", at: 124, length: 12 },
  mtime: { name: "mtime", at: 136, length: 12 },
  chksum: { name: "chksum", at: 148, length: 8 },
  typeflag: { name: "typeflag", at: 156, length: 1 },
  linkname: { name: "linkname", at: 157, length: 100 },
  magic: { name: "magic", at: 257, length: 8 },
  devmajor: { name: "devmajor", at: 329, length: 8 },
  devminor: { name: "devminor", at: 337, length: 8 },
  prefix: { name: "prefix", at: 345, length: 155 },
  /** Of star's own format, which keeps two times behind it. */
  starPrefix: { name: "prefix", at: 345, length: 131 },
  starTrailer: { name: "tar", at: 508, length: 4 },
  /** Of GNU's format, where there is no prefix. */
  gnuSparse: { name: "sparse map", at: 386, length: 96 },
  gnuIsExtended: { name: "isextended", at: 482, length: 1 },
  gnuRealSize: { name: "realsize", at: 483, length: 12 },
} as const satisfies Readonly<Record<string, Field>>;

/** The fields of a block that continues the sparse map of a GNU header. */
export const SPARSE_EXTENSION = {
  sparse: { name: "sparse map", at: 0, length: 504 },
  isExtended: { name: "isextended", at: 504, length: 1 },
} as const satisfies Readonly<Record<string, Field>>;

/** An entry of a GNU sparse map: two numbers of 12 bytes, offset and length. */
export const SPARSE_RUN_BYTES = 24;
/** The length of each of the two. */
export const SPARSE_NUMBER_BYTES = 12;

/** Which layout the bytes after `linkname` have. */
export type HeaderFormat = "v7" | "ustar" | "star" | "gnu";

const USTAR_MAGIC = "ustar\0";
const GNU_MAGIC = "ustar  \0";
const STAR_TRAILER = "tar\0";

/** The layout of a header, told by its magic. Anything unknown is read as v7, the part common to all. */
export function headerFormat(block: Uint8Array): HeaderFormat {
  if (holds(block, HEADER.magic.at, GNU_MAGIC)) return "gnu";
  if (!holds(block, HEADER.magic.at, USTAR_MAGIC)) return "v7";
  return holds(block, HEADER.starTrailer.at, STAR_TRAILER) ? "star" : "ustar";
}

function holds(block: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (block[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The type of a header, a byte string of one. */
export function readTypeflag(block: Uint8Array): ByteString {
  return String.fromCharCode(block[HEADER.typeflag.at]!);
}

/** The bytes of a text field up to its first NUL. */
export function readText(block: Uint8Array, { at, length }: Field): ByteString {
  let endExclusive = at;
  while (endExclusive < at + length && block[endExclusive] !== 0) endExclusive++;
  return endExclusive === at ? "" : toByteString(block, at, endExclusive);
}

/**
 * The number in a field: octal digits between spaces and NULs, or, with the first bit set, two's complement in the
 * field's other bits (GNU's "base-256"). An empty field is 0. May be negative.
 * @throws {CorruptError} where it is neither, or beyond ±(2^53−1). `blockOffset` is the block's, for the message.
 */
export function readNumber(block: Uint8Array, field: Field, blockOffset: number): number {
  const { at, length } = field;
  if ((block[at]! & 0x80) !== 0) return readBase256(block, field, blockOffset);
  const endExclusive = at + length;
  let next = at;
  while (next < endExclusive && (block[next] === 0x20 || block[next] === 0)) next++;
  let value = 0;
  for (; next < endExclusive; next++) {
    const digit = block[next]! - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit; // 12 digits at most: 2^36.
  }
  while (next < endExclusive && block[next] === 0x20) next++;
  if (next < endExclusive && block[next] !== 0) throw badField(block, field, blockOffset, "an octal number");
  return value;
}

function readBase256(block: Uint8Array, field: Field, blockOffset: number): number {
  const { at, length } = field;
  const isNegative = (block[at]! & 0x40) !== 0;
  // Of a negative number the complement is read, which is not negative.
  const flip = isNegative ? 0xff : 0;
  let value = (block[at]! ^ flip) & 0x7f;
  for (let i = at + 1; i < at + length; i++) {
    value = value * 256 + (block[i]! ^ flip);
    if (value > Number.MAX_SAFE_INTEGER) throw badField(block, field, blockOffset, "at most 9007199254740991");
  }
  return isNegative ? -1 - value : value;
}

function badField(block: Uint8Array, { name, at, length }: Field, blockOffset: number, expected: string): CorruptError {
  const actual = `"${displayByteString(toByteString(block, at, at + length))}"`;
  return new CorruptError({ subject: "tar", field: name, offset: blockOffset, actual, expected });
}

/** Whether all of a block is zero. */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK_BYTES; i++) if (block[i] !== 0) return false;
  return true;
}

/**
 * Checks a header's checksum: the sum of its bytes with the checksum's own as spaces. Some old writers summed signed
 * bytes: that is accepted too.
 * @throws {CorruptError} where it is neither sum.
 */
export function checkChecksum(block: Uint8Array, blockOffset: number): void {
  const { at, length } = HEADER.chksum;
  let unsigned = 0x20 * length;
  let aboveAscii = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    unsigned += block[i]!;
    aboveAscii += block[i]! >> 7;
  }
  for (let i = at; i < at + length; i++) {
    unsigned -= block[i]!;
    aboveAscii -= block[i]! >> 7;
  }
  const stored = readNumber(block, HEADER.chksum, blockOffset);
  if (stored !== unsigned && stored !== unsigned - 256 * aboveAscii) {
    throw new CorruptError({
      subject: "tar",
      field: "chksum",
      offset: blockOffset,
      actual: stored,
      expected: unsigned,
    });
  }
}
