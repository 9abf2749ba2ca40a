/**
 * The checks that make a tree from an untrusted file safe to walk: after them every index is in range, every directory
 * has one parent with a smaller number (so there is no cycle), names are sorted and legal, and data lies inside layers.
 * One pass over the columns: about 100 ns a node, 400 ns in a process that has just started. Lists in other sections (directory entries, extents) belong to one
 * inode each and stand in the order of the inodes, which is what bounds the pass: no list is walked twice.
 */
import { CorruptError, toByteString } from "../base/mod.ts";
import {
  COLUMNS_HEADER_BYTES,
  DIRENT_COLUMNS,
  EXTENT_BYTES,
  INODE_COLUMNS,
  MAX_DEPTH,
  MAX_NAME_BYTES,
  MAX_TARGET_BYTES,
  MAX_XATTR_NAME_BYTES,
  MAX_XATTR_VALUE_BYTES,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  SPARSE_LAYER,
  XATTR,
  XATTR_BYTES,
} from "./layout.ts";
import { columnU64, type Tree, type TreeBytes } from "./tree.ts";

/** Types that have no size. */
const SIZELESS: ReadonlySet<number> = new Set([S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK]);
/** The high 32 bits of 2^53−1. */
const MAX_HIGH = 0x1fffff;

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
  for (const name of INODE_COLUMNS) {
    if (tree.columns[name][0] !== 0) bad(`inodes[0].${name}`, tree.columns[name][0]!, 0);
  }
  checkNames(tree);
  const links = checkDirectories(tree);
  const xattrSets = checkXattrSets(bytes.xattrs);
  checkInodes(tree, { links, xattrSets, targetsBytes: bytes.targets.byteLength, layerPlainBytes });
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
  for (const byte of [0, 0x2f]) {
    const at = names.indexOf(byte);
    if (at >= 0) bad(`names[${at}]`, byte, "neither NUL nor /");
  }
}

/**
 * Returns the number of links of each inode: one for its name or each of its names, and in a directory one for `..` of
 * each directory in it. (Its own `.` is not counted.)
 */
function checkDirectories({ columns, direntInodes, direntCount, inodeCount, names, nameStarts }: Tree): Uint32Array {
  const { mode, parent, placeLow, placeHigh } = columns;
  const links = new Uint32Array(inodeCount + 1);
  const depths = new Uint16Array(inodeCount + 1);
  if ((mode[1]! & S_IFMT) !== S_IFDIR) bad("inodes[1].mode", mode[1]!, "a directory: it is the root");
  if (parent[1] !== 1) bad("inodes[1].parent", parent[1]!, 1);
  links[1] = 1;
  let next = 0;
  for (let inode = 1; inode <= inodeCount; inode++) {
    if ((mode[inode]! & S_IFMT) !== S_IFDIR) continue;
    // Only directories of smaller numbers can name this one, and those have been looked at.
    if (links[inode] === 0) bad(`inodes[${inode}]`, "no directory entry", "at least one");
    const first = placeLow[inode]!;
    const count = placeHigh[inode]!;
    if (first !== next || count > direntCount - first) bad(`inodes[${inode}] entries`, `${first}+${count}`, next);
    next = first + count;
    for (let dirent = first; dirent < next; dirent++) {
      const child = direntInodes[dirent]!;
      if (child < 2 || child > inodeCount) bad(`dirents[${dirent}].inode`, child, `2 to ${inodeCount}`);
      if (dirent > first && !namesAscend(names, nameStarts, dirent)) {
        bad(`dirents[${dirent}] name`, "out of order", "ascending");
      }
      if ((mode[child]! & S_IFMT) === S_IFDIR) {
        if (child <= inode || links[child] !== 0) bad(`dirents[${dirent}].inode`, child, "a directory not seen before");
        links[inode]!++;
        depths[child] = depths[inode]! + 1;
        if (depths[child]! > MAX_DEPTH) bad(`inodes[${child}] depth`, depths[child]!, `at most ${MAX_DEPTH}`);
      }
      if (links[child] === 0 && parent[child] !== inode) bad(`inodes[${child}].parent`, parent[child]!, inode);
      links[child]!++;
    }
  }
  if (next !== direntCount) bad("dirent count", direntCount, next);
  return links;
}

