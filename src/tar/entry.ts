import type { ByteString } from "../base/mod.ts";

/** What an entry of a layer is. */
export type EntryKind =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character-device"
  | "block-device"
  | "fifo";

/** A run of a sparse file that holds data; the rest is zeros. */
export interface SparseRun {
  /** Offset in the file. */
  readonly fileOffset: number;
  /** How many bytes; their data follow one another in the stream, run after run. */
  readonly lengthBytes: number;
}

/** One member of a tar stream: extended headers (PAX, GNU) have been applied to it. */
export interface TarEntry {
  /** What it is. */
  readonly kind: EntryKind;
  /** The name exactly as stored: not normalised, possibly hostile. Never empty. */
  readonly path: ByteString;
  /** Target of a symlink or hard link, exactly as stored; otherwise empty. */
  readonly linkName: ByteString;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  /** 0 to 2^32−1. */
  readonly uid: number;
  /** 0 to 2^32−1. */
  readonly gid: number;
  /** Whole seconds since 1970, rounded down; may be negative. */
  readonly mtimeSeconds: number;
  /** 0 to 999,999,999. */
  readonly mtimeNanoseconds: number;
  /** Of devices; otherwise 0. */
  readonly deviceMajor: number;
  /** Of devices; otherwise 0. */
  readonly deviceMinor: number;
  /** Size of the file as read(2) sees it; 0 for anything but files. */
  readonly sizeBytes: number;
  /** Plain offset of the first data byte in the layer's stream. */
  readonly dataPlainOffset: number;
  /** Data bytes in the stream: `sizeBytes`, but for sparse files. */
  readonly storedBytes: number;
  /** Of sparse files, ascending and disjoint, lengths summing to `storedBytes`; otherwise undefined. */
  readonly sparse: readonly SparseRun[] | undefined;
  /** Extended attributes by full name (`user.x`, `security.capability`); undefined where there are none. */
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array> | undefined;
}
