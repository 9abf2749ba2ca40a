/** Writes deflate data by hand, for what no compressor writes. Source: RFC 1951, section 3.2. */
import { crc32 } from "node:zlib";

/** Bits, lowest first. */
export class DeflateWriter {
  #bytes: number[] = [];
  #bitCount = 0;

  /** `count` bits of `value`, lowest first. */
  bits(value: number, count: number): this {
    for (let i = 0; i < count; i++) {
      if (this.#bitCount % 8 === 0) this.#bytes.push(0);
      if ((value >>> i) & 1) this.#bytes[this.#bytes.length - 1]! |= 1 << (this.#bitCount % 8);
      this.#bitCount++;
    }
    return this;
  }

  /** A block of bytes as they are, at most 65,535. */
  stored(bytes: Uint8Array, final = false): this {
    this.bits(final ? 1 : 0, 1).bits(0, 2);
    while (this.#bitCount % 8 !== 0) this.bits(0, 1);
    this.bits(bytes.length, 16).bits(bytes.length ^ 0xffff, 16);
    for (const byte of bytes) this.#bytes.push(byte);
    this.#bitCount += bytes.length * 8;
    return this;
  }

  /** The header of a block with the fixed codes. */
  fixed(final = false): this {
    return this.bits(final ? 1 : 0, 1).bits(1, 2);
  }

  /** Symbol 0 to 287 of the fixed literal and length code. */
  symbol(symbol: number): this {
    if (symbol < 144) return this.#code(0x30 + symbol, 8);
    if (symbol < 256) return this.#code(0x190 + symbol - 144, 9);
    if (symbol < 280) return this.#code(symbol - 256, 7);
    return this.#code(0xc0 + symbol - 280, 8);
  }

  /** A copy of 258 bytes from `distance` back: distance symbol `distanceSymbol` with `extraBits` bits of `extra`. */
  copy258({ distanceSymbol, extra, extraBits }: { distanceSymbol: number; extra: number; extraBits: number }): this {
    return this.symbol(285).#code(distanceSymbol, 5).bits(extra, extraBits);
  }

  /** A copy of 258 bytes from as far back as there is, 32,768. */
  copyFarthest(): this {
    return this.copy258({ distanceSymbol: 29, extra: 8191, extraBits: 13 });
  }

  endOfBlock(): this {
    return this.symbol(256);
  }

  get deflate(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }

  #code(code: number, count: number): this {
    for (let i = count - 1; i >= 0; i--) this.bits((code >>> i) & 1, 1);
    return this;
  }
}

/** A gzip member around deflate data, with the optional header fields that are asked for. */
export function gzipMember(
  deflate: Uint8Array,
  plain: Uint8Array,
  { extra, name, comment, headerCrc = false, text = false }: {
    extra?: Uint8Array;
    name?: string;
    comment?: string;
    headerCrc?: boolean;
    text?: boolean;
  } = {},
): Uint8Array<ArrayBuffer> {
  const flags = (text ? 1 : 0) | (headerCrc ? 2 : 0) | (extra ? 4 : 0) | (name === undefined ? 0 : 8) |
    (comment === undefined ? 0 : 16);
  const header = [0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255];
  if (extra) header.push(extra.length & 255, extra.length >> 8, ...extra);
  for (const value of [name, comment]) if (value !== undefined) header.push(...new TextEncoder().encode(value), 0);
  if (headerCrc) {
    const crc = crc32(Uint8Array.from(header)) & 0xffff;
    header.push(crc & 255, crc >> 8);
  }
  const member = new Uint8Array(header.length + deflate.length + 8);
  member.set(header);
  member.set(deflate, header.length);
  const view = new DataView(member.buffer);
  view.setUint32(header.length + deflate.length, crc32(plain), true);
  view.setUint32(header.length + deflate.length + 4, plain.length, true);
  return member;
}
