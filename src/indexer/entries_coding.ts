/** An entry of a layer in a layer index, and back. docs/format.md, "Layer index", tells the bytes. */
import type { ByteString } from "../base/mod.ts";
import { type EntryKind, type SparseRun, TAR_LIMITS, type TarEntry } from "../tar/mod.ts";
import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

/** The number of a kind is its place in this list. */
const KINDS: readonly EntryKind[] = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "character-device",
  "block-device",
  "fifo",
];
const KIND_MASK = 0x07;
/** Bits of an entry's first byte; without the first two, owner and time are those of the entry before. */
const OWNER = 0x08;
const TIME = 0x10;
const BEFORE_1970 = 0x20;
const SPARSE = 0x40;
const XATTRS = 0x80;

/** Headers and data begin at multiples of this. */
export const TAR_BLOCK_BYTES = 512;
const MAX_ID = 2 ** 32 - 1;
const MAX_MODE = 0o7777;
const MAX_NANOSECONDS = 999_999_999;
/** As many bits as Linux has for them. Source: linux/kdev_t.h. */
const MAX_DEVICE_MAJOR = 2 ** 12 - 1;
const MAX_DEVICE_MINOR = 2 ** 20 - 1;
/** The fewest bytes that an entry takes: so many can there be at most in what is left. */
export const MIN_ENTRY_BYTES = 6;
const MIN_RUN_BYTES = 2;
const MIN_XATTR_BYTES = 3;
/** What the first entry is relative to. */
export const NO_ENTRY: TarEntry = {
  kind: "file",
  path: "",
  linkName: "",
  mode: 0,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  sizeBytes: 0,
  dataPlainOffset: 0,
  storedBytes: 0,
  sparse: undefined,
  xattrs: undefined,
};

/** An entry, relative to the one `before`. */
export function writeEntry(writer: ByteWriter, entry: TarEntry, before: TarEntry): void {
  const owner = entry.uid !== before.uid || entry.gid !== before.gid;
  const time = entry.mtimeSeconds !== before.mtimeSeconds || entry.mtimeNanoseconds !== before.mtimeNanoseconds;
  const { kind, sparse, xattrs } = entry;
  let head = KINDS.indexOf(kind);
  if (owner) head |= OWNER;
  if (time) head |= entry.mtimeSeconds < 0 ? TIME | BEFORE_1970 : TIME;
  if (sparse !== undefined) head |= SPARSE;
  if (xattrs !== undefined && xattrs.size > 0) head |= XATTRS;
  writer.u8(head);
  writer.count(entry.mode);
  const shared = sharedUnits(entry.path, before.path);
  writer.count(shared);
  writer.count(entry.path.length - shared);
  writer.units(entry.path, shared);
  writer.count(entry.dataPlainOffset / TAR_BLOCK_BYTES - endBlock(before)); // refuses what is no whole number
  if (owner) {
    writer.count(entry.uid);
    writer.count(entry.gid);
  }
  if (time) {
    writer.count(Math.abs(entry.mtimeSeconds));
    writer.count(entry.mtimeNanoseconds);
  }
  if (kind === "symlink" || kind === "hardlink") writer.countedUnits(entry.linkName);
  if (isDevice(kind)) {
    writer.count(entry.deviceMajor);
    writer.count(entry.deviceMinor);
  }
  if (kind === "file") writer.count(entry.sizeBytes);
  if (sparse !== undefined) writeRuns(writer, sparse);
  if ((head & XATTRS) !== 0) {
    writer.count(xattrs!.size);
    for (const [name, value] of xattrs!) {
      writer.countedUnits(name);
      writer.counted(value);
    }
  }
}

function writeRuns(writer: ByteWriter, runs: readonly SparseRun[]): void {
  writer.count(runs.length);
  let end = 0;
  for (const { fileOffset, lengthBytes } of runs) {
    writer.count(fileOffset - end);
    writer.count(lengthBytes);
    end = fileOffset + lengthBytes;
  }
}

/**
 * The entry behind the one `before`, its data inside a layer of `plainBytes`. Its path may be hostile still.
 * @throws {CorruptError}
 */
