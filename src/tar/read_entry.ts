import { type ByteString, CorruptError, displayByteString } from "../base/mod.ts";
import type { EntryKind, TarEntry } from "./entry.ts";
import type { Extensions } from "./extended_headers.ts";
import { type Field, HEADER, headerFormat, readNumber, readText } from "./header.ts";
import type { TarLimits } from "./limits.ts";
import { PaxView, SPARSE_MAP } from "./pax.ts";

/** Largest uid and gid of Linux. */
const MAX_ID = 2 ** 32 - 1;
/** Linux has 12 bits for the major and 20 for the minor number of a device. Source: linux/kdev_t.h. */
const MAX_DEVICE_MAJOR = 2 ** 12 - 1;
const MAX_DEVICE_MINOR = 2 ** 20 - 1;

/** An entry whose place of data and sparse map are still to be found. */
export interface EntryDraft extends Omit<TarEntry, "dataPlainOffset" | "sparse"> {
  /** The records in force, for the sparse map. */
  readonly pax: PaxView;
  /** Data bytes in the stream as the header says, with what may be before the contents: a sparse map. */
  readonly dataBytes: number;
}

/** What the type of a header stands for. Source: POSIX.1-2017, pax, "typeflag"; GNU tar's tar.h for D and S. */
const KINDS: Readonly<Record<string, EntryKind>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
  D: "directory",
};

/** Whether the typeflag is one that clip knows as an entry's. */
export function isKnownType(typeflag: string): boolean {
  return Object.hasOwn(KINDS, typeflag);
}

/** A header being read. */
interface Source {
  readonly block: Uint8Array;
  readonly headerOffset: number;
  readonly limits: TarLimits;
}

/**
 * Reads a header block with what the extended headers before it said. An unknown typeflag is read as a regular file's,
 * as POSIX demands.
 * @throws {CorruptError} where a field is not of its form, out of its range, or missing.
 */
export function readEntry(source: Source & { typeflag: string; extensions: Extensions }): EntryDraft {
  const { block, headerOffset, typeflag, extensions, limits } = source;
  const pax = new PaxView(extensions.pax, extensions.globalPax, headerOffset, limits);
  const path = readPath(source, pax, extensions.longName);
  const kind = typeflag === "\0" && path.endsWith("/") ? "directory" : KINDS[typeflag] ?? "file";
  const isDevice = (kind === "character-device" || kind === "block-device") && headerFormat(block) !== "v7";
  const dataBytes = readWithin(source, HEADER.size, Number.MAX_SAFE_INTEGER, pax.number("size"));
  const headerMtime = readNumber(block, HEADER.mtime, headerOffset);
  const mtime = pax.time("mtime") ?? { seconds: headerMtime, nanoseconds: 0 };
  return {
    kind,
    path,
    linkName: kind === "hardlink" || kind === "symlink" ? readLinkName(source, pax, extensions.longLink) : "",
    mode: readWithin(source, HEADER.mode, Number.MAX_SAFE_INTEGER) % 0o10000,
    uid: readWithin(source, HEADER.uid, MAX_ID, pax.number("uid", MAX_ID)),
    gid: readWithin(source, HEADER.gid, MAX_ID, pax.number("gid", MAX_ID)),
    mtimeSeconds: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    deviceMajor: isDevice ? readWithin(source, HEADER.devmajor, MAX_DEVICE_MAJOR) : 0,
    deviceMinor: isDevice ? readWithin(source, HEADER.devminor, MAX_DEVICE_MINOR) : 0,
    sizeBytes: kind === "file" ? dataBytes : 0,
    storedBytes: kind === "file" ? dataBytes : 0,
    dataBytes,
    xattrs: pax.xattrs(),
    pax,
  };
}

/** The number in a field, or what overrides it; a field that is no number at all is an error even then. */
function readWithin({ block, headerOffset }: Source, field: Field, max: number, override?: number): number {
  const value = override ?? readNumber(block, field, headerOffset);
  if (override !== undefined) readNumber(block, field, headerOffset);
  if (value >= 0 && value <= max) return value;
  const expected = `0 to ${max}`;
  throw new CorruptError({ subject: "tar", field: field.name, offset: headerOffset, actual: value, expected });
}

/** GNU's long name counts before PAX, as in Go's reader; a sparse file's own name is a record of its own. */
function readPath(source: Source, pax: PaxView, longName: ByteString): ByteString {
  if (longName !== "") return checkPath(source, "path", longName);
  const isSparse = pax.get("GNU.sparse.major") !== undefined || pax.get(SPARSE_MAP) !== undefined;
  const sparseName = isSparse ? pax.path("GNU.sparse.name") : undefined;
  return checkPath(source, "path", sparseName ?? pax.path("path") ?? storedPath(source.block));
}

function readLinkName(source: Source, pax: PaxView, longLink: ByteString): ByteString {
  if (longLink !== "") return checkPath(source, "linkpath", longLink);
  return checkPath(source, "linkpath", pax.path("linkpath") ?? readText(source.block, HEADER.linkname));
}

function checkPath({ headerOffset, limits }: Source, field: string, value: ByteString): ByteString {
  if (value !== "" && value.length <= limits.pathBytes) return value;
  const actual = value === "" ? "nothing" : `"${displayByteString(value.slice(0, 100))}…", ${value.length} bytes`;
  const expected = `1 to ${limits.pathBytes} bytes`;
  throw new CorruptError({ subject: "tar", field, offset: headerOffset, actual, expected });
}

function storedPath(block: Uint8Array): ByteString {
  const name = readText(block, HEADER.name);
  const format = headerFormat(block);
  if (format !== "ustar" && format !== "star") return name;
  const prefix = readText(block, format === "star" ? HEADER.starPrefix : HEADER.prefix);
  return prefix === "" ? name : `${prefix}/${name}`;
}
