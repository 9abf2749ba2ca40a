import { type ByteString, CorruptError, toByteString } from "../base/mod.ts";
import { BLOCK_BYTES } from "./header.ts";
import type { TarLimits } from "./limits.ts";
import { parsePaxRecords, type PaxRecords } from "./pax.ts";

/** The types of header whose data are about the entry to come: PAX, Solaris' name for it, PAX global, GNU. */
const EXTENDED_TYPES = "xXgLK";

/** What the keywords of sparse files begin with. */
const SPARSE_KEYWORDS = "GNU.sparse.";

/** What the extended headers before an entry said. */
export interface Extensions {
  /** Of PAX headers for this entry. */
  readonly pax: PaxRecords;
  /** Of PAX global headers. */
  readonly globalPax: PaxRecords;
  /** Of GNU's 'L' header; empty where there was none. */
  readonly longName: ByteString;
  /** Of GNU's 'K' header; empty where there was none. */
  readonly longLink: ByteString;
}

/** Whether headers of this type are extended headers. */
export function isExtendedType(typeflag: string): boolean {
  return EXTENDED_TYPES.includes(typeflag);
}

/** Gathers extended headers until the entry they are about. */
export class ExtendedHeaders implements Extensions {
  pax: PaxRecords = new Map();
  readonly globalPax: PaxRecords = new Map();
  longName: ByteString = "";
  longLink: ByteString = "";
  readonly #limits: TarLimits;
  #typeflag = "";
  #headerOffset = 0;
  #data = new Uint8Array(0);
  #filledBytes = 0;
  /** Of all headers since the last entry, blocks and data. */
  #totalBytes = 0;

  /** `limits` bound what is held. */
  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** Starts a header whose data come next. @throws {CorruptError} where it is too large, or one too many. */
  start({ typeflag, sizeBytes, headerOffset }: { typeflag: string; sizeBytes: number; headerOffset: number }): void {
    this.#typeflag = typeflag;
    this.#headerOffset = headerOffset;
    const { extendedHeaderBytes, extendedBytesPerEntry } = this.#limits;
    this.#bound("size of an extended header", sizeBytes, extendedHeaderBytes);
    this.#totalBytes += BLOCK_BYTES + sizeBytes;
    this.#bound("extended headers before one entry", this.#totalBytes, extendedBytesPerEntry);
    this.#data = new Uint8Array(sizeBytes);
    this.#filledBytes = 0;
  }

  /** Takes what is missing of the data from `bytes` at `at`; returns the position after it. */
  fill(bytes: Uint8Array, at: number): number {
    const endExclusive = Math.min(at + this.#data.length - this.#filledBytes, bytes.length);
    this.#data.set(bytes.subarray(at, endExclusive), this.#filledBytes);
    this.#filledBytes += endExclusive - at;
    return endExclusive;
  }

  /** How much of the data has still to come. */
  get missingBytes(): number {
    return this.#data.length - this.#filledBytes;
  }

  /** Whether all of the data has come. */
  get isFull(): boolean {
    return this.#filledBytes === this.#data.length;
  }

  /** Reads the data, all of which has come; returns how long it was. @throws {CorruptError} where it is malformed. */
  finish(): number {
    const data = this.#data;
    this.#data = new Uint8Array(0);
    this.#filledBytes = 0;
    if (this.#typeflag === "L") this.longName = untilNul(data) || this.longName;
    else if (this.#typeflag === "K") this.longLink = untilNul(data) || this.longLink;
    else if (this.#typeflag === "g") this.#addGlobals(data);
    else {
      // Of several the last counts, as for Go's reader and GNU tar: records of two do not add up.
      this.pax = new Map();
      parsePaxRecords(data, this.pax, this.#headerOffset);
    }
    return data.length;
  }

  /** Forgets all but the global records; returns whether there was anything. */
  clear(): boolean {
    const wasUsed = this.pax.size > 0 || this.longName !== "" || this.longLink !== "";
    if (this.pax.size > 0) this.pax = new Map();
    this.longName = "";
    this.longLink = "";
    this.#totalBytes = 0;
    return wasUsed;
  }

  /** Global records last for the whole archive, so they are bounded together. An empty value deletes. */
  #addGlobals(data: Uint8Array): void {
    parsePaxRecords(data, this.globalPax, this.#headerOffset);
    let totalBytes = 0;
    for (const [keyword, value] of this.globalPax) {
      // A map of one file, which would be gone through anew for each file behind it.
      if (value === "" || keyword.startsWith(SPARSE_KEYWORDS)) this.globalPax.delete(keyword);
      else totalBytes += keyword.length + value.length;
    }
    this.#bound("PAX global records", totalBytes, this.#limits.globalRecordBytes);
    this.#bound("PAX global records", this.globalPax.size, this.#limits.globalRecords, "records");
  }

  #bound(field: string, actual: number, most: number, unit: "bytes" | "records" = "bytes"): void {
    if (actual <= most) return;
    const expected = `at most ${most} ${unit}`;
    throw new CorruptError({ subject: "tar", field, offset: this.#headerOffset, actual, expected });
  }
}

function untilNul(data: Uint8Array): ByteString {
  const nul = data.indexOf(0);
  return toByteString(data, 0, nul < 0 ? data.length : nul);
}
