import { type ByteString, concatenate, fromByteString, toByteString } from "../base/mod.ts";
import type { EntryKind, SparseRun, TarEntry } from "./entry.ts";
import { BLOCK_BYTES, type Field, HEADER } from "./header.ts";

const TYPEFLAGS: Readonly<Record<EntryKind, string>> = {
  "file": "0",
  "hardlink": "1",
  "symlink": "2",
  "character-device": "3",
  "block-device": "4",
  "directory": "5",
  "fifo": "6",
};
const PAX_TYPEFLAG = "x";
/** What other programs call it; the same for all entries, so that a tree has one stream. */
const PAX_NAME = "././@PaxHeader";
const USTAR_MAGIC = "ustar\0" + "00";

/** An entry that is to be written. */
export type NewTarEntry = Omit<TarEntry, "dataPlainOffset" | "storedBytes">;

/** The bytes that come before an entry's data, and how many bytes of data have to follow. */
export interface EncodedEntry {
  /** Headers, and of a sparse file its map; whole blocks. */
  readonly head: Uint8Array;
  /** Bytes of data: of a sparse file those of its runs. Zeros up to a whole block follow them. */
  readonly dataBytes: number;
}

/**
 * Encodes the headers of an entry: ustar's, and where that has no room for something, PAX records before it. Sparse
 * files are in GNU's PAX format 1.0, extended attributes in SCHILY's records, as GNU tar, libarchive and Go read them.
 * The same entry gives the same bytes. Source: POSIX.1-2017, pax; GNU tar manual, "Storing Sparse Files".
 */
export function encodeEntry(entry: NewTarEntry): EncodedEntry {
  const { sparse, sizeBytes } = entry;
  const map = sparse === undefined ? undefined : sparseMap(sparse, sizeBytes);
  const dataBytes = sparse?.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) ?? sizeBytes;
  const pax = new PaxWriter();
  const storedBytes = dataBytes + (map?.length ?? 0);
  if (map !== undefined) {
    pax.add("GNU.sparse.major", "1");
    pax.add("GNU.sparse.minor", "0");
    pax.add("GNU.sparse.name", entry.path);
    pax.add("GNU.sparse.realsize", String(sizeBytes));
  }
  const header = encodeHeader(entry, storedBytes, pax);
  for (const [name, value] of entry.xattrs ?? []) {
    // GNU tar's way to keep the sign that ends a keyword.
    pax.add(`SCHILY.xattr.${name.replaceAll("=", "%3D")}`, toByteString(value));
  }
  return { head: concatenate([...pax.blocks(), header, ...(map === undefined ? [] : [map])]), dataBytes };
}

/**
 * Runs that every reader understands: GNU tar takes each run for whole blocks, where its manual and others know of none.
 * So each but one at the end of the file is made as long as whole blocks are, by what of the hole behind it that takes.
 */
export function wholeBlockRuns(runs: readonly SparseRun[], sizeBytes: number): SparseRun[] {
  const whole: { fileOffset: number; lengthBytes: number }[] = [];
  for (const { fileOffset, lengthBytes } of runs) {
    const last = whole.at(-1);
    const run = last !== undefined && fileOffset <= last.fileOffset + last.lengthBytes
      ? last
      : { fileOffset, lengthBytes: 0 };
    if (run !== last) whole.push(run);
    const endExclusive = fileOffset + lengthBytes + paddingBytes(fileOffset + lengthBytes - run.fileOffset);
    run.lengthBytes = Math.max(run.lengthBytes, Math.min(endExclusive, sizeBytes) - run.fileOffset);
  }
  return whole;
}

/** How many bytes of zeros follow data of that length. */
export function paddingBytes(dataBytes: number): number {
  return (BLOCK_BYTES - dataBytes % BLOCK_BYTES) % BLOCK_BYTES;
}

/** What ends a tar stream. */
export function encodeEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK_BYTES);
}

function encodeHeader(entry: NewTarEntry, storedBytes: number, pax: PaxWriter): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const { path, linkName, mtimeSeconds, mtimeNanoseconds } = entry;
  const split = splitPath(path);
  if (split === undefined) pax.add("path", path);
  writeText(block, HEADER.name, split?.name ?? path.slice(0, HEADER.name.length));
  writeText(block, HEADER.prefix, split?.prefix ?? "");
  if (linkName.length > HEADER.linkname.length) pax.add("linkpath", linkName);
  writeText(block, HEADER.linkname, linkName.slice(0, HEADER.linkname.length));
  writeNumber(block, HEADER.mode, entry.mode);
  for (const name of ["uid", "gid"] as const) {
    if (!fits(entry[name], HEADER[name])) pax.add(name, String(entry[name]));
    writeNumber(block, HEADER[name], fits(entry[name], HEADER[name]) ? entry[name] : 0);
  }
  if (!fits(storedBytes, HEADER.size)) pax.add("size", String(storedBytes));
  writeNumber(block, HEADER.size, fits(storedBytes, HEADER.size) ? storedBytes : 0);
  const isPlainTime = mtimeNanoseconds === 0 && fits(mtimeSeconds, HEADER.mtime);
  if (!isPlainTime) pax.add("mtime", decimalTime(mtimeSeconds, mtimeNanoseconds));
  writeNumber(block, HEADER.mtime, fits(mtimeSeconds, HEADER.mtime) ? mtimeSeconds : 0);
  writeText(block, HEADER.typeflag, TYPEFLAGS[entry.kind]);
  writeText(block, HEADER.magic, USTAR_MAGIC);
  // PAX has no record for these; base-256 is read by all.
  writeNumber(block, HEADER.devmajor, entry.deviceMajor);
  writeNumber(block, HEADER.devminor, entry.deviceMinor);
  writeChecksum(block);
  return block;
}

