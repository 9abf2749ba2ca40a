import { displayByteString } from "../../base/mod.ts";
import { type Archive, S_IFDIR, S_IFREG, SPARSE_LAYER } from "../../archive/mod.ts";
import type { TouchedBytes } from "./touched_bytes.ts";

/** Nodes that a page holds at most: more are slow to draw, and too small to be seen. */
const MAX_NODES = 6000;
/** Of a directory, so many of the largest are shown one by one. */
const MAX_CHILDREN = 80;
/** Deeper directories are not broken down: the page's data are nested as they are. */
const MAX_DEPTH = 100;

/** What a page knows of a file, a directory, or the rest of one. */
export interface TreeSummary {
  readonly name: string;
  readonly bytes: number;
  /** How many regular files it stands for. */
  readonly files: number;
  /** By a recorded start. */
  readonly touchedBytes: number;
  /** The layer that most of its bytes lie in. */
  readonly layer: number;
  readonly kind: "file" | "directory" | "rest";
  /** Of a directory, largest first; undefined where it is not broken down. */
  children?: TreeSummary[];
}

/**
 * The tree by size: the largest directories are broken down first, as long as there is room; a page is as large for a
 * million files as for ten thousand. Hard links count once.
 */
export function summarizeTree(archive: Archive, touched: TouchedBytes): TreeSummary {
  const sums = new TreeSums(archive, touched);
  const root = sums.summary(1, "/");
  const open = [{ summary: root, inode: 1, depth: 0 }];
  for (let nodes = 1; open.length > 0 && nodes < MAX_NODES;) {
    let largest = 0;
    for (let at = 1; at < open.length; at++) if (open[at]!.summary.bytes > open[largest]!.summary.bytes) largest = at;
    const { summary, inode, depth } = open.splice(largest, 1)[0]!;
    const children = [...archive.tree.children(inode)]
      .map(({ name, inode }) => ({ inode, summary: sums.summary(inode, displayByteString(name)) }))
      .sort((a, b) => b.summary.bytes - a.summary.bytes || (a.summary.name < b.summary.name ? -1 : 1));
    const shown = children.slice(0, MAX_CHILDREN).filter(({ summary }) => summary.bytes > 0);
    summary.children = shown.map(({ summary }) => summary);
    const left = children.slice(shown.length);
    if (left.length > 0) summary.children.push(restOf(left.map(({ summary }) => summary)));
    nodes += summary.children.length;
    for (const child of shown) {
      if (child.summary.kind === "directory" && depth < MAX_DEPTH) open.push({ ...child, depth: depth + 1 });
    }
  }
  return root;
}

function restOf(left: readonly TreeSummary[]): TreeSummary {
  const sum = (of: (one: TreeSummary) => number) => left.reduce((all, one) => all + of(one), 0);
  const noun = left.length === 1 ? "entry" : "entries";
  return {
    name: `${left.length} smaller ${noun}`,
    bytes: sum(({ bytes }) => bytes),
    files: sum(({ files }) => files),
    touchedBytes: sum(({ touchedBytes }) => touchedBytes),
    layer: left[0]!.layer,
    kind: "rest",
  };
}

/** Bytes, files and touched bytes of every inode, and of all that is below it. */
class TreeSums {
  readonly #archive: Archive;
  readonly #bytes: Float64Array;
  readonly #files: Uint32Array;
  readonly #touched: Float64Array;
  /** Of a directory: the layer of the largest file below it, and that file's size. */
  readonly #layer: Int32Array;
  readonly #largest: Float64Array;

  constructor(archive: Archive, touched: TouchedBytes) {
    const { tree } = archive;
    const length = tree.inodeCount + 1;
    this.#archive = archive;
    this.#bytes = new Float64Array(length);
    this.#files = new Uint32Array(length);
    this.#touched = new Float64Array(length);
    this.#layer = new Int32Array(length).fill(-1);
    this.#largest = new Float64Array(length);
    for (let inode = 1; inode <= tree.inodeCount; inode++) {
      if (tree.type(inode) === S_IFDIR) continue;
      if (tree.type(inode) === S_IFREG) {
        this.#files[inode] = 1;
        this.#bytes[inode] = this.#largest[inode] = tree.sizeBytes(inode);
        this.#touched[inode] = touched.ofFile(archive, inode);
        const layer = tree.columns.layer[inode]!;
        this.#layer[inode] = layer === SPARSE_LAYER ? tree.extents(inode)[0]?.layer ?? -1 : layer;
      }
      this.#addToParent(inode);
    }
    // A directory's number is larger than its parent's.
    for (let inode = tree.inodeCount; inode > 1; inode--) if (tree.type(inode) === S_IFDIR) this.#addToParent(inode);
  }

  #addToParent(inode: number): void {
    const parent = this.#archive.tree.columns.parent[inode]!;
    this.#bytes[parent]! += this.#bytes[inode]!;
    this.#files[parent]! += this.#files[inode]!;
    this.#touched[parent]! += this.#touched[inode]!;
    if (this.#largest[inode]! <= this.#largest[parent]!) return;
    this.#largest[parent] = this.#largest[inode]!;
    this.#layer[parent] = this.#layer[inode]!;
  }

  summary(inode: number, name: string): TreeSummary {
    return {
      name,
      bytes: this.#bytes[inode]!,
      files: this.#files[inode]!,
      touchedBytes: this.#touched[inode]!,
      layer: this.#layer[inode]!,
      kind: this.#archive.tree.type(inode) === S_IFDIR ? "directory" : "file",
    };
  }
}

/** A file of which a start touched something. */
export interface TouchedFile {
  readonly path: string;
  readonly bytes: number;
  readonly touchedBytes: number;
}

/** How many files were touched, and the `count` of them that most was touched of, most first. */
export function mostTouched(
  archive: Archive,
  touched: TouchedBytes,
  count: number,
): { readonly files: number; readonly most: readonly TouchedFile[] } {
  const { tree } = archive;
  const found: { inode: number; touchedBytes: number }[] = [];
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    const touchedBytes = touched.ofFile(archive, inode);
    if (touchedBytes > 0) found.push({ inode, touchedBytes });
  }
  found.sort((a, b) => b.touchedBytes - a.touchedBytes);
  const most = found.slice(0, count).map(({ inode, touchedBytes }) => {
    return { path: displayByteString(tree.path(inode)), bytes: tree.sizeBytes(inode), touchedBytes };
  });
  return { files: found.length, most };
}
