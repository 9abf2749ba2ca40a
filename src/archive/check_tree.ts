/**
 * The checks that make a tree from an untrusted file safe to walk: after them every index is in range, every directory
 * has one parent with a smaller number (so there is no cycle), names are sorted and legal, and data lies inside layers.
 * One pass over the columns: about 20 ns a node. Lists in other sections (directory entries, extents) belong to one
 * inode each and stand in the order of the inodes, which is what bounds the pass: no list is walked twice.
 */
import { CorruptError, toByteString } from "../base/mod.ts";
import {
  COLUMNS_HEADER_BYTES,
  DIRENT_COLUMNS,
  EXTENT_BYTES,
  INODE_COLUMNS,
  MAX_NAME_BYTES,
  MAX_TARGET_BYTES,
  MAX_XATTR_NAME_BYTES,
  MAX_XATTR_VALUE_BYTES,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  SPARSE_LAYER,
  XATTR,
  XATTR_BYTES,
} from "./layout.ts";
import { columnU64, type Tree, type TreeBytes } from "./tree.ts";

/** @throws {CorruptError} always: `field` is wrong. */
function bad(field: string, actual: string | number, expected: string | number): never {
  throw new CorruptError({ subject: "archive", field, actual, expected });
}

/** Counts of entries, once the lengths of the sections have been seen to agree with them. */
function sizes(bytes: TreeBytes): { inodeCount: number; direntCount: number } {
  const count = (section: "inodes" | "dirents") => {
    const part = bytes[section];
    if (part.byteLength < COLUMNS_HEADER_BYTES) bad(`${section} section length`, part.byteLength, "at least 8");
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    if (view.getUint32(4, true) !== 0) bad(`${section} reserved field`, view.getUint32(4, true), 0);
    return view.getUint32(0, true);
  };
  const inodeCount = count("inodes");
  const direntCount = count("dirents");
  const inodesBytes = COLUMNS_HEADER_BYTES + (inodeCount + 1) * 4 * INODE_COLUMNS.length;
  const direntsBytes = COLUMNS_HEADER_BYTES + (direntCount * DIRENT_COLUMNS.length + 1) * 4;
  if (inodeCount < 1) bad("inode count", inodeCount, "at least 1");
  if (bytes.inodes.byteLength !== inodesBytes) bad("inodes section length", bytes.inodes.byteLength, inodesBytes);
  if (bytes.dirents.byteLength !== direntsBytes) bad("dirents section length", bytes.dirents.byteLength, direntsBytes);
  if (bytes.extents.byteLength % EXTENT_BYTES !== 0) {
    bad("extents section length", bytes.extents.byteLength, `a multiple of ${EXTENT_BYTES}`);
  }
  return { inodeCount, direntCount };
}

/**
 * Checks every index, name and range of `tree`.
 * @param layerPlainBytes Length of each layer's plain stream. @throws {CorruptError} at the first thing wrong.
 */
function all(tree: Tree, bytes: TreeBytes, layerPlainBytes: readonly number[]): void {
  checkNames(tree);
  checkLinks(tree, checkDirectories(tree));
  const xattrSets = checkXattrSets(bytes.xattrs);
  for (const name of INODE_COLUMNS) {
    if (tree.columns[name][0] !== 0) bad(`inodes[0].${name}`, tree.columns[name][0]!, 0);
  }
  let extents = 0;
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    const xattrs = tree.columns.xattrs[inode]!;
    if (xattrs !== 0 && ((xattrs - 1) % 4 !== 0 || xattrSets[(xattrs - 1) / 4] !== 1)) {
      bad(`inodes[${inode}].xattrs`, xattrs, "the start of a set");
    }
    checkTime(tree, inode);
    checkInode(tree, inode, bytes.targets.byteLength, layerPlainBytes);
    if (isSparse(tree, inode)) extents = checkExtents(tree, inode, extents, layerPlainBytes);
  }
  if (extents !== tree.extentCount) bad("extents section length", `${tree.extentCount} extents`, `${extents}`);
}

/** The two checks that an archive's tree goes through. */
export const checkTree = { sizes, all } as const;

function checkNames(tree: Tree): void {
  const { nameStarts, names, direntCount } = tree;
  if (nameStarts[0] !== 0) bad("dirents.nameStart[0]", nameStarts[0]!, 0);
  if (nameStarts[direntCount] !== names.length) bad("names section length", names.length, nameStarts[direntCount]!);
  for (let dirent = 0; dirent < direntCount; dirent++) {
    const start = nameStarts[dirent]!;
    const length = nameStarts[dirent + 1]! - start;
    if (length < 1 || length > MAX_NAME_BYTES) bad(`dirents[${dirent}] name length`, length, `1 to ${MAX_NAME_BYTES}`);
    if (names[start] === 0x2e && (length === 1 || (length === 2 && names[start + 1] === 0x2e))) {
      bad(`dirents[${dirent}] name`, ". or ..", "a name");
    }
  }
  // Names lie end to end, so one look at the whole section serves all of them.
  for (let at = 0; at < names.length; at++) {
    if (names[at] === 0 || names[at] === 0x2f) bad(`names[${at}]`, names[at]!, "neither NUL nor /");
  }
}

