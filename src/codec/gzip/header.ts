/**
 * The wrapping of a gzip member: the header before its deflate data and the trailer after it.
 * Every numeric offset of the format is in this file. Source: RFC 1952, section 2.3.
 */
import { CorruptError } from "../../base/mod.ts";
import { crc32 } from "./crc32.ts";

/** The first byte of every member. */
export const MAGIC_0 = 0x1f;
/** The second byte of every member. */
export const MAGIC_1 = 0x8b;
/** Length of the trailer: CRC-32 and length of the plain bytes, 4 little-endian bytes each. */
export const TRAILER_BYTES = 8;
/** Where in the trailer the CRC-32 is. */
export const TRAILER_CRC_AT = 0;
/** Where in the trailer the length of the plain bytes, modulo 2^32, is. */
export const TRAILER_LENGTH_AT = 4;
/** Longest file name or comment that is skipped; RFC 1952 sets no bound, and a hostile stream could be all name. */
export const MAX_HEADER_TEXT_BYTES = 65536;

const FIXED_BYTES = 10;
const METHOD_AT = 2;
const FLAGS_AT = 3;
const METHOD_DEFLATE = 8;
const FHCRC = 0x02;
const FEXTRA = 0x04;
const FNAME = 0x08;
const FCOMMENT = 0x10;
const RESERVED_FLAGS = 0xe0;

const Step = { fixed: 0, extraLength: 1, extra: 2, name: 3, comment: 4, headerCrc: 5, done: 6 } as const;
type Step = (typeof Step)[keyof typeof Step];

/** Skips and checks one member header, fed in pieces of any size. Nothing of it is kept: clip needs none of it. */
export class HeaderParser {
  #step: Step = Step.fixed;
  /** Bytes of the present step that were seen; -1 once a name or comment has ended. */
  #seen = 0;
  #flags = 0;
  #extraBytes = 0;
  #storedCrc = 0;
  #crc = 0;
  #offset = 0;

  /** Whether the header is complete. */
  get done(): boolean {
    return this.#step === Step.done;
  }

  /** Starts a new header. `offset` is where its next byte is in the blob, for error messages only. */
  reset(offset: number): void {
    this.#step = Step.fixed;
    this.#seen = 0;
    this.#flags = 0;
    this.#extraBytes = 0;
    this.#storedCrc = 0;
    this.#crc = 0;
    this.#offset = offset;
  }

  /**
   * Takes bytes from [at, endExclusive) until they or the header end; returns the position after the last one taken.
   * @throws {CorruptError} at the first byte that no gzip header can have there, with its offset in the blob.
   */
  push(bytes: Uint8Array, at: number, endExclusive: number): number {
    let next = at;
    while (next < endExclusive && this.#step < Step.headerCrc) next = this.#takeStep(bytes, next, endExclusive);
    // Everything before the CRC is summed, a piece at a time.
    if (next > at) this.#crc = crc32(bytes.subarray(at, next), this.#crc);
    while (next < endExclusive && this.#step === Step.headerCrc && this.#seen < 2) {
      next = this.#takeStep(bytes, next, endExclusive);
    }
    if (this.#step === Step.headerCrc && this.#seen === 2) {
      if (this.#storedCrc !== (this.#crc & 0xffff)) {
        throw this.#error("header CRC", hex(this.#storedCrc), hex(this.#crc & 0xffff));
      }
      this.#step = Step.done;
    }
    return next;
  }

  #takeStep(bytes: Uint8Array, at: number, endExclusive: number): number {
    let next = at + 1;
    if (this.#step === Step.extra) {
      next = Math.min(at + this.#extraBytes - this.#seen, endExclusive);
      this.#seen += next - at;
    } else {
      this.#takeByte(bytes[at]!);
    }
    this.#offset += next - at;
    while (this.#stepIsComplete()) {
      this.#step = (this.#step + 1) as Step;
      this.#seen = 0;
    }
    return next;
  }

  #takeByte(byte: number): void {
    switch (this.#step) {
      case Step.fixed:
        this.#takeFixed(byte);
        this.#seen++;
        break;
      case Step.extraLength:
        this.#extraBytes |= byte << (8 * this.#seen++);
        break;
      case Step.headerCrc:
        this.#storedCrc |= byte << (8 * this.#seen++);
        break;
      default: // A name or a comment, ended by a NUL.
        this.#seen = byte === 0 ? -1 : this.#seen + 1;
        if (this.#seen > MAX_HEADER_TEXT_BYTES) {
          const field = this.#step === Step.name ? "file name in header" : "comment in header";
          throw this.#error(field, `more than ${MAX_HEADER_TEXT_BYTES} bytes`);
        }
    }
  }

  #takeFixed(byte: number): void {
    if (this.#seen === 0 && byte !== MAGIC_0) throw this.#error("magic", hex(byte), hex(MAGIC_0));
    if (this.#seen === 1 && byte !== MAGIC_1) throw this.#error("magic", hex(byte), hex(MAGIC_1));
    if (this.#seen === METHOD_AT && byte !== METHOD_DEFLATE) {
      throw this.#error("compression method", byte, METHOD_DEFLATE);
    }
    if (this.#seen === FLAGS_AT) {
      if ((byte & RESERVED_FLAGS) !== 0) throw this.#error("flags", hex(byte), "reserved bits 5 to 7 clear");
      this.#flags = byte;
    }
  }

  #stepIsComplete(): boolean {
    switch (this.#step) {
      case Step.fixed:
        return this.#seen === FIXED_BYTES;
      case Step.extraLength:
        return (this.#flags & FEXTRA) === 0 || this.#seen === 2;
      case Step.extra:
        return this.#seen === this.#extraBytes;
      case Step.name:
        return (this.#flags & FNAME) === 0 || this.#seen === -1;
      case Step.comment:
        return (this.#flags & FCOMMENT) === 0 || this.#seen === -1;
      case Step.headerCrc:
        return (this.#flags & FHCRC) === 0;
      default:
        return false;
    }
  }

  #error(field: string, actual: string | number, expected?: string | number): CorruptError {
    const details = { subject: "gzip", field, offset: this.#offset, actual };
    return new CorruptError(expected === undefined ? details : { ...details, expected });
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
