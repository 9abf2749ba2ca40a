import { type ByteString, joinU64, readU64, toByteString } from "../base/mod.ts";
import {
  COLUMNS_HEADER_BYTES,
  EXTENT,
  EXTENT_BYTES,
  INODE_COLUMNS,
  type InodeColumn,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  XATTR,
  XATTR_BYTES,
} from "./layout.ts";
import type { Extent } from "./model.ts";
import { checkTree } from "./check_tree.ts";

/** The plain bytes of the sections that hold the tree. Over a SharedArrayBuffer, several threads can read one copy. */
export interface TreeBytes {
  /** Columns, one entry an inode. */
  readonly inodes: Uint8Array;
  /** Columns, one entry a directory entry. */
  readonly dirents: Uint8Array;
  /** Names of directory entries, end to end. */
  readonly names: Uint8Array;
  /** Targets of symlinks, end to end. */
  readonly targets: Uint8Array;
  /** Records, one an extent. */
  readonly extents: Uint8Array;
  /** Sets of attributes, end to end. */
  readonly xattrs: Uint8Array;
}

/**
 * The merged file tree, read in place: fields are looked up in columns by inode number, nothing is unpacked.
 * Inode numbers are 1 (the root) to `inodeCount`; a caller passes no others.
 */
export class Tree {
  /** Number of inodes; the highest inode number. */
  readonly inodeCount: number;
  /** Number of directory entries, the root not counted. */
  readonly direntCount: number;
  /** The raw columns, entry i for inode i; see layout.ts for what each means. */
  readonly columns: Readonly<Record<InodeColumn, Uint32Array>>;
  /** Inode of each directory entry. */
  readonly direntInodes: Uint32Array;
  /** Where the name of each directory entry begins in `names`; one more entry than there are names. */
  readonly nameStarts: Uint32Array;
  /** All names, end to end. */
  readonly names: Uint8Array;
  #targets: Uint8Array;
  #extents: DataView;
  #xattrs: DataView;

  /**
   * Looks at the sizes only: {@linkcode openArchive} checks the rest.
   * @param bytes The sections, at offsets that are multiples of 4.
   * @throws {CorruptError} when a section does not have the length that its count asks for.
   */
  constructor(bytes: TreeBytes) {
    const view = (part: Uint8Array) => new DataView(part.buffer, part.byteOffset, part.byteLength);
    const u32 = (part: Uint8Array, at: number, count: number) =>
      new Uint32Array(part.buffer as ArrayBuffer, part.byteOffset + at, count);
    const { inodeCount, direntCount } = checkTree.sizes(bytes);
    this.inodeCount = inodeCount;
    this.direntCount = direntCount;
    const columnBytes = (this.inodeCount + 1) * 4;
    this.columns = Object.fromEntries(
      INODE_COLUMNS.map((name, i) => [name, u32(bytes.inodes, COLUMNS_HEADER_BYTES + i * columnBytes, inodeCount + 1)]),
    ) as Record<InodeColumn, Uint32Array>;
    this.nameStarts = u32(bytes.dirents, COLUMNS_HEADER_BYTES, direntCount + 1);
    this.direntInodes = u32(bytes.dirents, COLUMNS_HEADER_BYTES + (direntCount + 1) * 4, direntCount);
    this.names = bytes.names;
    this.#targets = bytes.targets;
    this.#extents = view(bytes.extents);
    this.#xattrs = view(bytes.xattrs);
  }

  /** Type bits of an inode's mode. */
  type(inode: number): number {
    return this.columns.mode[inode]! & S_IFMT;
  }

  /** Bytes of a file; of a symlink, the length of its target; otherwise 0. */
  sizeBytes(inode: number): number {
    return this.columns.sizeHigh[inode]! * 2 ** 32 + this.columns.sizeLow[inode]!;
  }

  /** Whole seconds since 1970, negative before. */
  mtimeSeconds(inode: number): number {
    return (this.columns.mtimeHigh[inode]! | 0) * 2 ** 32 + this.columns.mtimeLow[inode]!;
  }

