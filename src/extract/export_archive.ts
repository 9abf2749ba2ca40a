import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, SPARSE_LAYER, type Tree } from "../archive/mod.ts";
import { type ByteString, displayByteString, type Logger, MIB } from "../base/mod.ts";
import type { Content } from "../content/mod.ts";
import {
  encodeEnd,
  encodeEntry,
  type EntryKind,
  type NewTarEntry,
  paddingBytes,
  type SparseRun,
  wholeBlockRuns,
} from "../tar/mod.ts";
import { dataBytes } from "./data_of.ts";
import { FetchAhead } from "./fetch_ahead.ts";
import { readPatiently } from "./read_patiently.ts";
import type { Selection } from "./selection.ts";
import { Shortfalls } from "./shortfalls.ts";

const KINDS: ReadonlyMap<number, EntryKind> = new Map([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character-device"],
  [S_IFBLK, "block-device"],
  [S_IFIFO, "fifo"],
]);
const PIECE_BYTES = MIB;

/** What {@linkcode exportArchive} does. */
export interface ExportOptions {
  /** Where the files' data come from. */
  readonly content: Content;
  /** What of the tree. */
  readonly selection: Selection;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told of what a tar stream cannot hold. */
  readonly log: Logger;
  /** Told how many bytes of data are written, of how many. */
  readonly onProgress?: (doneBytes: number, bytes: number) => void;
}

/** A name in a tree and its path, relative to the root: `etc/passwd`, of directories with a slash behind it. */
interface Walked {
  readonly inode: number;
  readonly path: ByteString;
}

/**
 * A tree as a tar stream, in pieces, each good until the next is asked for. Entries are in tree order, directories before
 * what is in them, so that any tar restores the directories' times; the same tree gives the same bytes.
 * @throws {ClipError} where something cannot be read or verified, in the midst of an entry: no reader can take what it has
 * for the whole. The reason of the signal.
 */
export async function* exportArchive(options: ExportOptions): AsyncGenerator<Uint8Array> {
  yield* new Export(options).run();
}

/** One stream. */
class Export {
  #options: ExportOptions;
  #tree: Tree;
  #ahead: FetchAhead;
  #shortfalls: Shortfalls;
  #piece: Uint8Array<ArrayBuffer> = new Uint8Array(PIECE_BYTES);
  #filled = 0;
  #doneBytes = 0;
  /** The first path of inodes with several. */
  #firstPaths = new Map<number, ByteString>();

  constructor(options: ExportOptions) {
    const { content, selection, signal, log } = options;
    this.#options = options;
    this.#tree = selection.tree;
    this.#ahead = new FetchAhead(content, () => filesOf(selection), signal);
    this.#shortfalls = new Shortfalls(log);
  }

