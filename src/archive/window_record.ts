/** A window in as few bytes as it takes: only the parts that are referred to, and the head of the block it starts in. */
import { CorruptError } from "../base/mod.ts";
import { MAX_BLOCK_HEADER_BYTES, MAX_WINDOW_BYTES } from "./layout.ts";

/** What a decoder needs besides the place. */
export interface WindowParts {
  /** How far back the window reaches, 0 to MAX_WINDOW_BYTES. */
  readonly lengthBytes: number;
  /** The parts that are kept: pairs of start (from the oldest byte) and length, ascending and apart. */
  readonly runs: Uint32Array;
  /** Their bytes, end to end. */
  readonly bytes: Uint8Array;
  /** What the codec keeps of the block that the place is in or before; empty where it keeps nothing. */
  readonly blockHeader: Uint8Array;
}

/** A window as a decoder takes it. */
export interface UnpackedWindow {
  /** At its full length, oldest byte first; zeros where nothing was kept. */
  readonly window: Uint8Array;
  /** Empty between blocks. */
  readonly blockHeader: Uint8Array;
}

/** The parts as a record; nothing at all where there is neither a window nor a header. */
export function packWindow({ lengthBytes, runs, bytes, blockHeader }: WindowParts): Uint8Array {
  if (lengthBytes === 0 && blockHeader.length === 0) return new Uint8Array(0);
  const numbers: number[] = [];
  putNumber(numbers, blockHeader.length);
  putNumber(numbers, lengthBytes);
  putNumber(numbers, runs.length / 2);
  let end = 0;
  for (let i = 0; i < runs.length; i += 2) {
    putNumber(numbers, runs[i]! - end);
    putNumber(numbers, runs[i + 1]!);
    end = runs[i]! + runs[i + 1]!;
  }
  const record = new Uint8Array(numbers.length + blockHeader.length + bytes.length);
  record.set(numbers);
  record.set(blockHeader, numbers.length);
  record.set(bytes, numbers.length + blockHeader.length);
  return record;
}

/** What a record holds, without its bytes. */
export interface WindowSizes {
  /** Of the window at its full length. */
  readonly windowBytes: number;
  /** Of the block header; 0 between blocks. */
  readonly blockHeaderBytes: number;
}

/** Checks a record, without making the window of it. @throws {CorruptError} as `unpackWindow`. */
export function checkWindowRecord(record: Uint8Array, source: string): WindowSizes {
  if (record.length === 0) return { windowBytes: 0, blockHeaderBytes: 0 };
  const { lengthBytes, headerBytes } = readNumbers(record, source);
  return { windowBytes: lengthBytes, blockHeaderBytes: headerBytes };
}

/** The window of a record. @throws {CorruptError} where its numbers contradict each other; `source` is for the message. */
export function unpackWindow(record: Uint8Array, source: string): UnpackedWindow {
  if (record.length === 0) return { window: record, blockHeader: record };
  const { lengthBytes, headerBytes, runs, headerAt } = readNumbers(record, source);
  const window = new Uint8Array(lengthBytes);
  let at = headerAt + headerBytes;
  for (let i = 0; i < runs.length; i += 2) {
    window.set(record.subarray(at, at += runs[i + 1]!), runs[i]!);
  }
  return { window, blockHeader: record.slice(headerAt, headerAt + headerBytes) };
}

/** The numbers at the front of a record; behind them, from `headerAt` on, are the header and the parts, and nothing else. */
function readNumbers(
  record: Uint8Array,
  source: string,
): { lengthBytes: number; headerBytes: number; runs: Uint32Array; headerAt: number } {
  const reader = new NumberReader(record, source);
  const headerBytes = reader.next("block header length", MAX_BLOCK_HEADER_BYTES);
  const lengthBytes = reader.next("window length", MAX_WINDOW_BYTES);
  const count = reader.next("number of parts", Math.min(lengthBytes, record.length >> 1));
  const runs = new Uint32Array(2 * count);
  let end = 0;
  let keptBytes = 0;
  for (let i = 0; i < count; i++) {
    const start = end + reader.next("gap", lengthBytes - end);
    const length = reader.next("part length", lengthBytes - start);
    runs[2 * i] = start;
    runs[2 * i + 1] = length;
    end = start + length;
    keptBytes += length;
  }
  reader.expectLeft(headerBytes + keptBytes);
  return { lengthBytes, headerBytes, runs, headerAt: reader.at };
}

/** LEB128: seven bits a byte, lowest first, the highest bit set where more follow. */
function putNumber(into: number[], value: number): void {
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) into.push((rest & 0x7f) | 0x80);
  into.push(rest);
}

class NumberReader {
  at = 0;
  #record: Uint8Array;
  #source: string;

  constructor(record: Uint8Array, source: string) {
    this.#record = record;
    this.#source = source;
  }

  next(field: string, most: number): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#record[this.at++];
      if (byte === undefined) this.#bad(field, "the end of the record", "a number");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > most) this.#bad(field, value, `at most ${most}`);
        return value;
      }
    }
    this.#bad(field, "a number of more than four bytes", `at most ${most}`);
  }

  expectLeft(bytes: number): void {
    const left = this.#record.length - this.at;
    if (left !== bytes) this.#bad("length", left, bytes);
  }

  #bad(field: string, actual: string | number, expected: string | number): never {
    throw new CorruptError({ subject: "archive", source: this.#source, field: `window ${field}`, actual, expected });
  }
}
