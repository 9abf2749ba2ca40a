import { assert, type ByteString, fromByteString, highU32, lowU32, writeU64 } from "../base/mod.ts";
import {
  COLUMNS_HEADER_BYTES,
  DIRENT_COLUMNS,
  EXTENT,
  EXTENT_BYTES,
  INODE_COLUMNS,
  type InodeColumn,
  MAX_XATTR_NAME_BYTES,
  MAX_XATTR_VALUE_BYTES,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
  SPARSE_LAYER,
  XATTR,
  XATTR_BYTES,
} from "./layout.ts";
import type { Extent, TreeNode } from "./model.ts";

/** The sections that hold the tree, plain. */
export interface TreeSections {
  readonly inodes: Uint8Array;
  readonly dirents: Uint8Array;
  readonly names: Uint8Array;
  readonly targets: Uint8Array;
  readonly extents: Uint8Array;
  readonly xattrs: Uint8Array;
}

/**
 * The tree in sections. Inodes are numbered breadth first, children in byte order of their names, so that the numbers
 * depend on the tree alone and a child directory always has a higher number than its parent (a reader's proof that
 * there is no cycle). O(nodes × log children).
 */
export function encodeTree(root: TreeNode): TreeSections {
  const encoder = new TreeEncoder(countDirents(root));
  encoder.encode(root);
  return encoder.sections();
}

/** Numbers nodes and writes them down as they are numbered; only directories are remembered until their turn. */
class TreeEncoder {
  /** One place for each inode there can be: entry 0 is never read, 1 is the root. */
  #places: number;
  #inodeSection: Uint8Array;
  #columns: Record<InodeColumn, Uint32Array>;
  #direntSection: Uint8Array;
  #nameStarts: Uint32Array;
  #direntInodes: Uint32Array;
  #names = new Appender();
  #targets = new Appender();
  #extents: Extent[] = [];
  #xattrs = new XattrSets();
  /** Inodes of nodes that may have several names. */
  #numbers = new Map<TreeNode, number>();
  #directories: { inode: number; node: TreeNode }[] = [];
  #inodes = 0;

  constructor(direntCount: number) {
    this.#places = direntCount + 2;
    const inodes = columnSection(this.#places - 1, INODE_COLUMNS.map(() => this.#places));
    this.#inodeSection = inodes.section;
    this.#columns = Object.fromEntries(INODE_COLUMNS.map((name, i) => [name, inodes.columns[i]!])) as Record<
      InodeColumn,
      Uint32Array
    >;
    const dirents = columnSection(direntCount, [direntCount + 1, direntCount]);
    this.#direntSection = dirents.section;
    [this.#nameStarts, this.#direntInodes] = dirents.columns as [Uint32Array, Uint32Array];
  }

  encode(root: TreeNode): void {
    this.#columns.parent[this.#add(root, 1)] = 1;
    let dirent = 0;
    // The list grows on the way.
    for (const { inode: parent, node } of this.#directories) {
      const children = node.children!;
      this.#columns.placeLow[parent] = dirent;
      this.#columns.placeHigh[parent] = children.size;
      for (const name of [...children.keys()].sort(compareByteStrings)) {
        const child = children.get(name)!;
        const known = child.hasOneName === true ? undefined : this.#numbers.get(child);
        assert(known === undefined || child.children === undefined, "a directory has two names");
        const inode = known ?? this.#add(child, parent);
        this.#columns.nlink[child.children === undefined ? inode : parent]!++;
        this.#names.add(name);
        this.#direntInodes[dirent++] = inode;
        this.#nameStarts[dirent] = this.#names.length;
      }
    }
  }

  /** Writes down a node under the next number, which it returns. */
  #add(node: TreeNode, parent: number): number {
    const inode = ++this.#inodes;
    if (node.hasOneName !== true) this.#numbers.set(node, inode);
    if (node.children !== undefined) this.#directories.push({ inode, node });
    const columns = this.#columns;
    columns.mode[inode] = node.mode;
    columns.uid[inode] = node.uid;
    columns.gid[inode] = node.gid;
    columns.mtimeLow[inode] = lowU32(node.mtimeSeconds);
    columns.mtimeHigh[inode] = highU32(node.mtimeSeconds);
    columns.mtimeNanoseconds[inode] = node.mtimeNanoseconds;
    columns.parent[inode] = parent;
    columns.nlink[inode] = node.children === undefined ? 0 : 2;
    columns.xattrs[inode] = this.#xattrs.add(node.xattrs);
    columns.sizeLow[inode] = lowU32(node.sizeBytes);
    columns.sizeHigh[inode] = highU32(node.sizeBytes);
    this.#addPlace(node, inode);
    return inode;
  }

  /** What place, size and layer mean depends on the type; those of a directory are known when it has its turn. */
  #addPlace(node: TreeNode, inode: number): void {
    const columns = this.#columns;
    const type = node.mode & S_IFMT;
    if (type === S_IFDIR) return;
    if (type === S_IFCHR || type === S_IFBLK) {
      columns.placeLow[inode] = node.deviceMajor;
      columns.placeHigh[inode] = node.deviceMinor;
    } else if (node.target !== "") {
      columns.placeLow[inode] = this.#targets.add(node.target);
      columns.sizeLow[inode] = node.target.length;
    } else if (node.data === undefined) {
      assert(node.sizeBytes === 0, "a file has a size and no data");
    } else if ("plainOffset" in node.data) {
      columns.placeLow[inode] = lowU32(node.data.plainOffset);
      columns.placeHigh[inode] = highU32(node.data.plainOffset);
      columns.layer[inode] = node.data.layer;
    } else {
      columns.placeLow[inode] = this.#extents.length;
      columns.placeHigh[inode] = node.data.length;
      columns.layer[inode] = SPARSE_LAYER;
      for (const extent of node.data) this.#extents.push(extent); // not by spreading: there can be 100,000 of them
    }
  }