/** The two fields that a path has room in; undefined where it has not. */
function splitPath(path: ByteString): { prefix: ByteString; name: ByteString } | undefined {
  if (path.length <= HEADER.name.length) return { prefix: "", name: path };
  // The slash between them is in neither, and something has to follow it.
  const slash = path.indexOf("/", path.length - HEADER.name.length - 1);
  if (slash <= 0 || slash > HEADER.prefix.length || slash === path.length - 1) return undefined;
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}

function fits(value: number, { length }: Field): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

function writeText(block: Uint8Array, { at }: Field, text: ByteString): void {
  for (let i = 0; i < text.length; i++) block[at + i] = text.charCodeAt(i);
}

/** Octal digits and a NUL; base-256 where they have no room. */
function writeNumber(block: Uint8Array, field: Field, value: number): void {
  const { at, length } = field;
  if (fits(value, field)) return writeText(block, field, value.toString(8).padStart(length - 1, "0"));
  for (let i = at + length - 1, rest = value; i > at; i--, rest = Math.floor(rest / 256)) block[i] = rest % 256;
  block[at] = 0x80;
}

function writeChecksum(block: Uint8Array): void {
  writeText(block, HEADER.chksum, " ".repeat(HEADER.chksum.length));
  const sum = block.reduce((sum, byte) => sum + byte, 0);
  // Six digits, a NUL and a space, as tar always had it.
  writeText(block, HEADER.chksum, `${sum.toString(8).padStart(6, "0")}\0 `);
}

/** Seconds and the part of one, both negative before 1970 as PAX has them: −1 s and 0.25 s are −0.75. */
function decimalTime(seconds: number, nanoseconds: number): string {
  const isNegative = seconds < 0 && nanoseconds > 0;
  const whole = isNegative ? -(seconds + 1) : Math.abs(seconds);
  const part = isNegative ? 1e9 - nanoseconds : nanoseconds;
  const digits = part === 0 ? "" : `.${String(part).padStart(9, "0").replace(/0+$/, "")}`;
  return `${seconds < 0 ? "-" : ""}${whole}${digits}`;
}

/** The map of GNU's format 1.0, in whole blocks; an empty run says where a file ends that ends in a hole. */
function sparseMap(runs: readonly SparseRun[], sizeBytes: number): Uint8Array {
  const last = runs.at(-1);
  const endsInHole = (last === undefined ? 0 : last.fileOffset + last.lengthBytes) < sizeBytes;
  const all = endsInHole ? [...runs, { fileOffset: sizeBytes, lengthBytes: 0 }] : runs;
  const lines = all.map(({ fileOffset, lengthBytes }) => `${fileOffset}\n${lengthBytes}\n`);
  return padded(fromByteString(`${all.length}\n${lines.join("")}`));
}

/** Collects PAX records. */
class PaxWriter {
  #records: string[] = [];

  /** `keyword` has no `=`; `value` may hold anything. */
  add(keyword: ByteString, value: ByteString): void {
    const rest = ` ${keyword}=${value}\n`;
    // The length counts its own digits.
    let length = rest.length + 1;
    while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
    this.#records.push(`${length}${rest}`);
  }

  /** An extended header with them, or nothing. */
  blocks(): Uint8Array[] {
    if (this.#records.length === 0) return [];
    const data = fromByteString(this.#records.join(""));
    const block = new Uint8Array(BLOCK_BYTES);
    writeText(block, HEADER.name, PAX_NAME);
    writeNumber(block, HEADER.mode, 0o644);
    writeNumber(block, HEADER.uid, 0);
    writeNumber(block, HEADER.gid, 0);
    writeNumber(block, HEADER.size, data.length);
    writeNumber(block, HEADER.mtime, 0);
    writeText(block, HEADER.typeflag, PAX_TYPEFLAG);
    writeText(block, HEADER.magic, USTAR_MAGIC);
    writeChecksum(block);
    return [block, padded(data)];
  }
}

function padded(data: Uint8Array): Uint8Array {
  return concatenate([data, new Uint8Array(paddingBytes(data.length))]);
}