  /** Of a file that is not sparse: where its data begins in the plain stream of its layer. */
  plainOffset(inode: number): number {
    return this.columns.placeHigh[inode]! * 2 ** 32 + this.columns.placeLow[inode]!;
  }

  /** The inode of the child named by bytes [start, endExclusive), 0 where there is none. Binary search; no allocation. */
  lookup(directory: number, bytes: Uint8Array, start: number, endExclusive: number): number {
    let low = this.columns.placeLow[directory]!;
    let high = low + this.columns.placeHigh[directory]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#compareName(middle, bytes, start, endExclusive);
      if (order === 0) return this.direntInodes[middle]!;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return 0;
  }

  #compareName(dirent: number, bytes: Uint8Array, start: number, endExclusive: number): number {
    const names = this.names;
    const nameEnd = this.nameStarts[dirent + 1]!;
    let at = this.nameStarts[dirent]!;
    let other = start;
    for (; at < nameEnd && other < endExclusive; at++, other++) {
      const difference = names[at]! - bytes[other]!;
      if (difference !== 0) return difference;
    }
    return (nameEnd - at) - (endExclusive - other);
  }

  /** The name of a directory entry. */
  direntName(dirent: number): ByteString {
    return toByteString(this.names.slice(this.nameStarts[dirent]!, this.nameStarts[dirent + 1]!));
  }

  /**
   * All that is below a directory, each before what it holds, by `children`'s order. `path` is what leads there from the
   * directory, without a slash before it. Iterative: trees may be deep.
   */
  *walk(directory: number): Generator<{ path: ByteString; name: ByteString; inode: number }> {
    const todo = [{ prefix: "", children: this.children(directory) }];
    while (todo.length > 0) {
      const { prefix, children } = todo.at(-1)!;
      const next = children.next();
      if (next.done) {
        todo.pop();
        continue;
      }
      const { name, inode } = next.value;
      const path = prefix + name;
      yield { path, name, inode };
      if (this.type(inode) === S_IFDIR) todo.push({ prefix: `${path}/`, children: this.children(inode) });
    }
  }

  /** The children of a directory in byte order of their names. */
  *children(directory: number): Generator<{ name: ByteString; inode: number }> {
    const first = this.columns.placeLow[directory]!;
    const end = first + this.columns.placeHigh[directory]!;
    for (let dirent = first; dirent < end; dirent++) {
      yield { name: this.direntName(dirent), inode: this.direntInodes[dirent]! };
    }
  }

  /** Where a symlink points. */
  target(inode: number): ByteString {
    return toByteString(this.targetBytes(inode).slice());
  }

  /** Where a symlink points, as a view of the section. */
  targetBytes(inode: number): Uint8Array {
    const at = this.columns.placeLow[inode]!;
    return this.#targets.subarray(at, at + this.columns.sizeLow[inode]!);
  }

  /** The extents of a sparse file, ascending. @throws {CorruptError} on numbers beyond 2^53. */
  extents(inode: number): Extent[] {
    const first = this.columns.placeLow[inode]!;
    return Array.from({ length: this.columns.placeHigh[inode]! }, (_, i) => this.extent(first + i));
  }

  /** Extent number `index` of the extents section. */
  extent(index: number): Extent {
    const at = index * EXTENT_BYTES;
    const field = (name: "fileOffset" | "plainOffset" | "lengthBytes") =>
      readU64(this.#extents, at + EXTENT[name].at, () => ({ subject: "archive", field: `extents[${index}].${name}` }));
    return {
      fileOffset: field("fileOffset"),
      plainOffset: field("plainOffset"),
      lengthBytes: field("lengthBytes"),
      layer: this.#extents.getUint32(at + EXTENT.layer.at, true),
    };
  }

  /** The reserved field of an extent, for the checks. */
  extentReserved(index: number): number {
    return this.#extents.getUint32(index * EXTENT_BYTES + EXTENT.reserved.at, true);
  }

  /** How many extents there are in all. */
  get extentCount(): number {
    return this.#extents.byteLength / EXTENT_BYTES;
  }

  /** The extended attributes of a node, in byte order of their names; values are views of the section. */
  *xattrs(inode: number): Generator<{ name: ByteString; value: Uint8Array }> {
    const place = this.columns.xattrs[inode]!;
    if (place === 0) return;
    const count = this.#xattrs.getUint32(place - 1, true);
    let at = place + 3;
    for (let i = 0; i < count; i++) {
      const nameBytes = this.#xattrs.getUint16(at + XATTR.nameBytes.at, true);
      const valueBytes = this.#xattrs.getUint32(at + XATTR.valueBytes.at, true);
      const section = new Uint8Array(this.#xattrs.buffer, this.#xattrs.byteOffset, this.#xattrs.byteLength);
      const nameAt = at + XATTR_BYTES;
      yield {
        name: toByteString(section.slice(nameAt, nameAt + nameBytes)),
        value: section.subarray(nameAt + nameBytes, nameAt + nameBytes + valueBytes),
      };
      at = Math.ceil((nameAt + nameBytes + valueBytes) / 4) * 4;
    }
  }

  /** Whether any node has extended attributes. */
  get hasXattrs(): boolean {
    return this.#xattrs.byteLength > 0;
  }

  /** Length of the xattrs section in bytes. */
  get xattrsBytes(): number {
    return this.#xattrs.byteLength;
  }

  /** A path of the node from the root, beginning with `/`; of a hard link, one of its paths. O(children on the way). */
  path(inode: number): ByteString {
    let path = "";
    for (let child = inode; child !== 1;) {
      const parent = this.columns.parent[child]!;
      const first = this.columns.placeLow[parent]!;
      let dirent = first;
      while (dirent < first + this.columns.placeHigh[parent]! && this.direntInodes[dirent] !== child) dirent++;
      path = `/${this.direntName(dirent)}${path}`;
      child = parent;
    }
    return path === "" ? "/" : path;
  }

  /**
   * The inode at `path` (from the root, whether or not it begins with `/`), following symlinks on the way inside the
   * root, and at the end unless `followLast` is false; undefined where there is none. A slash at the end asks for a
   * directory, and follows a link whatever `followLast` says. Links are followed 40 times at most. All of it as Linux
   * does: path_resolution(7).
   */
  find(path: ByteString, { followLast = true }: { followLast?: boolean } = {}): number | undefined {
    const todo = path.split("/").reverse();
    let at = 1;
    let followed = 0;
    while (todo.length > 0) {
      const name = todo.pop()!;
      if (this.type(at) !== S_IFDIR) return undefined;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = this.columns.parent[at]!;
        continue;
      }
      const child = this.#lookupName(at, name);
      if (child === 0) return undefined;
      if (this.type(child) === S_IFLNK && (followLast || todo.length > 0)) {
        if (++followed > 40) return undefined;
        const target = this.target(child);
        if (target.startsWith("/")) at = 1;
        todo.push(...target.split("/").reverse());
        continue;
      }
      at = child;
    }
    return path.endsWith("/") && this.type(at) !== S_IFDIR ? undefined : at;
  }

  #lookupName(directory: number, name: ByteString): number {
    const bytes = new Uint8Array(name.length);
    for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
    return this.lookup(directory, bytes, 0, bytes.length);
  }
}

/** A number in two columns. @throws {CorruptError} beyond 2^53−1. */
export function columnU64(
  columns: Readonly<Record<InodeColumn, Uint32Array>>,
  inode: number,
  which: "size" | "place",
): number {
  const low = which === "size" ? columns.sizeLow : columns.placeLow;
  const high = which === "size" ? columns.sizeHigh : columns.placeHigh;
  return joinU64(low[inode]!, high[inode]!, () => ({ subject: "archive", field: `inodes[${inode}].${which}` }));
}