  sections(): TreeSections {
    return {
      inodes: this.#inodes + 1 === this.#places ? this.#inodeSection : this.#withoutSpares(),
      dirents: this.#direntSection,
      names: this.#names.bytes(),
      targets: this.#targets.bytes(),
      extents: encodeExtents(this.#extents),
      xattrs: this.#xattrs.bytes(),
    };
  }

  /** The inodes section of a tree with hard links: fewer inodes than names. Its columns move together. */
  #withoutSpares(): Uint8Array {
    const section = this.#inodeSection;
    new DataView(section.buffer).setUint32(0, this.#inodes, true);
    const columnBytes = (this.#inodes + 1) * Uint32Array.BYTES_PER_ELEMENT;
    let at = COLUMNS_HEADER_BYTES;
    for (const name of INODE_COLUMNS) {
      const { byteOffset } = this.#columns[name];
      section.copyWithin(at, byteOffset, byteOffset + columnBytes);
      at += columnBytes;
    }
    return section.subarray(0, at);
  }
}

/** Order of names in a directory: byte by byte, as unsigned numbers. */
export function compareByteStrings(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** How many names there are in all directories. */
function countDirents(root: TreeNode): number {
  let count = 0;
  const directories = [root];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    count += directory.children!.size;
    for (const name of directory.children!.keys()) {
      const child = directory.children!.get(name)!;
      if (child.children !== undefined) directories.push(child);
    }
  }
  return count;
}

/** A section of columns, each with so many places, all zero, to be filled in it. */
function columnSection(count: number, lengths: readonly number[]): { section: Uint8Array; columns: Uint32Array[] } {
  const places = lengths.reduce((sum, length) => sum + length, 0);
  const section = new Uint8Array(COLUMNS_HEADER_BYTES + places * Uint32Array.BYTES_PER_ELEMENT);
  new DataView(section.buffer).setUint32(0, count, true);
  let at = COLUMNS_HEADER_BYTES;
  const columns = lengths.map((length) => {
    const column = new Uint32Array(section.buffer, at, length);
    at += column.byteLength;
    return column;
  });
  return { section, columns };
}

/** How many columns a section has; for the tests. */
export const COLUMN_COUNTS = { inodes: INODE_COLUMNS.length, dirents: DIRENT_COLUMNS.length } as const;

function encodeExtents(extents: readonly Extent[]): Uint8Array {
  const section = new Uint8Array(extents.length * EXTENT_BYTES);
  const view = new DataView(section.buffer);
  extents.forEach((extent, index) => {
    const at = index * EXTENT_BYTES;
    writeU64(view, at + EXTENT.fileOffset.at, extent.fileOffset);
    writeU64(view, at + EXTENT.plainOffset.at, extent.plainOffset);
    writeU64(view, at + EXTENT.lengthBytes.at, extent.lengthBytes);
    view.setUint32(at + EXTENT.layer.at, extent.layer, true);
  });
  return section;
}

/** Byte strings one after another. */
class Appender {
  #bytes = new Uint8Array(64 * 1024);
  length = 0;

  add(text: ByteString): number {
    const at = this.length;
    this.length += text.length;
    if (this.length > this.#bytes.length) {
      const grown = Math.max(this.length, 2 * this.#bytes.length);
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(grown)); // the old bytes do not wait for the collector
    }
    const bytes = this.#bytes;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    return at;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** The xattrs section under construction: equal sets are kept once. */
class XattrSets {
  #known = new Map<ByteString, number>();
  #sets = new Appender();

  /** The value of the xattrs column for a node with these attributes. */
  add(xattrs: ReadonlyMap<ByteString, Uint8Array> | undefined): number {
    if (xattrs === undefined || xattrs.size === 0) return 0;
    const set = encodeXattrSet(xattrs);
    let place = this.#known.get(set);
    if (place === undefined) {
      place = this.#sets.add(set) + 1;
      this.#known.set(set, place);
    }
    return place;
  }

  bytes(): Uint8Array {
    return this.#sets.bytes();
  }
}

function encodeXattrSet(xattrs: ReadonlyMap<ByteString, Uint8Array>): ByteString {
  const names = [...xattrs.keys()].sort(compareByteStrings);
  for (const name of names) {
    assert(name.length >= 1 && name.length <= MAX_XATTR_NAME_BYTES, `an attribute's name has ${name.length} bytes`);
    const valueBytes = xattrs.get(name)!.length;
    assert(valueBytes <= MAX_XATTR_VALUE_BYTES, `an attribute's value has ${valueBytes} bytes`);
  }
  const roundUp4 = (bytes: number) => Math.ceil(bytes / 4) * 4;
  const total = names.reduce((n, name) => n + roundUp4(XATTR_BYTES + name.length + xattrs.get(name)!.length), 4);
  const set = new Uint8Array(total);
  const view = new DataView(set.buffer);
  view.setUint32(0, names.length, true);
  let at = 4;
  for (const name of names) {
    const value = xattrs.get(name)!;
    view.setUint16(at + XATTR.nameBytes.at, name.length, true);
    view.setUint32(at + XATTR.valueBytes.at, value.length, true);
    set.set(fromByteString(name), at + XATTR_BYTES);
    set.set(value, at + XATTR_BYTES + name.length);
    at += roundUp4(XATTR_BYTES + name.length + value.length);
  }
  let text = "";
  for (let i = 0; i < set.length; i += 8192) text += String.fromCharCode(...set.subarray(i, i + 8192));
  return text;
}