function namesAscend(names: Uint8Array, nameStarts: Uint32Array, dirent: number): boolean {
  const start = nameStarts[dirent - 1]!;
  const middle = nameStarts[dirent]!;
  const end = nameStarts[dirent + 1]!;
  for (let at = start, other = middle; at < middle && other < end; at++, other++) {
    if (names[at] !== names[other]) return names[at]! < names[other]!;
  }
  return middle - start < end - middle;
}

/** What the inodes are checked against. */
interface InodeBounds {
  readonly links: Uint32Array;
  readonly xattrSets: Uint8Array;
  readonly targetsBytes: number;
  readonly layerPlainBytes: readonly number[];
}

function checkInodes(tree: Tree, { links, xattrSets, targetsBytes, layerPlainBytes }: InodeBounds): void {
  const { inodeCount, columns } = tree;
  const { mode, nlink, mtimeHigh, mtimeNanoseconds, sizeHigh, sizeLow, layer, xattrs } = columns;
  let extents = 0;
  for (let inode = 1; inode <= inodeCount; inode++) {
    const type = mode[inode]! & S_IFMT;
    const expected = links[inode]! + (type === S_IFDIR ? 1 : 0);
    if (expected === 0) bad(`inodes[${inode}]`, "no directory entry", "at least one");
    if (nlink[inode] !== expected) bad(`inodes[${inode}].nlink`, nlink[inode]!, expected);
    if (mode[inode]! > 0o177777) bad(`inodes[${inode}].mode`, mode[inode]!, "at most 0o177777");
    const high = mtimeHigh[inode]! | 0;
    if (high < -MAX_HIGH - 1 || high > MAX_HIGH) {
      bad(`inodes[${inode}].mtime`, tree.mtimeSeconds(inode), "between -2^53 and 2^53");
    }
    if (mtimeNanoseconds[inode]! >= 1e9) {
      bad(`inodes[${inode}].mtimeNanoseconds`, mtimeNanoseconds[inode]!, "below 10^9");
    }
    const set = xattrs[inode]!;
    if (set !== 0 && ((set - 1) % 4 !== 0 || xattrSets[(set - 1) / 4] !== 1)) {
      bad(`inodes[${inode}].xattrs`, set, "the start of a set");
    }
    const size = sizeHigh[inode]! > MAX_HIGH ? columnU64(columns, inode, "size") : tree.sizeBytes(inode);
    if (type === S_IFREG) {
      if (layer[inode] === SPARSE_LAYER) extents = checkExtents(tree, inode, extents, layerPlainBytes);
      else if (size !== 0) {
        checkData("inodes", inode, layer[inode]!, columnU64(columns, inode, "place"), size, layerPlainBytes);
      }
    } else if (type === S_IFLNK) checkTarget(columns.placeLow[inode]!, size, inode, targetsBytes);
    else if (!SIZELESS.has(type)) bad(`inodes[${inode}].mode`, `0o${mode[inode]!.toString(8)}`, "a file type");
    else if (sizeLow[inode] !== 0 || sizeHigh[inode] !== 0) bad(`inodes[${inode}].size`, size, 0);
  }
  if (extents !== tree.extentCount) bad("extents section length", `${tree.extentCount} extents`, `${extents}`);
}

function checkTarget(at: number, lengthBytes: number, inode: number, targetsBytes: number): void {
  if (lengthBytes < 1 || lengthBytes > MAX_TARGET_BYTES) {
    bad(`inodes[${inode}] target length`, lengthBytes, `1 to ${MAX_TARGET_BYTES}`);
  }
  if (at + lengthBytes > targetsBytes) bad(`inodes[${inode}] target`, at, `at most ${targetsBytes - lengthBytes}`);
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
    checkData("extents", index, layer, plainOffset, lengthBytes, layerPlainBytes);
  }
  return first + count;
}

function checkData(
  list: "inodes" | "extents",
  index: number,
  layer: number,
  plainOffset: number,
  lengthBytes: number,
  layerPlainBytes: readonly number[],
): void {
  if (layer >= layerPlainBytes.length) bad(`${list}[${index}].layer`, layer, `below ${layerPlainBytes.length}`);
  const end = layerPlainBytes[layer]!;
  if (plainOffset > end || lengthBytes > end - plainOffset) {
    bad(`${list}[${index}] data`, `${plainOffset}+${lengthBytes}`, `at most ${end}, the length of layer ${layer}`);
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
