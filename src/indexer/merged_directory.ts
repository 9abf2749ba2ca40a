import { type NodeChildren, S_IFREG, type TreeNode } from "../archive/mod.ts";
import type { ByteString } from "../base/mod.ts";
import type { TarEntry } from "../tar/mod.ts";

/** Numbers that a file takes in a FileTable. */
const FIELDS = 8;

/**
 * Plain files by row, as numbers: 64 bytes each, where a node takes 170 and work of the collector. Almost all of an
 * image's nodes are such files.
 */
export class FileTable {
  #numbers = new Float64Array(1024 * FIELDS);
  #rows = 0;

  /** Whether such an entry can be a row: a file with nothing that few files have. */
  static takes({ kind, sparse, xattrs }: TarEntry): boolean {
    return kind === "file" && sparse === undefined && xattrs === undefined;
  }

  /** Adds a file of a layer; its row. */
  add(entry: TarEntry, layer: number): number {
    const at = this.#rows * FIELDS;
    if (at === this.#numbers.length) {
      this.#numbers = new Float64Array(this.#numbers.buffer.transfer(2 * this.#numbers.byteLength));
    }
    const numbers = this.#numbers;
    numbers[at] = entry.mode;
    numbers[at + 1] = entry.uid;
    numbers[at + 2] = entry.gid;
    numbers[at + 3] = entry.mtimeSeconds;
    numbers[at + 4] = entry.mtimeNanoseconds;
    numbers[at + 5] = entry.sizeBytes;
    numbers[at + 6] = layer;
    numbers[at + 7] = entry.dataPlainOffset;
    return this.#rows++;
  }

  /** A row as a node, made anew. */
  node(row: number): TreeNode {
    const at = row * FIELDS;
    const numbers = this.#numbers;
    const sizeBytes = numbers[at + 5]!;
    return {
      mode: S_IFREG | numbers[at]!,
      uid: numbers[at + 1]!,
      gid: numbers[at + 2]!,
      mtimeSeconds: numbers[at + 3]!,
      mtimeNanoseconds: numbers[at + 4]!,
      sizeBytes,
      data: sizeBytes === 0 ? undefined : { layer: numbers[at + 6]!, plainOffset: numbers[at + 7]! },
      target: "",
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: undefined,
      children: undefined,
      hasOneName: true,
    };
  }
}

/** A node of a tree under way. */
export interface MergedNode extends TreeNode {
  children: MergedDirectory | undefined;
}

/** What a directory of a tree under way holds: nodes, and rows of a file table. */
export class MergedDirectory implements NodeChildren {
  #files: FileTable;
  #entries = new Map<ByteString, MergedNode | number>();

  /** Empty. */
  constructor(files: FileTable) {
    this.#files = files;
  }

  get size(): number {
    return this.#entries.size;
  }

  keys(): Iterable<ByteString> {
    return this.#entries.keys();
  }

  get(name: ByteString): MergedNode | undefined {
    const entry = this.#entries.get(name);
    return typeof entry === "number" ? this.#files.node(entry) as MergedNode : entry;
  }

  /** The same, to be put under further names: the node is the one that this directory holds from now on. */
  share(name: ByteString): MergedNode | undefined {
    const node = this.get(name);
    if (node?.hasOneName !== true) return node;
    node.hasOneName = false;
    this.#entries.set(name, node);
    return node;
  }

  /** Puts a node, or a row of the file table, in the place of whatever was there. */
  set(name: ByteString, entry: MergedNode | number): void {
    this.#entries.set(name, entry);
  }

  /** Takes a name away, if it is there. */
  delete(name: ByteString): void {
    this.#entries.delete(name);
  }

  /** Takes all names away. */
  clear(): void {
    this.#entries.clear();
  }
}
