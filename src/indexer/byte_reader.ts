import { type ByteString, CorruptError, messageOf } from "../base/mod.ts";

const SEVEN_BITS = 128;
/** 2^49: what the eighth byte of a count is worth; a seventh of 2^56 would leave the whole numbers. */
const LAST_WEIGHT = 2 ** 49;
/** `apply` takes as many arguments on every stack. */
const MAX_UNITS_AT_ONCE = 8192;

/**
 * Reads what a ByteWriter wrote, from bytes that are not to be trusted: whatever goes wrong is a CorruptError that
 * names the field, the byte it begins at, what was found and what was expected. Nothing is believed that leads behind
 * the last byte.
 */
export class ByteReader {
  #bytes: Uint8Array;
  #at = 0;
  #subject: string;
  #source: string;
  #table = "";
  #row = -1;
  /** The path that front coding is relative to, as units; kept, so that its beginning need not be read again. */
  #path: number[] = [];

  /** @param bytes Only looked at. @param place For messages. */
  constructor(bytes: Uint8Array, { subject, source }: { subject: string; source: string }) {
    this.#bytes = bytes;
    this.#subject = subject;
    this.#source = source;
  }

  /** How many bytes have not been read. */
  get remainingBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /** How many bytes have been read. */
  get position(): number {
    return this.#at;
  }

  /** The bytes read since `position` was `start`: a view. */
  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#at);
  }

  /** Fields read from now on are those of `table[row]`; an empty name: of no table. */
  within(table: string, row = -1): void {
    this.#table = table;
    this.#row = row;
  }

  /** Says that a field is wrong. @param at Where it begins; default here. */
  bad(field: string, actual: string | number, expected: string | number, at: number = this.#at): never {
    const prefix = this.#table === "" ? "" : `${this.#table}${this.#row < 0 ? "" : `[${this.#row}]`}.`;
    const place = { subject: this.#subject, source: this.#source, field: `${prefix}${field}`, offset: at };
    throw new CorruptError({ ...place, actual, expected });
  }

  /** A byte, 0 to `max`. */
  u8(field: string, max: number): number {
    const value = this.#next(field);
    if (value > max) this.bad(field, value, `at most ${max}`, this.#at - 1);
    return value;
  }

  /** A count of at most `max`. */
  count(field: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const start = this.#at;
    let value = this.#next(field);
    if (value >= SEVEN_BITS) value = this.#longCount(field, value - SEVEN_BITS);
    if (value > max) this.bad(field, value, `at most ${max}`, start);
    return value;
  }

  /** The next `length` bytes: a view. */
  raw(field: string, length: number): Uint8Array {
    this.#need(field, length);
    return this.#bytes.subarray(this.#at, this.#at += length);
  }

  /** A number of bytes, at most `max`, and the bytes: a view. */
  counted(field: string, max: number): Uint8Array {
    return this.raw(field, this.count(field, max));
  }

  /** A length, at most `max`, and as many units. */
  countedUnits(field: string, max: number): ByteString {
    const length = this.count(field, max);
    this.#need(field, length);
    let text = "";
    for (const end = this.#at + length; this.#at < end;) {
      const piece = this.#bytes.subarray(this.#at, Math.min(end, this.#at + MAX_UNITS_AT_ONCE));
      text += String.fromCharCode.apply(null, piece as unknown as number[]);
      this.#at += piece.length;
    }
    return text;
  }

  /** A number of bytes and the bytes, as UTF-8. */
  countedText(field: string): string {
    const start = this.#at;
    const bytes = this.counted(field, this.remainingBytes);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      return this.bad(field, messageOf(error), "UTF-8", start);
    }
  }

  /**
   * How many units of the path read last begin this one, how many follow, and those; 1 to `max` in all. One array
   * holds the path as it changes: 0.25 µs a path on every Deno, where the ready-made decoders take up to 3.7.
   */
  frontCoded(field: string, max: number): ByteString {
    const path = this.#path;
    const shared = this.count(field, path.length);
    const start = this.#at;
    const added = this.count(field, max - shared);
    this.#need(field, added);
    const length = shared + added;
    if (length === 0) this.bad(field, "nothing", `1 to ${max} bytes`, start);
    path.length = length;
    for (let i = shared; i < length; i++) path[i] = this.#bytes[this.#at++]!;
    if (length <= MAX_UNITS_AT_ONCE) return String.fromCharCode.apply(null, path);
    let text = "";
    for (let i = 0; i < length; i += MAX_UNITS_AT_ONCE) {
      text += String.fromCharCode.apply(null, path.slice(i, i + MAX_UNITS_AT_ONCE));
    }
    return text;
  }

  /** Says that this is the end. */
  end(): void {
    if (this.remainingBytes > 0) this.bad("end", `${this.remainingBytes} more bytes`, "the end");
  }

  /** The rest of a count of more than one byte. */
  #longCount(field: string, low: number): number {
    const start = this.#at - 1;
    let value = low;
    for (let weight = SEVEN_BITS; weight <= LAST_WEIGHT; weight *= SEVEN_BITS) {
      const byte = this.#next(field);
      value += (byte % SEVEN_BITS) * weight;
      if (byte < SEVEN_BITS) return value;
    }
    return this.bad(field, "more than 8 bytes", "a count", start);
  }

  #next(field: string): number {
    if (this.#at >= this.#bytes.length) this.bad(field, "the end", "a byte");
    return this.#bytes[this.#at++]!;
  }

  #need(field: string, length: number): void {
    if (length > this.remainingBytes) this.bad(field, `${length} bytes`, `at most ${this.remainingBytes}`);
  }
}
