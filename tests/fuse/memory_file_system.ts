import { Buffer } from "node:buffer";
import { Errno, type FileSystem, type FileSystemStatistics, type NodeAttributes } from "../../src/fuse/mod.ts";
import { READ_DEFERRED } from "../../src/fuse/mod.ts";

/** A node of a tree to be served: plain data, so that a test can post it to a Worker. Names are byte strings. */
export interface NodeSpec {
  /** Type and permission bits; the default is 0o644 of a file, 0o755 of a directory, 0o777 of a symlink. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly rdev?: number;
  readonly mtimeSeconds?: number;
  readonly mtimeNanoseconds?: number;
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Makes it a directory. */
  readonly children?: Readonly<Record<string, NodeSpec>>;
  /** Makes it a symlink. */
  readonly target?: string;
  /** Contents of a file, one byte a unit. */
  readonly text?: string;
  /** What reads of a file do: read (the default), defer, throw, or claim more bytes than were asked for. */
  readonly reading?: "deferred" | "throws" | "lies";
  /** The size that a deferred file shows. */
  readonly sizeBytes?: number;
}

interface Node {
  readonly spec: NodeSpec;
  readonly mode: number;
  readonly parent: number;
  readonly contents: Uint8Array;
  readonly names: string[];
  readonly encodedNames: Uint8Array[];
  readonly inodes: number[];
}

const EMPTY = new Uint8Array();

/** A small file system in memory, for tests of the FUSE server. Inodes are given breadth first, from 1. */
export class MemoryFileSystem implements FileSystem {
  readonly hasXattrs: boolean;
  readonly #nodes: Node[] = [];

  constructor(root: NodeSpec) {
    this.#add(root, 1);
    for (let i = 0; i < this.#nodes.length; i++) {
      const node = this.#nodes[i]!;
      for (const [name, spec] of Object.entries(node.spec.children ?? {})) {
        node.names.push(name);
        node.encodedNames.push(Buffer.from(name, "latin1"));
        node.inodes.push(this.#add(spec, i + 1));
      }
    }
    this.hasXattrs = this.#nodes.some((node) => node.spec.xattrs !== undefined);
  }

  #add(spec: NodeSpec, parent: number): number {
    const isDirectory = spec.children !== undefined;
    const mode = isDirectory ? 0o40755 : spec.target !== undefined ? 0o120777 : 0o100644;
    const contents = spec.text === undefined ? EMPTY : Buffer.from(spec.text, "latin1");
    return this.#nodes.push({
      spec,
      mode: spec.mode ?? mode,
      parent,
      contents,
      names: [],
      encodedNames: [],
      inodes: [],
    });
  }

  lookup(parent: number, bytes: Uint8Array, start: number, endExclusive: number): number {
    const node = this.#nodes[parent - 1];
    if (node === undefined) return -Errno.ESTALE;
    if (node.spec.children === undefined) return -Errno.ENOTDIR;
    return node.inodes[node.names.indexOf(latin1(bytes, start, endExclusive))] ?? 0;
  }

  attributes(inode: number, into: NodeAttributes): number {
    const node = this.#nodes[inode - 1];
    if (node === undefined) return -Errno.ESTALE;
    const { spec } = node;
    into.inode = inode;
    into.mode = node.mode;
    into.nlink = spec.children === undefined ? 1 : 2;
    into.uid = spec.uid ?? 0;
    into.gid = spec.gid ?? 0;
    into.rdev = spec.rdev ?? 0;
    into.sizeBytes = spec.sizeBytes ?? spec.target?.length ?? node.contents.length;
    into.blocks512 = Math.ceil(into.sizeBytes / 512);
    into.mtimeSeconds = spec.mtimeSeconds ?? 0;
    into.mtimeNanoseconds = spec.mtimeNanoseconds ?? 0;
    return 0;
  }

  childCount(directory: number): number {
    const node = this.#nodes[directory - 1];
    return node?.spec.children === undefined ? -Errno.ENOTDIR : node.names.length;
  }

  childInode(directory: number, index: number): number {
    return this.#nodes[directory - 1]!.inodes[index]!;
  }

  childName(directory: number, index: number, target: Uint8Array, at: number): number {
    const name = this.#nodes[directory - 1]!.encodedNames[index]!;
    for (let i = 0; i < name.length; i++) target[at + i] = name[i]!;
    return name.length;
  }

  parent(inode: number): number {
    return this.#nodes[inode - 1]?.parent ?? -Errno.ESTALE;
  }

  readLink(inode: number, target: Uint8Array, at: number): number {
    const text = this.#nodes[inode - 1]?.spec.target;
    return text === undefined ? -Errno.EINVAL : copy(text, target, at);
  }

  listXattrs(inode: number, target: Uint8Array, at: number, room: number): number {
    const names = Object.keys(this.#nodes[inode - 1]?.spec.xattrs ?? {});
    return copyIfRoom(names.map((name) => `${name}\0`).join(""), target, at, room);
  }

  getXattr(
    inode: number,
    bytes: Uint8Array,
    start: number,
    endExclusive: number,
    target: Uint8Array,
    at: number,
    room: number,
  ): number {
    const value = this.#nodes[inode - 1]?.spec.xattrs?.[latin1(bytes, start, endExclusive)];
    return value === undefined ? -Errno.ENODATA : copyIfRoom(value, target, at, room);
  }

  read(inode: number, offset: number, length: number, target: Uint8Array, at: number): number {
    const node = this.#nodes[inode - 1];
    if (node === undefined) return -Errno.ESTALE;
    if (node.spec.children !== undefined) return -Errno.EISDIR;
    if (node.spec.reading === "deferred") return READ_DEFERRED;
    if (node.spec.reading === "throws") throw new Error("this file cannot be read");
    if (node.spec.reading === "lies") return length + 1;
    const part = node.contents.subarray(offset, offset + length);
    target.set(part, at);
    return part.length;
  }

  statistics(into: FileSystemStatistics): void {
    into.inodes = this.#nodes.length;
    into.totalBytes = this.#nodes.reduce((sum, node) => sum + node.contents.length, 0);
  }
}

function latin1(bytes: Uint8Array, start: number, endExclusive: number): string {
  return Buffer.from(bytes.slice(start, endExclusive)).toString("latin1");
}

function copy(text: string, target: Uint8Array, at: number): number {
  target.set(Buffer.from(text, "latin1"), at);
  return text.length;
}

function copyIfRoom(text: string, target: Uint8Array, at: number, room: number): number {
  if (room === 0) return text.length;
  return text.length > room ? -Errno.ERANGE : copy(text, target, at);
}
