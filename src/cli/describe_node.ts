import { Buffer } from "node:buffer";
import { type ByteString, displayByteString } from "../base/mod.ts";
import {
  fileInfo,
  type FileType,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  SPARSE_LAYER,
  type Tree,
} from "../archive/mod.ts";

/** Source: what `ls -l` shows. */
const LETTERS: Readonly<Record<number, string>> = {
  [S_IFREG]: "-",
  [S_IFDIR]: "d",
  [S_IFLNK]: "l",
  [S_IFCHR]: "c",
  [S_IFBLK]: "b",
  [S_IFIFO]: "p",
  [S_IFSOCK]: "s",
};

/** All about a node, for people and for JSON. */
export interface NodeDescription {
  /** As given; shown with escapes where it is not plain text. */
  readonly name: string;
  readonly type: FileType;
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
  const { type, mode, links, uid, gid, sizeBytes, mtimeSeconds, mtimeNanoseconds, target, device } = fileInfo(
    tree,
    inode,
  );
  const xattrs = [...tree.xattrs(inode)];
  return {
    name: displayByteString(name),
    type,
    inode,
    mode: `0${mode.toString(8).padStart(3, "0")}`,
    nlink: links,
    uid,
    gid,
    size: sizeBytes,
    mtime: formatTime(mtimeSeconds, mtimeNanoseconds),
    ...(target === undefined ? {} : { target: displayByteString(target) }),
    ...(device === undefined ? {} : { device: `${device.major},${device.minor}` }),
    ...(xattrs.length > 0
      ? {
        xattrs: Object.fromEntries(
          xattrs.map(({ name, value }) => [displayByteString(name), Buffer.from(value.slice()).toString("base64")]),
        ),
      }
      : {}),
    ...(type === "file" && sizeBytes > 0
      ? {
        data: columns.layer[inode] === SPARSE_LAYER
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
  const time = node.mtime.slice(0, 19).replace("T", " ");
  return `${modeString(tree.columns.mode[inode]!)} ${String(node.nlink).padStart(3)} ${owner} ${
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
  return LETTERS[mode & S_IFMT]! + bits(6, 0o4000, "sS") + bits(3, 0o2000, "sS") + bits(0, 0o1000, "tT");
}

/** Any i64 of seconds with nanoseconds as RFC 3339 in UTC; years outside 0–9999 as seconds with an `@` before. */
function formatTime(seconds: number, nanoseconds: number): string {
  const fraction = String(nanoseconds).padStart(9, "0");
  if (seconds < -62_167_219_200 || seconds > 253_402_300_799) return `@${seconds}.${fraction}`;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}