export function readEntry(reader: ByteReader, before: TarEntry, plainBytes: number): TarEntry {
  const head = reader.u8("kind", 0xff);
  const kind = KINDS[head & KIND_MASK] ?? reader.bad("kind", head & KIND_MASK, `below ${KINDS.length}`);
  const mode = reader.count("mode", MAX_MODE);
  const path = reader.frontCoded("path", TAR_LIMITS.pathBytes);
  const firstBlock = endBlock(before);
  const steps = reader.count("dataPlainOffset", Math.floor(plainBytes / TAR_BLOCK_BYTES) - firstBlock);
  if (steps === 0) reader.bad("dataPlainOffset", steps, "at least one block, the header's");
  const dataPlainOffset = (firstBlock + steps) * TAR_BLOCK_BYTES;
  const owner = (head & OWNER) !== 0;
  const uid = owner ? reader.count("uid", MAX_ID) : before.uid;
  const gid = owner ? reader.count("gid", MAX_ID) : before.gid;
  const time = (head & TIME) !== 0;
  if ((head & BEFORE_1970) !== 0 && !time) reader.bad("mtimeSeconds", "a sign alone", "a time");
  const seconds = time ? reader.count("mtimeSeconds") : 0;
  const sign = (head & BEFORE_1970) !== 0 && seconds > 0 ? -1 : 1;
  const mtimeSeconds = time ? sign * seconds : before.mtimeSeconds;
  const mtimeNanoseconds = time ? reader.count("mtimeNanoseconds", MAX_NANOSECONDS) : before.mtimeNanoseconds;
  const isLink = kind === "symlink" || kind === "hardlink";
  const linkName: ByteString = isLink ? reader.countedUnits("linkName", TAR_LIMITS.pathBytes) : "";
  const deviceMajor = isDevice(kind) ? reader.count("deviceMajor", MAX_DEVICE_MAJOR) : 0;
  const deviceMinor = isDevice(kind) ? reader.count("deviceMinor", MAX_DEVICE_MINOR) : 0;
  const sizeBytes = kind === "file" ? reader.count("sizeBytes") : 0;
  const sparse = (head & SPARSE) !== 0 ? readRuns(reader, kind, sizeBytes) : undefined;
  const storedBytes = sparse === undefined ? sizeBytes : sparse.reduce((sum, run) => sum + run.lengthBytes, 0);
  if (storedBytes > plainBytes - dataPlainOffset) {
    reader.bad("sizeBytes", storedBytes, `at most ${plainBytes - dataPlainOffset}, the rest of the layer`);
  }
  const xattrs = (head & XATTRS) !== 0 ? readXattrs(reader) : undefined;
  return {
    kind,
    path,
    linkName,
    mode,
    uid,
    gid,
    mtimeSeconds,
    mtimeNanoseconds,
    deviceMajor,
    deviceMinor,
    sizeBytes,
    dataPlainOffset,
    storedBytes,
    sparse,
    xattrs,
  };
}

function readRuns(reader: ByteReader, kind: EntryKind, sizeBytes: number): SparseRun[] {
  if (kind !== "file") reader.bad("sparse", `a map of a ${kind}`, "one of a file");
  const most = Math.min(TAR_LIMITS.sparseRuns, Math.floor(reader.remainingBytes / MIN_RUN_BYTES));
  const runs: SparseRun[] = [];
  let end = 0;
  for (let left = reader.count("number of sparse runs", most); left > 0; left--) {
    const fileOffset = end + reader.count("sparse.fileOffset", sizeBytes - end);
    const lengthBytes = reader.count("sparse.lengthBytes", sizeBytes - fileOffset);
    if (lengthBytes === 0) reader.bad("sparse.lengthBytes", 0, "at least 1");
    runs.push({ fileOffset, lengthBytes });
    end = fileOffset + lengthBytes;
  }
  return runs;
}

function readXattrs(reader: ByteReader): Map<ByteString, Uint8Array> {
  const most = Math.min(TAR_LIMITS.xattrs, Math.floor(reader.remainingBytes / MIN_XATTR_BYTES));
  const count = reader.count("number of xattrs", most);
  if (count === 0) reader.bad("number of xattrs", 0, "at least 1");
  const xattrs = new Map<ByteString, Uint8Array>();
  for (let left = count; left > 0; left--) {
    const name = reader.countedUnits("xattr name", TAR_LIMITS.xattrNameBytes);
    if (name === "" || name.includes("\0")) reader.bad("xattr name", JSON.stringify(name), "a name without NUL");
    if (xattrs.has(name)) reader.bad("xattr name", JSON.stringify(name), "another than those before");
    xattrs.set(name, reader.counted("xattr value", TAR_LIMITS.xattrValueBytes));
  }
  return xattrs;
}

/** The number of the block behind an entry's data, where the next header is at the earliest. */
function endBlock({ dataPlainOffset, storedBytes }: TarEntry): number {
  return Math.ceil((dataPlainOffset + storedBytes) / TAR_BLOCK_BYTES);
}

function isDevice(kind: EntryKind): boolean {
  return kind === "character-device" || kind === "block-device";
}

function sharedUnits(a: ByteString, b: ByteString): number {
  const most = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < most && a.charCodeAt(shared) === b.charCodeAt(shared)) shared++;
  return shared;
}
