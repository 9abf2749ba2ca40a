/** PAX extended headers. Source: POSIX.1-2017, pax, "pax Extended Header". */
import { type ByteString, CorruptError, displayByteString, fromByteString, toByteString } from "../base/mod.ts";
import type { TarLimits } from "./limits.ts";

/** Records by keyword; of equal keywords the last. An empty value says that earlier ones no longer hold. */
export type PaxRecords = Map<ByteString, ByteString>;

const SPARSE_OFFSET = "GNU.sparse.offset";
const SPARSE_LENGTH = "GNU.sparse.numbytes";
/** Under which keyword the pairs of sparse format 0.0, where two keywords take turns, are joined as 0.1 has them. */
export const SPARSE_MAP = "GNU.sparse.map";

const SCHILY_XATTR = "SCHILY.xattr.";
const LIBARCHIVE_XATTR = "LIBARCHIVE.xattr.";

/**
 * Adds the records in `data` to `records`. `headerOffset` is that of the extended header's block, for messages.
 * @throws {CorruptError} where a record is not `length keyword=value\n` with the length of just that, or a keyword has
 * a NUL in it.
 */
export function parsePaxRecords(data: Uint8Array, records: PaxRecords, headerOffset: number): void {
  let sparsePairs: string[] | undefined;
  for (let at = 0; at < data.length;) {
    const { keyword, value, endExclusive } = parseRecord(data, at, headerOffset);
    if (keyword === SPARSE_OFFSET || keyword === SPARSE_LENGTH) {
      sparsePairs ??= [];
      if (sparsePairs.length % 2 !== (keyword === SPARSE_OFFSET ? 0 : 1)) {
        throw badRecord(headerOffset, `"${keyword}" out of turn`, "pairs of offset and numbytes");
      }
      sparsePairs.push(value);
    } else {
      records.set(keyword, value);
    }
    at = endExclusive;
  }
  if (sparsePairs !== undefined) records.set(SPARSE_MAP, sparsePairs.join(","));
}

function parseRecord(
  data: Uint8Array,
  at: number,
  headerOffset: number,
): { keyword: ByteString; value: ByteString; endExclusive: number } {
  let length = 0;
  let next = at;
  for (; next < data.length && data[next]! >= 0x30 && data[next]! <= 0x39; next++) {
    length = length * 10 + data[next]! - 0x30;
    if (length > data.length) break;
  }
  const bad = (expected: string) => {
    const start = displayByteString(toByteString(data, at, Math.min(at + 40, data.length)));
    return badRecord(headerOffset, `"${start}"`, expected);
  };
  if (next === at || data[next] !== 0x20) throw bad("a length and a space");
  const endExclusive = at + length;
  if (endExclusive > data.length || endExclusive <= next + 1 || data[endExclusive - 1] !== 0x0a) {
    throw bad(`a newline as its last of ${length} bytes`);
  }
  const equals = data.indexOf(0x3d, next + 1);
  if (equals < 0 || equals >= endExclusive || equals === next + 1) {
    throw bad("a keyword and an equals sign");
  }
  const keyword = toByteString(data, next + 1, equals);
  if (keyword.includes("\0")) throw bad("no NUL in the keyword");
  return { keyword, value: toByteString(data, equals + 1, endExclusive - 1), endExclusive };
}

function badRecord(headerOffset: number, actual: string, expected: string): CorruptError {
  return new CorruptError({ subject: "tar", field: "PAX record", offset: headerOffset, actual, expected });
}

/** The records in force for an entry: its own before the global ones. */
export class PaxView {
  #local: PaxRecords;
  #global: PaxRecords;
  #headerOffset: number;
  #limits: TarLimits;

  /** `headerOffset` is that of the entry's own header, for messages. */
  constructor(local: PaxRecords, global: PaxRecords, headerOffset: number, limits: TarLimits) {
    this.#local = local;
    this.#global = global;
    this.#headerOffset = headerOffset;
    this.#limits = limits;
  }

  /** The value of a keyword; undefined where there is none or it was deleted by an empty one. */
  get(keyword: string): ByteString | undefined {
    const value = this.#local.get(keyword) ?? this.#global.get(keyword);
    return value === "" ? undefined : value;
  }

