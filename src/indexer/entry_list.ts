import { ClipError, GIB, MIB } from "../base/mod.ts";
import type { TarEntry } from "../tar/mod.ts";
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { MIN_ENTRY_BYTES, NO_ENTRY, readEntry, TAR_BLOCK_BYTES, writeEntry } from "./entries_coding.ts";

/** All paths together: front coding could make a long path of each few bytes. */
const MAX_PATH_BYTES_IN_ALL = 512 * MIB;
/** All that is written of them. */
const MAX_BYTES = GIB;

/**
 * Entries of a layer, in order, as the bytes that a layer index has of them: 30 to 60 an entry, where objects take
 * several hundred, and no work for the collector. They become objects one at a time, at some 0.5 µs each.
 */
export class EntryList implements Iterable<TarEntry> {
  /** How many. */
  readonly length: number;
  /** Each relative to the one before; well-formed. */
  readonly bytes: Uint8Array;

  /** For those who have written the bytes, or read them once. */
  constructor(length: number, bytes: Uint8Array) {
    this.length = length;
    this.bytes = bytes;
  }

  /** The entries, made anew. */
  *[Symbol.iterator](): Generator<TarEntry> {
    const reader = new ByteReader(this.bytes, { subject: "entries", source: "a layer" });
    let entry = NO_ENTRY;
    for (let left = this.length; left > 0; left--) yield entry = readEntry(reader, entry, Number.MAX_SAFE_INTEGER);
  }

  /** A list of these. @throws {ClipError} as {@linkcode EntryListWriter} does. */
  static of(entries: Iterable<TarEntry>): EntryList {
    const writer = new EntryListWriter();
    for (const entry of entries) writer.add(entry);
    return writer.finish();
  }
}

/** Makes a list, entry by entry. */
export class EntryListWriter {
  #writer = new ByteWriter(MAX_BYTES);
  #before = NO_ENTRY;
  #length = 0;
  #pathBytes = 0;
  #maxPathBytesInAll: number;

  /** @param maxPathBytesInAll What the paths may take together. */
  constructor(maxPathBytesInAll: number = MAX_PATH_BYTES_IN_ALL) {
    this.#maxPathBytesInAll = maxPathBytesInAll;
  }

  /** How many there are so far. */
  get length(): number {
    return this.#length;
  }

  /** The next. @throws {ClipError} `limit` where the paths, or all, are longer than any reader would take. */
  add(entry: TarEntry): void {
    this.#pathBytes += entry.path.length;
    if (this.#pathBytes > this.#maxPathBytesInAll) {
      throw new ClipError("limit", `the paths of a layer take more than ${this.#maxPathBytesInAll} bytes`);
    }
    writeEntry(this.#writer, entry, this.#before);
    this.#before = entry;
    this.#length++;
  }

  /** The list; nothing can be added then. */
  finish(): EntryList {
    return new EntryList(this.#length, this.#writer.written());
  }
}

/** How many there are, and each relative to the one before. */
export function writeEntries(writer: ByteWriter, { length, bytes }: EntryList): void {
  writer.count(length);
  writer.raw(bytes);
}

/**
 * Entries such as a scan of a layer of `plainBytes` yields: in order, their data one behind the other and inside the
 * layer. Paths may be hostile still. All are looked at; the list is a view of the reader's bytes.
 * @param maxPathBytesInAll What their paths may take together. @throws {CorruptError}
 */
export function readEntries(
  reader: ByteReader,
  plainBytes: number,
  maxPathBytesInAll: number = MAX_PATH_BYTES_IN_ALL,
): EntryList {
  reader.within("entries");
  const fit = Math.min(reader.remainingBytes / MIN_ENTRY_BYTES, plainBytes / TAR_BLOCK_BYTES);
  const count = reader.count("number", Math.floor(fit));
  const start = reader.position;
  let entry = NO_ENTRY;
  let pathBytes = 0;
  for (let row = 0; row < count; row++) {
    reader.within("entries", row);
    entry = readEntry(reader, entry, plainBytes);
    pathBytes += entry.path.length;
    if (pathBytes > maxPathBytesInAll) {
      reader.bad("path", `${pathBytes} bytes with those before`, `at most ${maxPathBytesInAll}`);
    }
  }
  return new EntryList(count, reader.since(start));
}