/** Returns how many directory entries lead to each inode. */
function checkDirectories(tree: Tree): Uint32Array {
  const { columns, direntInodes, direntCount, inodeCount } = tree;
  const seen = new Uint32Array(inodeCount + 1);
  if (tree.type(1) !== S_IFDIR) bad("inodes[1].mode", columns.mode[1]!, "a directory: it is the root");
  if (columns.parent[1] !== 1) bad("inodes[1].parent", columns.parent[1]!, 1);
  let next = 0;
  for (let inode = 1; inode <= inodeCount; inode++) {
    if (tree.type(inode) !== S_IFDIR) continue;
    const first = columns.placeLow[inode]!;
    const count = columns.placeHigh[inode]!;
    if (first !== next || count > direntCount - first) bad(`inodes[${inode}] entries`, `${first}+${count}`, next);
    next = first + count;
    for (let dirent = first; dirent < next; dirent++) {
      const child = direntInodes[dirent]!;
      if (child < 2 || child > inodeCount) bad(`dirents[${dirent}].inode`, child, `2 to ${inodeCount}`);
      if (dirent > first && !namesAscend(tree, dirent)) bad(`dirents[${dirent}] name`, "out of order", "ascending");
      if (tree.type(child) === S_IFDIR && (child <= inode || seen[child] !== 0)) {
        bad(`dirents[${dirent}].inode`, child, "a directory not seen before");
      }
      if (seen[child] === 0 && columns.parent[child] !== inode) {
        bad(`inodes[${child}].parent`, columns.parent[child]!, inode);
      }
      seen[child]!++;
    }
  }
  if (next !== direntCount) bad("dirent count", direntCount, next);
  return seen;
}

/** A directory has a link for each of `.`, its name, and the `..` of each directory in it; others one a name. */
function checkLinks(tree: Tree, links: Uint32Array): void {
  const { columns, inodeCount } = tree;
  links[1] = 1;
  for (let inode = 2; inode <= inodeCount; inode++) {
    if (links[inode] === 0) bad(`inodes[${inode}]`, "no directory entry", "at least one");
  }
  for (let inode = 2; inode <= inodeCount; inode++) {
    if (tree.type(inode) === S_IFDIR) links[columns.parent[inode]!]!++;
  }
  for (let inode = 1; inode <= inodeCount; inode++) {
    const expected = links[inode]! + (tree.type(inode) === S_IFDIR ? 1 : 0);
    if (columns.nlink[inode] !== expected) bad(`inodes[${inode}].nlink`, columns.nlink[inode]!, expected);
  }
}

function checkTime(tree: Tree, inode: number): void {
  const high = tree.columns.mtimeHigh[inode]! | 0;
  if (high < -0x200000 || high > 0x1fffff) {
    bad(`inodes[${inode}].mtime`, tree.mtimeSeconds(inode), "between -2^53 and 2^53");
  }
  const nanoseconds = tree.columns.mtimeNanoseconds[inode]!;
  if (nanoseconds >= 1e9) bad(`inodes[${inode}].mtimeNanoseconds`, nanoseconds, "below 10^9");
}

function isSparse(tree: Tree, inode: number): boolean {
  return tree.type(inode) === S_IFREG && tree.columns.layer[inode] === SPARSE_LAYER;
}

function namesAscend({ names, nameStarts }: Tree, dirent: number): boolean {
  const end = nameStarts[dirent]!;
  let at = nameStarts[dirent - 1]!;
  for (let other = end; at < end && other < nameStarts[dirent + 1]!; at++, other++) {
    if (names[at] !== names[other]) return names[at]! < names[other]!;
  }
  return at === end && end - nameStarts[dirent - 1]! < nameStarts[dirent + 1]! - end;
}

