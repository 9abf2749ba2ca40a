/**
 * The checks that make a tree from an untrusted file safe to walk: after them every index is in range, every directory
 * has one parent with a smaller number (so there is no cycle), names are sorted and legal, and data lies inside layers.
 * One pass over the columns: about 20 ns a node.
 */
import { CorruptError } from "../base/mod.ts";
import {
  COLUMNS_HEADER_BYTES,
  DIRENT_COLUMNS,
  EXTENT_BYTES,
  INODE_COLUMNS,
  MAX_NAME_BYTES,
  MAX_TARGET_BYTES,
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
  const seen = checkDirectories(tree);
  const xattrSets = checkXattrSets(bytes.xattrs);
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    if (inode !== 1 && seen[inode] === 0) bad(`inodes[${inode}]`, "no directory entry", "at least one");
    const xattrs = tree.columns.xattrs[inode]!;
    if (xattrs !== 0 && !xattrSets.has(xattrs)) bad(`inodes[${inode}].xattrs`, xattrs, "the start of a set");
    if (tree.columns.mtimeNanoseconds[inode]! >= 1e9) {
      bad(`inodes[${inode}].mtimeNanoseconds`, tree.columns.mtimeNanoseconds[inode]!, "below 10^9");
    }
    checkInode(tree, inode, bytes.targets.byteLength, layerPlainBytes);
  }
  for (let index = 0; index < tree.extentCount; index++) {
    const extent = tree.extent(index);
    checkData(`extents[${index}]`, extent.layer, extent.plainOffset, extent.lengthBytes, layerPlainBytes);
  }
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

function checkDirectories(tree: Tree): Uint8Array {
  const { columns, direntInodes, direntCount, inodeCount } = tree;
  const seen = new Uint8Array(inodeCount + 1);
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
      seen[child] = 1;
    }
  }
  if (next !== direntCount) bad("dirent count", direntCount, next);
  return seen;
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
  if (columns.nlink[inode] === 0) bad(`${field}.nlink`, 0, "at least 1");
  const sizeBytes = columnU64(columns, inode, "size");
  switch (tree.type(inode)) {
    case S_IFREG: {
      if (sizeBytes === 0) return;
      if (columns.layer[inode] !== SPARSE_LAYER) {
        const plainOffset = columnU64(columns, inode, "place");
        return checkData(field, columns.layer[inode]!, plainOffset, sizeBytes, layerPlainBytes);
      }
      return checkExtents(tree, inode, sizeBytes);
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

function checkExtents(tree: Tree, inode: number, sizeBytes: number): void {
  const first = tree.columns.placeLow[inode]!;
  const count = tree.columns.placeHigh[inode]!;
  if (count > tree.extentCount - first) bad(`inodes[${inode}] extents`, `${first}+${count}`, tree.extentCount);
  let end = 0;
  for (let index = first; index < first + count; index++) {
    const { fileOffset, lengthBytes } = tree.extent(index);
    if (fileOffset < end) bad(`extents[${index}].fileOffset`, fileOffset, `at least ${end}`);
    end = fileOffset + lengthBytes;
  }
  if (end > sizeBytes) bad(`inodes[${inode}] extents`, end, `at most ${sizeBytes}`);
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

/** The values that the xattrs column may have. */
function checkXattrSets(section: Uint8Array): Set<number> {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  const sets = new Set<number>();
  for (let at = 0; at < section.byteLength;) {
    const field = `xattrs[${at}]`;
    sets.add(at + 1);
    if (at + 4 > section.byteLength) bad(field, "cut short", "a set");
    const count = view.getUint32(at, true);
    at += 4;
    for (let i = 0; i < count; i++) {
      if (at + XATTR_BYTES > section.byteLength) bad(field, "cut short", `${count} attributes`);
      const nameBytes = view.getUint16(at + XATTR.nameBytes.at, true);
      const valueBytes = view.getUint32(at + XATTR.valueBytes.at, true);
      if (nameBytes < 1 || nameBytes > 255) bad(`${field} name length`, nameBytes, "1 to 255");
      at = Math.ceil((at + XATTR_BYTES + nameBytes + valueBytes) / 4) * 4;
      if (at > section.byteLength) bad(`${field} value length`, valueBytes, "inside the section");
    }
  }
  return sets;
}
