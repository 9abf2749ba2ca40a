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
  const { nodes, parents, links, dirents } = numberNodes(root);
  const inodes = columnSection(nodes.length - 1, INODE_COLUMNS.map(() => nodes.length));
  const columns = Object.fromEntries(INODE_COLUMNS.map((name, i) => [name, inodes.columns[i]!])) as Record<
    InodeColumn,
    Uint32Array
  >;
  const targets = new Appender();
  const extents: Extent[] = [];
  const xattrs = new XattrSets();
  for (let inode = 1; inode < nodes.length; inode++) {
    const node = nodes[inode]!;
    const set = (column: InodeColumn, value: number) => columns[column][inode] = value;
    set("mode", node.mode);
    set("uid", node.uid);
    set("gid", node.gid);
    set("mtimeLow", lowU32(node.mtimeSeconds));
    set("mtimeHigh", highU32(node.mtimeSeconds));
    set("mtimeNanoseconds", node.mtimeNanoseconds);
    set("parent", parents[inode]!);
    set("nlink", links[inode]!);
    set("xattrs", xattrs.add(node.xattrs));
    set("sizeLow", lowU32(node.sizeBytes));
    set("sizeHigh", highU32(node.sizeBytes));
    const type = node.mode & S_IFMT;
    if (type === S_IFDIR) {
      set("placeLow", dirents.first[inode]!);
      set("placeHigh", node.children!.size);
    } else if (type === S_IFCHR || type === S_IFBLK) {
      set("placeLow", node.deviceMajor);
      set("placeHigh", node.deviceMinor);
    } else if (node.target !== "") {
      set("placeLow", targets.add(node.target));
      set("sizeLow", node.target.length);
    } else if (node.data === undefined) {
      assert(node.sizeBytes === 0, "a file has a size and no data");
    } else if ("plainOffset" in node.data) {
      set("placeLow", lowU32(node.data.plainOffset));
      set("placeHigh", highU32(node.data.plainOffset));
      set("layer", node.data.layer);
    } else {
      set("placeLow", extents.length);
      set("placeHigh", node.data.length);
      set("layer", SPARSE_LAYER);
      for (const extent of node.data) extents.push(extent); // not by spreading: there can be 100,000 of them
    }
  }
  return {
    inodes: inodes.section,
    dirents: dirents.section,
    names: dirents.names.bytes(),
    targets: targets.bytes(),
    extents: encodeExtents(extents),
    xattrs: xattrs.bytes(),
  };
}

function numberNodes(root: TreeNode) {
  const direntCount = countDirents(root);
  const { section, columns } = columnSection(direntCount, [direntCount + 1, direntCount]);
  const [nameStarts, inodes] = columns as [Uint32Array, Uint32Array];
  const nodes: TreeNode[] = [root, root]; // entry 0 is never read; inode 1 is the root
  // One place for each inode there can be.
  const parents = new Uint32Array(direntCount + 2);
  const links = new Uint32Array(direntCount + 2);
  const first = new Uint32Array(direntCount + 2);
  parents[1] = 1;
  links[1] = 2;
  const numbers = new Map<TreeNode, number>([[root, 1]]);
  const names = new Appender();
  let dirent = 0;
  for (let directory = 1; directory < nodes.length; directory++) {
    const children = nodes[directory]!.children;
    if (children === undefined) continue;
    first[directory] = dirent;
    for (const name of [...children.keys()].sort(compareByteStrings)) {
      const child = children.get(name)!;
      let inode = numbers.get(child);
      if (inode === undefined) {
        inode = nodes.push(child) - 1;
        numbers.set(child, inode);
        parents[inode] = directory;
        links[inode] = child.children === undefined ? 0 : 2;
      } else {
        assert(child.children === undefined, "a directory has two names");
      }
      if (child.children === undefined) links[inode]!++;
      else links[directory]!++;
      names.add(name);
      inodes[dirent++] = inode;
      nameStarts[dirent] = names.length;
    }
  }
  return { nodes, parents, links, dirents: { first, names, section } };
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
    for (const child of directory.children!.values()) if (child.children !== undefined) directories.push(child);
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