function checkInode(tree: Tree, inode: number, targetsBytes: number, layerPlainBytes: readonly number[]): void {
  const { columns } = tree;
  const field = `inodes[${inode}]`;
  const mode = columns.mode[inode]!;
  if (mode > 0o177777) bad(`${field}.mode`, mode, "at most 0o177777");
  const sizeBytes = columnU64(columns, inode, "size");
  switch (tree.type(inode)) {
    case S_IFREG: {
      if (sizeBytes === 0 || isSparse(tree, inode)) return;
      const plainOffset = columnU64(columns, inode, "place");
      return checkData(field, columns.layer[inode]!, plainOffset, sizeBytes, layerPlainBytes);
    }
    case S_IFLNK:
      if (sizeBytes < 1 || sizeBytes > MAX_TARGET_BYTES) {
        bad(`${field} target length`, sizeBytes, `1 to ${MAX_TARGET_BYTES}`);
      }
      if (columns.placeLow[inode]! + sizeBytes > targetsBytes) {
        bad(`${field} target`, columns.placeLow[inode]!, `at most ${targetsBytes - sizeBytes}`);
      }
      return;
    case S_IFDIR:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      if (sizeBytes !== 0) bad(`${field}.size`, sizeBytes, 0);
      return;
    default:
      bad(`${field}.mode`, `0o${mode.toString(8)}`, "a file type");
  }
}

/** The extents of a sparse file, which begin with number `next`; returns the number after the last. */
function checkExtents(tree: Tree, inode: number, next: number, layerPlainBytes: readonly number[]): number {
  const first = tree.columns.placeLow[inode]!;
  const count = tree.columns.placeHigh[inode]!;
  if (first !== next || count > tree.extentCount - first) {
    bad(`inodes[${inode}] extents`, `${first}+${count}`, `${next} and on, of ${tree.extentCount}`);
  }
  const sizeBytes = tree.sizeBytes(inode);
  let end = 0;
  for (let index = first; index < first + count; index++) {
    const { fileOffset, plainOffset, lengthBytes, layer } = tree.extent(index);
    if (fileOffset < end) bad(`extents[${index}].fileOffset`, fileOffset, `at least ${end}`);
    if (lengthBytes === 0) bad(`extents[${index}].lengthBytes`, 0, "at least 1");
    if (tree.extentReserved(index) !== 0) bad(`extents[${index}].reserved`, tree.extentReserved(index), 0);
    end = fileOffset + lengthBytes;
    if (end > sizeBytes) bad(`extents[${index}] end`, end, `at most ${sizeBytes}`);
    checkData(`extents[${index}]`, layer, plainOffset, lengthBytes, layerPlainBytes);
  }
  return first + count;
}

function checkData(
  field: string,
  layer: number,
  plainOffset: number,
  lengthBytes: number,
  layerPlainBytes: readonly number[],
): void {
  if (layer >= layerPlainBytes.length) bad(`${field}.layer`, layer, `below ${layerPlainBytes.length}`);
  const end = layerPlainBytes[layer]!;
  if (plainOffset > end || lengthBytes > end - plainOffset) {
    bad(`${field} data`, `${plainOffset}+${lengthBytes}`, `at most ${end}, the length of layer ${layer}`);
  }
}

/** For every fourth byte of the section, 1 where a set begins there. */
function checkXattrSets(section: Uint8Array): Uint8Array {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  if (section.byteLength % 4 !== 0) bad("xattrs section length", section.byteLength, "a multiple of 4");
  const starts = new Uint8Array(section.byteLength / 4);
  for (let at = 0; at < section.byteLength;) {
    const field = `xattrs[${at}]`;
    starts[at / 4] = 1;
    const count = view.getUint32(at, true);
    if (count === 0) bad(`${field} number of attributes`, 0, "at least 1");
    at += 4;
    for (let i = 0, before = ""; i < count; i++) {
      if (at + XATTR_BYTES > section.byteLength) bad(field, "cut short", `${count} attributes`);
      const nameBytes = view.getUint16(at + XATTR.nameBytes.at, true);
      const valueBytes = view.getUint32(at + XATTR.valueBytes.at, true);
      const reserved = view.getUint16(at + XATTR.reserved.at, true);
      if (reserved !== 0) bad(`${field} reserved field`, reserved, 0);
      if (nameBytes < 1 || nameBytes > MAX_XATTR_NAME_BYTES) {
        bad(`${field} name length`, nameBytes, `1 to ${MAX_XATTR_NAME_BYTES}`);
      }
      if (valueBytes > MAX_XATTR_VALUE_BYTES) bad(`${field} value length`, valueBytes, MAX_XATTR_VALUE_BYTES);
      const nameAt = at + XATTR_BYTES;
      at = Math.ceil((nameAt + nameBytes + valueBytes) / 4) * 4;
      if (at > section.byteLength) bad(`${field} value length`, valueBytes, "inside the section");
      const name = toByteString(section.slice(nameAt, nameAt + nameBytes));
      if (name <= before) bad(`${field} name`, "out of order", "ascending");
      before = name;
    }
  }
  return starts;
}
