import { type ByteString, ClipError, formatBytes, KIB } from "../base/mod.ts";

const SEVEN_BITS = 128;
/** Most bytes that a count takes: 53 bits in sevens. */
const MAX_COUNT_BYTES = 8;

/**
 * Bytes in a row, growing as they come. A *count* is a whole number, 0 to 2^53−1, in sevens of bits, least significant
 * first, the eighth bit set in all bytes but the last. What it writes, {@linkcode ByteReader} reads.
 */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;
  #maxBytes: number;

  /**
   * @param maxBytes More than these are refused with a ClipError of code `limit`.
   * @param roomBytes As many as will come, about: there is room for them from the beginning.
   */
  constructor(maxBytes: number, roomBytes: number = 64 * KIB) {
    this.#maxBytes = maxBytes;
    this.#bytes = new Uint8Array(Math.min(roomBytes, maxBytes));
  }

  /** A byte, 0 to 255. */
  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A count. */
  count(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new ClipError("internal", `internal error: ${value} is no count`);
    }
    this.#reserve(MAX_COUNT_BYTES);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    while (rest >= SEVEN_BITS) {
      bytes[at++] = rest % SEVEN_BITS + SEVEN_BITS;
      rest = Math.floor(rest / SEVEN_BITS);
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  /** These bytes, copied, without their number. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The units [start, end) of a byte string, without their number. */
  units(text: ByteString, start = 0): void {
    this.#reserve(text.length - start);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = start; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  /** The number of bytes, and the bytes. */
  counted(bytes: Uint8Array): void {
    this.count(bytes.length);
    this.raw(bytes);
  }

  /** The length of a byte string, and its units. */
  countedUnits(text: ByteString): void {
    this.count(text.length);
    this.units(text);
  }

  /** All that was written: a view that further writing may change. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#maxBytes) {
      throw new ClipError("limit", `the index of a layer would take more than ${formatBytes(this.#maxBytes)}`);
    }
    // The old bytes are moved, or freed at once: waiting for the collector, all of them would be held together.
    const grown = Math.min(Math.max(needed, 2 * this.#bytes.length), this.#maxBytes);
    this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(grown));
  }
}
