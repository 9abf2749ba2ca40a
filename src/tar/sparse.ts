/** Sparse maps, in the four ways GNU tar has written them. Source: GNU tar manual, "Storing Sparse Files". */
import { CorruptError } from "../base/mod.ts";
import type { SparseRun } from "./entry.ts";
import { BLOCK_BYTES, type Field, readNumber, SPARSE_NUMBER_BYTES, SPARSE_RUN_BYTES } from "./header.ts";
import { parseDecimal } from "./pax.ts";

/** Collects the runs of one file in order, and checks them. */
export class SparseMap {
  readonly #runs: SparseRun[] = [];
  readonly #headerOffset: number;
  readonly #maxRuns: number;
  #seenRuns = 0;
  #endExclusive = 0;
  #storedBytes = 0;

  /** `headerOffset` is that of the file's header, for messages. */
  constructor(headerOffset: number, maxRuns: number) {
    this.#headerOffset = headerOffset;
    this.#maxRuns = maxRuns;
  }

  /**
   * Adds the next run. Empty ones, which mark the end of a file that ends in a hole, are checked and dropped.
   * @throws {CorruptError} where it overlaps the last one, is negative, or one too many.
   */
  add(fileOffset: number, lengthBytes: number): void {
    if (++this.#seenRuns > this.#maxRuns) throw this.bad(`more than ${this.#maxRuns} runs`);
    const endExclusive = fileOffset + lengthBytes;
    if (lengthBytes < 0 || fileOffset < this.#endExclusive || !Number.isSafeInteger(endExclusive)) {
      throw this.bad(`run of ${lengthBytes} bytes at ${fileOffset} after ${this.#endExclusive}`);
    }
    this.#endExclusive = endExclusive;
    this.#storedBytes += lengthBytes;
    if (lengthBytes > 0) this.#runs.push({ fileOffset, lengthBytes });
  }

  /** The runs. @throws {CorruptError} where they reach beyond the file or are not all the data stored. */
  finish({ sizeBytes, storedBytes }: { sizeBytes: number; storedBytes: number }): readonly SparseRun[] {
    if (this.#endExclusive > sizeBytes) throw this.bad(`end ${this.#endExclusive} in a file of ${sizeBytes} bytes`);
    if (this.#storedBytes !== storedBytes) {
      throw this.bad(`${this.#storedBytes} bytes in runs, ${storedBytes} bytes of data`);
    }
    return this.#runs;
  }

  /** Adds the runs of a GNU header or extension block; the first empty field ends them. */
  addFields(block: Uint8Array, { name, at, length }: Field, blockOffset: number): void {
    for (let runAt = at; runAt < at + length && block[runAt] !== 0; runAt += SPARSE_RUN_BYTES) {
      const offsetField = { name, at: runAt, length: SPARSE_NUMBER_BYTES };
      const lengthField = { name, at: runAt + SPARSE_NUMBER_BYTES, length: SPARSE_NUMBER_BYTES };
      this.add(readNumber(block, offsetField, blockOffset), readNumber(block, lengthField, blockOffset));
    }
  }

  /** Adds the runs of PAX formats 0.0 and 0.1: numbers between commas. `count` is what another record says. */
  addList(list: string, count: number | undefined): void {
    const numbers = list.split(",").map(parseDecimal);
    if (numbers.length % 2 !== 0 || numbers.includes(undefined)) throw this.bad("a list that is not pairs of numbers");
    for (let i = 0; i < numbers.length; i += 2) this.add(numbers[i]!, numbers[i + 1]!);
    if (count !== undefined && count !== this.#seenRuns) throw this.bad(`${this.#seenRuns} runs, ${count} announced`);
  }

  /** Checks a count before it is believed. @throws {CorruptError} where so many runs would be too many. */
  checkCount(count: number): void {
    if (count > this.#maxRuns) throw this.bad(`more than ${this.#maxRuns} runs`);
  }

  /** What to throw for a map that breaks the format in the way `actual` says. */
  bad(actual: string): CorruptError {
    return new CorruptError({ subject: "tar", field: "sparse map", offset: this.#headerOffset, actual });
  }
}

const MAX_DIGITS = 16;

/**
 * Reads the map of PAX format 1.0, which lies before the data in whole blocks: the number of runs, then an offset and
 * a length for each, in decimal lines.
 */
export class SparseDataMap {
  /** The map that is added to. */
  readonly map: SparseMap;
  #missingNumbers = -1;
  #value = 0;
  #digits = 0;
  #fileOffset = 0;

  /** Adds to `map`. */
  constructor(map: SparseMap) {
    this.map = map;
  }

  /** Takes the next block; returns whether the map ends in it. @throws {CorruptError} where it is no such map. */
  pushBlock(block: Uint8Array): boolean {
    for (let i = 0; i < BLOCK_BYTES; i++) {
      const byte = block[i]!;
      if (byte >= 0x30 && byte <= 0x39 && this.#digits < MAX_DIGITS) {
        this.#value = this.#value * 10 + byte - 0x30;
        this.#digits++;
      } else if (byte !== 0x0a || this.#digits === 0 || !Number.isSafeInteger(this.#value)) {
        throw this.map.bad("something else than decimal lines");
      } else if (this.#takeNumber(this.#value)) {
        return true;
      }
    }
    return false;
  }

  #takeNumber(value: number): boolean {
    this.#value = 0;
    this.#digits = 0;
    if (this.#missingNumbers < 0) {
      this.map.checkCount(value);
      this.#missingNumbers = value * 2;
    } else {
      this.#missingNumbers--;
      if (this.#missingNumbers % 2 === 1) this.#fileOffset = value;
      else this.map.add(this.#fileOffset, value);
    }
    return this.#missingNumbers === 0;
  }
}