  async *run(): AsyncGenerator<Uint8Array> {
    try {
      for (const { inode, path } of walk(this.#options.selection)) yield* this.#entry(inode, path);
      yield* this.#add(encodeEnd());
      yield this.#rest();
    } catch (error) {
      // What has been begun is to be seen to have no end.
      yield this.#rest();
      throw error;
    }
  }

  async *#entry(inode: number, path: ByteString): AsyncGenerator<Uint8Array> {
    const kind = KINDS.get(this.#tree.type(inode));
    if (kind === undefined) {
      return this.#shortfalls.note("sockets", () => displayByteString(path), "tar has no way to keep them");
    }
    const first = this.#firstPaths.get(inode);
    if (first !== undefined) {
      const link = { ...this.#attributes(inode, path), kind: "hardlink" as const, linkName: first };
      return yield* this.#add(encodeEntry({ ...link, sizeBytes: 0, sparse: undefined, xattrs: undefined }).head);
    }
    if (kind !== "directory" && this.#tree.columns.nlink[inode]! > 1) this.#firstPaths.set(inode, path);
    const entry = { ...this.#attributes(inode, path), kind };
    const { head, dataBytes: storedBytes } = encodeEntry(entry);
    yield* this.#add(head);
    this.#options.signal.throwIfAborted();
    if (kind !== "file") return;
    yield* this.#data(inode, entry.sparse ?? [{ fileOffset: 0, lengthBytes: entry.sizeBytes }]);
    yield* this.#add(new Uint8Array(paddingBytes(storedBytes)));
  }

  #attributes(inode: number, path: ByteString): Omit<NewTarEntry, "kind"> {
    const tree = this.#tree;
    const { columns } = tree;
    const type = tree.type(inode);
    const isDevice = type === S_IFCHR || type === S_IFBLK;
    const isSparse = type === S_IFREG && columns.layer[inode] === SPARSE_LAYER;
    const sizeBytes = type === S_IFREG ? tree.sizeBytes(inode) : 0;
    return {
      path,
      linkName: type === S_IFLNK ? tree.target(inode) : "",
      mode: columns.mode[inode]! & 0o7777,
      uid: columns.uid[inode]!,
      gid: columns.gid[inode]!,
      mtimeSeconds: tree.mtimeSeconds(inode),
      mtimeNanoseconds: columns.mtimeNanoseconds[inode]!,
      deviceMajor: isDevice ? columns.placeLow[inode]! : 0,
      deviceMinor: isDevice ? columns.placeHigh[inode]! : 0,
      sizeBytes,
      sparse: isSparse ? wholeBlockRuns(tree.extents(inode), sizeBytes) : undefined,
      xattrs: new Map([...tree.xattrs(inode)].map(({ name, value }) => [name, value])),
    };
  }

  async *#data(inode: number, runs: readonly SparseRun[]): AsyncGenerator<Uint8Array> {
    const { content, selection, signal, log, onProgress } = this.#options;
    const endBytes = this.#doneBytes + dataBytes(this.#tree, inode);
    for (const { fileOffset, lengthBytes } of runs) {
      for (let done = 0; done < lengthBytes;) {
        if (this.#filled === PIECE_BYTES) yield this.#rest();
        this.#ahead.read(this.#doneBytes);
        const length = Math.min(PIECE_BYTES - this.#filled, lengthBytes - done);
        const read = () => content.read(inode, fileOffset + done, length, this.#piece, this.#filled, { signal });
        const bytes = await readPatiently(read, { signal, log });
        this.#filled += bytes;
        done += bytes;
        // Runs may hold something of holes.
        this.#doneBytes = Math.min(this.#doneBytes + bytes, endBytes);
        onProgress?.(this.#doneBytes, selection.dataBytes);
      }
    }
    this.#doneBytes = endBytes;
  }

  *#add(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === PIECE_BYTES) yield this.#rest();
      const take = Math.min(bytes.length - at, PIECE_BYTES - this.#filled);
      this.#piece.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
    }
  }

  /** What has been gathered. */
  #rest(): Uint8Array {
    const rest = this.#piece.subarray(0, this.#filled);
    this.#filled = 0;
    return rest;
  }
}

/** The selected names, directories before what is in them, siblings by name. Iterative: trees may be deep. */
function* walk(selection: Selection): Generator<Walked> {
  const { tree } = selection;
  const { placeLow, placeHigh } = tree.columns;
  if (selection.isWhole) yield { inode: 1, path: "./" };
  const left = [{ path: "", next: placeLow[1]!, end: placeLow[1]! + placeHigh[1]! }];
  for (let directory = left.at(-1); directory !== undefined; directory = left.at(-1)) {
    if (directory.next === directory.end) {
      left.pop();
      continue;
    }
    const dirent = directory.next++;
    if (!selection.has(dirent)) continue;
    const inode = tree.direntInodes[dirent]!;
    const isDirectory = tree.type(inode) === S_IFDIR;
    const path = `${directory.path}${tree.direntName(dirent)}${isDirectory ? "/" : ""}`;
    yield { inode, path };
    if (isDirectory) left.push({ path, next: placeLow[inode]!, end: placeLow[inode]! + placeHigh[inode]! });
  }
}

/** The files in the order in which they are written, each once. */
function* filesOf(selection: Selection): Generator<number> {
  const { tree } = selection;
  const seen = new Set<number>();
  for (const { inode } of walk(selection)) {
    if (tree.type(inode) !== S_IFREG || seen.has(inode)) continue;
    if (tree.columns.nlink[inode]! > 1) seen.add(inode);
    yield inode;
  }
}
