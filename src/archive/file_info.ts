import type { ByteString } from "../base/mod.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from "./layout.ts";
import type { Tree } from "./tree.ts";

/** What a node of the tree is. */
export type FileType = "file" | "directory" | "symlink" | "character-device" | "block-device" | "fifo" | "socket";

const TYPES: Readonly<Record<number, FileType>> = {
  [S_IFREG]: "file",
  [S_IFDIR]: "directory",
  [S_IFLNK]: "symlink",
  [S_IFCHR]: "character-device",
  [S_IFBLK]: "block-device",
  [S_IFIFO]: "fifo",
  [S_IFSOCK]: "socket",
};

/** What stat(2) on a mount would tell. */
export interface FileInfo {
  /** Number in the archive; the root's is 1. */
  readonly inode: number;
  /** What it is. */
  readonly type: FileType;
  /** Permissions, set-id and sticky bits: 0 to 0o7777. */
  readonly mode: number;
  /** How many names it has. */
  readonly links: number;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Bytes of a file, or of a symlink's target; else 0. */
  readonly sizeBytes: number;
  /** Whole seconds since 1970, rounded down; negative before. */
  readonly mtimeSeconds: number;
  /** 0 to 999,999,999. */
  readonly mtimeNanoseconds: number;
  /** Where a symlink points: as bytes here; from the library, as text with `\xNN` for what is none. */
  readonly target?: ByteString;
  /** Of devices. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/** All about a node but its extended attributes and the place of its data. */
export function fileInfo(tree: Tree, inode: number): FileInfo {
  const { columns } = tree;
  const type = TYPES[tree.type(inode)]!;
  return {
    inode,
    type,
    mode: columns.mode[inode]! & 0o7777,
    links: columns.nlink[inode]!,
    uid: columns.uid[inode]!,
    gid: columns.gid[inode]!,
    sizeBytes: tree.sizeBytes(inode),
    mtimeSeconds: tree.mtimeSeconds(inode),
    mtimeNanoseconds: columns.mtimeNanoseconds[inode]!,
    ...(type === "symlink" ? { target: tree.target(inode) } : {}),
    ...(type.endsWith("-device")
      ? { device: { major: columns.placeLow[inode]!, minor: columns.placeHigh[inode]! } }
      : {}),
  };
}