  /** A path or link target. @throws {CorruptError} with a NUL in it. */
  path(keyword: string): ByteString | undefined {
    const value = this.get(keyword);
    if (value !== undefined && value.includes("\0")) throw this.#bad(keyword, value, "no NUL");
    return value;
  }

  /** A whole number. @throws {CorruptError} where it is none of 0 to `max`. */
  number(keyword: string, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.get(keyword);
    if (value === undefined) return undefined;
    const number = parseDecimal(value);
    if (number === undefined || number > max) throw this.#bad(keyword, value, `0 to ${max}`);
    return number;
  }

  /** A time: seconds rounded down, and the nanoseconds after them. @throws {CorruptError} where it is none. */
  time(keyword: string): { seconds: number; nanoseconds: number } | undefined {
    const value = this.get(keyword);
    if (value === undefined) return undefined;
    const match = /^(-?)(\d{1,16})(?:\.(\d*))?$/.exec(value);
    const whole = match === null ? NaN : Number(match[2]);
    if (!Number.isSafeInteger(whole)) throw this.#bad(keyword, value, "decimal seconds");
    // More digits than nanoseconds have are cut off.
    const part = Number((match![3] ?? "").slice(0, 9).padEnd(9, "0"));
    if (match![1] === "") return { seconds: whole, nanoseconds: part };
    return part === 0 ? { seconds: 0 - whole, nanoseconds: 0 } : { seconds: -1 - whole, nanoseconds: 1e9 - part };
  }

  /**
   * The extended attributes, undefined where there are none. Where both ways of writing one are present, as bsdtar
   * does, they say the same; star's, which holds the bytes as they are, is taken.
   * @throws {CorruptError} where one is beyond the bounds or badly encoded.
   */
  xattrs(): ReadonlyMap<ByteString, Uint8Array> | undefined {
    let xattrs: Map<ByteString, Uint8Array> | undefined;
    for (const prefix of [LIBARCHIVE_XATTR, SCHILY_XATTR]) {
      for (const records of [this.#global, this.#local]) {
        for (const keyword of records.keys()) {
          if (!keyword.startsWith(prefix)) continue;
          const value = this.get(keyword);
          const name = this.#xattrName(keyword, prefix);
          if (value === undefined) continue;
          xattrs ??= new Map();
          xattrs.set(name, this.#xattrValue(keyword, value, prefix));
          if (xattrs.size > this.#limits.xattrs) {
            throw this.#bad("xattrs", `${xattrs.size}`, `at most ${this.#limits.xattrs}`);
          }
        }
      }
    }
    return xattrs;
  }

  #xattrName(keyword: ByteString, prefix: string): ByteString {
    let name = keyword.slice(prefix.length);
    if (prefix === LIBARCHIVE_XATTR) {
      name = name.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    }
    const { xattrNameBytes } = this.#limits;
    if (name === "" || name.length > xattrNameBytes || name.includes("\0")) {
      throw this.#bad("xattr name", name, `1 to ${xattrNameBytes} bytes, none of them NUL`);
    }
    return name;
  }

  #xattrValue(keyword: ByteString, value: ByteString, prefix: string): Uint8Array {
    let bytes = value;
    if (prefix === LIBARCHIVE_XATTR) {
      try {
        bytes = atob(value);
      } catch {
        throw this.#bad(keyword, value, "base64");
      }
    }
    if (bytes.length > this.#limits.xattrValueBytes) {
      throw this.#bad(`length of ${keyword}`, `${bytes.length}`, `at most ${this.#limits.xattrValueBytes}`);
    }
    return fromByteString(bytes);
  }

  #bad(field: ByteString, value: ByteString, expected: string): CorruptError {
    const actual = `"${displayByteString(value.slice(0, 100))}"`;
    const name = displayByteString(field.slice(0, 100));
    return new CorruptError({ subject: "tar", field: name, offset: this.#headerOffset, actual, expected });
  }
}

/** The value of decimal digits, undefined where `text` is anything else or beyond 2^53−1. */
export function parseDecimal(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
