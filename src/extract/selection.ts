import type { ByteString } from "../base/mod.ts";
import { dataBytes } from "./data_of.ts";
import { S_IFDIR, S_IFREG, SPARSE_LAYER, type Tree } from "../archive/mod.ts";

/** Marks inodes that are not selected. */
const NONE = 0xffffffff;
/** In place of a directory entry: the root, which has none. */
export const ROOT_ENTRY: number = -1;

/**
 * What of a tree is to be written, and in which order. Inodes have several names where they are hard links: the first
 * that is selected is _the_ name, the others are links to it. 12 bytes a node, whatever the tree.
 */
export class Selection {
  /** Out of which it is. */
  readonly tree: Tree;
  /** Whether it is the whole tree: then the root's own attributes belong to it. */
  readonly isWhole: boolean;
  /** What was asked for, ascending; nothing where it is the whole tree. */
  readonly dirents: readonly number[];
  /** Directories but for the root, parents first. */
  readonly directories: Uint32Array;
  /** Files, in the order of their data in the layers: so each span is needed once. */
  readonly files: Uint32Array;
  /** Symlinks, devices, pipes and sockets. */
  readonly others: Uint32Array;
  /** Directory entries that are further names of inodes, in tree order. */
  readonly links: Uint32Array;
  /** Bytes of data in all files, holes not counted. */
  readonly dataBytes: number;
  #parents: Uint32Array;
  #dirents: Uint32Array;
  #marks: Uint8Array | undefined;

  /** Looks at the whole tree. @param dirents With all below them, and the directories on the way to them; undefined: everything. */
  constructor(tree: Tree, dirents?: readonly number[]) {
    this.tree = tree;
    this.isWhole = dirents === undefined || dirents.includes(ROOT_ENTRY);
    this.dirents = this.isWhole ? [] : [...new Set(dirents)].sort((a, b) => a - b);
    this.#parents = direntParents(tree);
    this.#dirents = new Uint32Array(tree.inodeCount + 1).fill(NONE);
    this.#marks = this.isWhole ? undefined : markDirents(tree, this.dirents, this.#parents);
    const directories: number[] = [];
    const files: number[] = [];
    const others: number[] = [];
    const links: number[] = [];
    for (let dirent = 0; dirent < tree.direntCount; dirent++) {
      if (!this.has(dirent)) continue;
      const inode = tree.direntInodes[dirent]!;
      if (this.#dirents[inode] !== NONE) {
        links.push(dirent);
        continue;
      }
      this.#dirents[inode] = dirent;
      const type = tree.type(inode);
      (type === S_IFDIR ? directories : type === S_IFREG ? files : others).push(inode);
    }
    // Parents have smaller numbers than what they hold.
    this.directories = Uint32Array.from(directories).sort();
    this.files = inOrderOfData(tree, Uint32Array.from(files));
    this.others = Uint32Array.from(others);
    this.links = Uint32Array.from(links);
    this.dataBytes = this.files.reduce((sum, inode) => sum + dataBytes(tree, inode), 0);
  }

  /** How many nodes and further names there are. */
  get nodeCount(): number {
    return this.directories.length + this.files.length + this.others.length + this.links.length;
  }

  /** The directory entry that is the name of a selected inode other than the root. */
  dirent(inode: number): number {
    return this.#dirents[inode]!;
  }

  /** Whether a directory entry is selected. */
  has(dirent: number): boolean {
    return this.#marks === undefined || this.#marks[dirent] === 1;
  }

  /** The directory that a directory entry is in. */
  parent(dirent: number): number {
    return this.#parents[dirent]!;
  }
}

/**
 * The directory entry that `path` names, from the root, whether or not it begins with `/`; {@linkcode ROOT_ENTRY} for the
 * root; undefined where there is none. Symlinks on the way are followed, one at the end only before a slash.
 */
export function findDirent(tree: Tree, path: ByteString): number | undefined {
  const inode = tree.find(path, { followLast: false });
  if (inode === undefined || inode === 1) return inode === 1 ? ROOT_ENTRY : undefined;
  const isDirectory = tree.type(inode) === S_IFDIR;
  const slash = path.lastIndexOf("/");
  // A directory has one name, which may not be the one that was given: `..`, or behind a symlink.
  const parent = isDirectory ? tree.columns.parent[inode]! : tree.find(path.slice(0, slash + 1))!;
  const first = tree.columns.placeLow[parent]!;
  for (let dirent = first; dirent < first + tree.columns.placeHigh[parent]!; dirent++) {
    if (tree.direntInodes[dirent] !== inode) continue;
    if (isDirectory || tree.direntName(dirent) === path.slice(slash + 1)) return dirent;
  }
  return undefined;
}

/** For each directory entry, 1 where it is one of `dirents`, is below one, or on the way to one. */
function markDirents(tree: Tree, dirents: readonly number[], parents: Uint32Array): Uint8Array {
  const marks = new Uint8Array(tree.direntCount);
  const onTheWay = new Set<number>();
  const below = [...dirents];
  for (const dirent of dirents) {
    for (let at = parents[dirent]!; at !== 1 && !onTheWay.has(at); at = tree.columns.parent[at]!) onTheWay.add(at);
  }
  for (let dirent = below.pop(); dirent !== undefined; dirent = below.pop()) {
    if (marks[dirent] === 1) continue;
    marks[dirent] = 1;
    const inode = tree.direntInodes[dirent]!;
    if (tree.type(inode) !== S_IFDIR) continue;
    const first = tree.columns.placeLow[inode]!;
    for (let child = first; child < first + tree.columns.placeHigh[inode]!; child++) below.push(child);
  }
  for (let dirent = 0; onTheWay.size > 0 && dirent < tree.direntCount; dirent++) {
    if (onTheWay.has(tree.direntInodes[dirent]!)) marks[dirent] = 1;
  }
  return marks;
}

function direntParents(tree: Tree): Uint32Array {
  const parents = new Uint32Array(tree.direntCount);
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    if (tree.type(inode) !== S_IFDIR) continue;
    const first = tree.columns.placeLow[inode]!;
    parents.fill(inode, first, first + tree.columns.placeHigh[inode]!);
  }
  return parents;
}

/** Sorted by layer and then by place in it; of a sparse file, what its first extent has. */
function inOrderOfData(tree: Tree, files: Uint32Array): Uint32Array {
  const layers = new Uint32Array(tree.inodeCount + 1);
  const places = new Float64Array(tree.inodeCount + 1);
  for (const inode of files) {
    const isSparse = tree.columns.layer[inode] === SPARSE_LAYER;
    if (isSparse && tree.columns.placeHigh[inode] === 0) continue;
    const first = isSparse ? tree.extent(tree.columns.placeLow[inode]!) : undefined;
    layers[inode] = first?.layer ?? tree.columns.layer[inode]!;
    places[inode] = first?.plainOffset ?? tree.plainOffset(inode);
  }
  return files.sort((a, b) => layers[a]! - layers[b]! || places[a]! - places[b]! || a - b);
}
