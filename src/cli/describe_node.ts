import { Buffer } from "node:buffer";
import { type ByteString, displayByteString } from "../base/mod.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  SPARSE_LAYER,
  type Tree,
} from "../archive/mod.ts";

/** Letter and name of each type. Source: what `ls -l` and `stat` show. */
const TYPES: Readonly<Record<number, { letter: string; name: string }>> = {
  [S_IFREG]: { letter: "-", name: "file" },
  [S_IFDIR]: { letter: "d", name: "directory" },
  [S_IFLNK]: { letter: "l", name: "symlink" },
  [S_IFCHR]: { letter: "c", name: "character-device" },
  [S_IFBLK]: { letter: "b", name: "block-device" },
  [S_IFIFO]: { letter: "p", name: "fifo" },
  [S_IFSOCK]: { letter: "s", name: "socket" },
};

/** All about a node, for people and for JSON. */
export interface NodeDescription {
  /** As given; shown with escapes where it is not plain text. */
  readonly name: string;
  readonly type: string;
  readonly inode: number;
  /** Octal, without the type: `0755`. */
  readonly mode: string;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly mtime: string;
  readonly target?: string;
  readonly device?: string;
  /** Values as base64. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Of files with data: number of the layer and offset in its plain stream. */
  readonly data?: { readonly layer: number; readonly plainOffset: number } | { readonly extents: number };
}

/** Describes the node under the name it was found by. */
export function describeNode(tree: Tree, inode: number, name: ByteString): NodeDescription {
  const { columns } = tree;
  const type = tree.type(inode);
  const xattrs = [...tree.xattrs(inode)];
  const device = type === S_IFCHR || type === S_IFBLK;
  const sizeBytes = tree.sizeBytes(inode);
  const sparse = columns.layer[inode] === SPARSE_LAYER;
  return {
    name: displayByteString(name),
    type: TYPES[type]!.name,
    inode,
    mode: `0${(columns.mode[inode]! & 0o7777).toString(8).padStart(3, "0")}`,
    nlink: columns.nlink[inode]!,
    uid: columns.uid[inode]!,
    gid: columns.gid[inode]!,
    size: sizeBytes,
    mtime: formatTime(tree.mtimeSeconds(inode), columns.mtimeNanoseconds[inode]!),
    ...(type === S_IFLNK ? { target: displayByteString(tree.target(inode)) } : {}),
    ...(device ? { device: `${columns.placeLow[inode]},${columns.placeHigh[inode]}` } : {}),
    ...(xattrs.length > 0
      ? {
        xattrs: Object.fromEntries(
          xattrs.map(({ name, value }) => [displayByteString(name), Buffer.from(value.slice()).toString("base64")]),
        ),
      }
      : {}),
    ...(type === S_IFREG && sizeBytes > 0
      ? {
        data: sparse
          ? { extents: columns.placeHigh[inode]! }
          : { layer: columns.layer[inode]!, plainOffset: tree.plainOffset(inode) },
      }
      : {}),
  };
}

/** A line as `ls -ln` writes it, but with the whole time. */
export function longLine(tree: Tree, inode: number, name: ByteString): string {
  const node = describeNode(tree, inode, name);
  const size = node.device ?? String(node.size);
  const owner = `${String(node.uid).padStart(5)} ${String(node.gid).padStart(5)}`;
  const target = node.target === undefined ? "" : ` -> ${node.target}`;
  const permissions = modeString(tree.columns.mode[inode]!);
  const time = node.mtime.slice(0, 19).replace("T", " ");
  return `${permissions} ${String(node.nlink).padStart(3)} ${owner} ${
    size.padStart(11)
  } ${time} ${node.name}${target}\n`;
}

/** `-rwsr-xr-x` */
export function modeString(mode: number): string {
  const bits = (shift: number, special: number, letters: string) => {
    const triple = mode >> shift;
    const execute = (triple & 1) !== 0;
    const last = (mode & special) === 0 ? (execute ? "x" : "-") : letters[execute ? 0 : 1]!;
    return `${triple & 4 ? "r" : "-"}${triple & 2 ? "w" : "-"}${last}`;
  };
  return TYPES[mode & 0o170000]!.letter + bits(6, 0o4000, "sS") + bits(3, 0o2000, "sS") + bits(0, 0o1000, "tT");
}

/** Any i64 of seconds with nanoseconds as RFC 3339 in UTC; years outside 0–9999 as seconds with an `@` before. */
function formatTime(seconds: number, nanoseconds: number): string {
  const fraction = String(nanoseconds).padStart(9, "0");
  if (seconds < -62_167_219_200 || seconds > 253_402_300_799) return `@${seconds}.${fraction}`;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}
