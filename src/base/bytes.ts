/**
 * Little-endian integers of 64 bits, and byte strings.
 *
 * A *byte string* is a JavaScript string in which every UTF-16 unit is one byte (0–255). Names inside images are
 * bytes, not text: they need not be UTF-8. As byte strings they compare in byte order with `<`, serve as Map keys and
 * take one byte of memory a byte, none of which Uint8Array does.
 */
import { Buffer } from "node:buffer";
import { type CorruptDetails, CorruptError } from "./errors.ts";

/** A string whose units are bytes, 0–255; see the module's comment. */
export type ByteString = string;

const TWO_32 = 2 ** 32;

/** Where a number was read, for the error; a function where making the text would cost more than the reading. */
export type NumberPlace =
  | Omit<CorruptDetails, "expected" | "actual">
  | (() => Omit<CorruptDetails, "expected" | "actual">);

/**
 * The number whose low and high 32 bits are `low` and `high` (both unsigned).
 * @throws {CorruptError} when it exceeds 2^53−1; `place` says where it was read.
 */
export function joinU64(low: number, high: number, place: NumberPlace): number {
  if (high > 0x1fffff) {
    const actual = `${(BigInt(high) << 32n) | BigInt(low)}`;
    const details = typeof place === "function" ? place() : place;
    throw new CorruptError({ ...details, actual, expected: "at most 9007199254740991" });
  }
  return high * TWO_32 + low;
}

/** The low 32 bits of a whole number, −2^53 < value < 2^53, two's complement. */
export function lowU32(value: number): number {
  return value >>> 0;
}

/** The high 32 bits of a whole number, −2^53 < value < 2^53, two's complement, as an unsigned number. */
export function highU32(value: number): number {
  return Math.floor(value / TWO_32) >>> 0;
}

/** Reads a little-endian u64. @throws {CorruptError} when it exceeds 2^53−1. */
export function readU64(
  view: DataView,
  at: number,
  place: NumberPlace,
): number {
  return joinU64(view.getUint32(at, true), view.getUint32(at + 4, true), place);
}

/** Writes a whole number, −2^53 < value < 2^53, as a little-endian 64-bit integer (two's complement). */
export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, lowU32(value), true);
  view.setUint32(at + 4, highU32(value), true);
}

/** The bytes [start, endExclusive) as a byte string. */
export function toByteString(bytes: Uint8Array, start = 0, endExclusive: number = bytes.length): ByteString {
  return asBuffer(bytes).latin1Slice(start, endExclusive);
}

/** The bytes of a byte string, in a fresh array. */
export function fromByteString(text: ByteString): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The byte string that holds `text` in UTF-8: for paths typed by people. */
export function utf8ToByteString(text: string): ByteString {
  return toByteString(new TextEncoder().encode(text));
}

/**
 * A byte string for people to read: UTF-8 decoded; bytes that are not UTF-8, control characters, the invisible ones
 * that reorder text, and backslashes become `\xNN`, `\n`, `\t` or `\\`, so that a name can never drive a terminal.
 */
export function displayByteString(text: ByteString): string {
  if (/^[\x20-\x5b\x5d-\x7e]*$/.test(text)) return text;
  const bytes = fromByteString(text);
  let out = "";
  for (let at = 0; at < bytes.length;) {
    const length = utf8Length(bytes, at);
    const char = length === 0 ? "" : new TextDecoder().decode(bytes.subarray(at, at + length));
    if (char === "\\") out += "\\\\";
    else if (char === "\n") out += "\\n";
    else if (char === "\t") out += "\\t";
    else if (char !== "" && !/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u.test(char)) out += char;
    else for (let i = at; i < at + Math.max(length, 1); i++) out += `\\x${bytes[i]!.toString(16).padStart(2, "0")}`;
    at += Math.max(length, 1);
  }
  return out;
}

/** The length of the well-formed UTF-8 sequence at `at`, 0 where there is none. */
function utf8Length(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length < 2) return length;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at, at + length));
    return at + length <= bytes.length ? length : 0;
  } catch {
    return 0;
  }
}

function asBuffer(bytes: Uint8Array): Buffer & { latin1Slice(start: number, endExclusive: number): string } {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength) as ReturnType<typeof asBuffer>;
}

/** Whether two byte arrays are equal. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** The pieces end to end, in a buffer of their own. */
export function concatenate(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
