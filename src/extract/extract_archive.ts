import { setImmediate } from "node:timers";
import { ClipError, type Logger, messageOf, MIB } from "../base/mod.ts";
import type { Content } from "../content/mod.ts";
import { dataOf } from "./data_of.ts";
import { type ExtractionKey, ExtractionState, stateName } from "./extraction_state.ts";
import { FetchAhead } from "./fetch_ahead.ts";
import { fileCalls } from "./file_calls.ts";
import { NodeWriter } from "./node_writer.ts";
import { OpenDirectories } from "./open_directories.ts";
import { readPatiently } from "./read_patiently.ts";
import type { Selection } from "./selection.ts";
import { Shortfalls } from "./shortfalls.ts";

/** Others have their turn after so long: what arrives has to be passed on to those who decode it. */
const TURN_MS = 2;

/** What {@linkcode extractArchive} does, and how. */
export interface ExtractOptions {
  /** Where the files' data come from. */
  readonly content: Content;
  /** What of the tree. */
  readonly selection: Selection;
  /** Where to; made where it is not there. */
  readonly directory: string;
  /** Whether it need not be empty: what has the name of a node of the tree is replaced. */
  readonly overwrite: boolean;
  /** Whether owners are set. */
  readonly sameOwner: boolean;
  /** Ends it; what is written so far stays, and another run goes on there. */
  readonly signal: AbortSignal;
  /** Told of what is left out. */
  readonly log: Logger;
  /** Told how many bytes of data are written, of how many. */
  readonly onProgress?: (doneBytes: number, bytes: number) => void;
}

/** What was done. */
export interface Extracted {
  /** Nodes and further names of them. */
  readonly nodes: number;
  /** Bytes of data, those of an earlier run too. */
  readonly dataBytes: number;
  /** Files that an earlier run had written. */
  readonly resumedFiles: number;
  /** What was left out, how often. */
  readonly shortfalls: ReadonlyMap<string, number>;
}

/**
 * Writes a tree to a directory. First all directories, which only their owner gets into; then the files, in the order of
 * their data, each whole before it has its name; then what has no data; then the directories' own attributes. A run that
 * was interrupted, in whatever way, is gone on with by the next.
 * @throws {ClipError} where something cannot be read or written; the reason of the signal.
 */
export async function extractArchive(options: ExtractOptions): Promise<Extracted> {
  const { selection, directory } = options;
  const { tree } = selection;
  const names = new Set([...tree.children(1)].map(({ name }) => name));
  const name = stateName((candidate) => names.has(candidate));
  prepare(options, name);
  const calls = fileCalls();
  const directories = new OpenDirectories(calls, directory, selection);
  try {
    const state = ExtractionState.open(calls, { root: directories.root, directory, name }, keyOf(options));
    try {
      return await new Extraction(options, { directories, state }).run();
    } finally {
      state.close();
    }
  } finally {
    directories.close();
  }
}

function keyOf({ content, selection, sameOwner }: ExtractOptions): ExtractionKey {
  return { archive: content.archive.id, dirents: selection.dirents, sameOwner };
}

/** Makes the directory, or sees that it is empty, or half done by an earlier run. */
function prepare({ directory, overwrite, selection }: ExtractOptions, stateName: string): void {
  try {
    // The root's own mode comes last; until then nobody else gets in.
    Deno.mkdirSync(directory, { mode: selection.isWhole ? 0o700 : 0o777 });
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw new ClipError("io", `cannot make ${directory}: ${messageOf(error)}`, { cause: error });
    }
  }
  if (overwrite) return;
  try {
    const entries = Array.from(Deno.readDirSync(directory), ({ name }) => name);
    if (entries.length === 0 || entries.includes(stateName)) return;
  } catch (error) {
    throw new ClipError("io", `cannot look at ${directory}: ${messageOf(error)}`, { cause: error });
  }
  throw new ClipError("io", `${directory} is not empty: give an empty or a new directory, or --overwrite`);
}

/** One run. */
class Extraction {
  #options: ExtractOptions;
  #directories: OpenDirectories;
  #state: ExtractionState;
  #shortfalls: Shortfalls;
  #writer: NodeWriter;
  #ahead: FetchAhead;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(MIB);
  #doneBytes = 0;
  #turnStarted = performance.now();

  constructor(
    options: ExtractOptions,
    { directories, state }: { directories: OpenDirectories; state: ExtractionState },
  ) {
    const { selection, overwrite, sameOwner, content, signal, log } = options;
    this.#options = options;
    this.#directories = directories;
    this.#state = state;
    this.#shortfalls = new Shortfalls(log);
    this.#writer = new NodeWriter({
      selection,
      directories,
      shortfalls: this.#shortfalls,
      temporaryName: state.temporaryName,
      sameOwner,
      mayReplace: overwrite || state.isResumed,
    });
    this.#ahead = new FetchAhead(content, () => selection.files, signal);
  }

  async run(): Promise<Extracted> {
    const { selection } = this.#options;
    for (const inode of selection.directories) {
      this.#writer.makeDirectory(inode);
      await this.#giveWay();
    }
    const resumedFiles = await this.#writeFiles();
    for (const inode of selection.others) {
      this.#writer.makeOther(inode);
      await this.#giveWay();
    }
    for (const dirent of selection.links) {
      this.#writer.makeLink(dirent);
      await this.#giveWay();
    }
    // From the deepest up: their times would change again, and users would lock themselves out.
    for (const inode of selection.directories.toReversed()) {
      this.#writer.finishDirectory(inode);
      await this.#giveWay();
    }
    this.#state.remove();
    if (selection.isWhole) this.#writer.finishDirectory(1);
    const { dataBytes, nodeCount } = selection;
    return { nodes: nodeCount, dataBytes, resumedFiles, shortfalls: this.#shortfalls.counts };
  }

  /** How many were there already. */
  async #writeFiles(): Promise<number> {
    const { files } = this.#options.selection;
    let resumedFiles = 0;
    for (let index = 0; index < files.length; index++) {
      const inode = files[index]!;
      if (index < this.#state.finishedFiles && this.#writer.isFinished(inode)) {
        resumedFiles++;
        for (const { lengthBytes } of dataOf(this.#options.selection.tree, inode)) this.#doneBytes += lengthBytes;
      } else {
        await this.#writeFile(inode);
        if (index >= this.#state.finishedFiles) this.#state.finished(index + 1);
      }
      await this.#giveWay();
    }
    return resumedFiles;
  }

  async #writeFile(inode: number): Promise<void> {
    const fd = this.#writer.openFile(inode);
    try {
      await this.#writeData(inode, fd);
      this.#writer.finishFile(inode, fd);
    } catch (error) {
      this.#writer.dropFile(inode);
      throw error;
    } finally {
      this.#directories.calls.close(fd);
    }
  }

  async #writeData(inode: number, fd: number): Promise<void> {
    const { content, selection, signal, onProgress, log } = this.#options;
    const { calls } = this.#directories;
    let end = 0;
    for (const { fileOffset, lengthBytes } of dataOf(selection.tree, inode)) {
      for (end = fileOffset; end < fileOffset + lengthBytes;) {
        this.#ahead.read(this.#doneBytes);
        const length = Math.min(this.#buffer.length, fileOffset + lengthBytes - end);
        const read = () => content.read(inode, end, length, this.#buffer, 0, { signal });
        const bytes = await readPatiently(read, { signal, log });
        const result = calls.write(fd, this.#buffer.subarray(0, bytes), end);
        if (result < 0) throw this.#directories.error("write", inode, result);
        end += bytes;
        this.#doneBytes += bytes;
        onProgress?.(this.#doneBytes, selection.dataBytes);
        await this.#giveWay();
      }
    }
    // A hole at the end.
    const sizeBytes = selection.tree.sizeBytes(inode);
    const result = end < sizeBytes ? calls.resize(fd, sizeBytes) : 0;
    if (result < 0) throw this.#directories.error("write", inode, result);
  }

  /** To be called between two steps. @throws the signal's reason. */
  async #giveWay(): Promise<void> {
    this.#options.signal.throwIfAborted();
    if (performance.now() - this.#turnStarted < TURN_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#turnStarted = performance.now();
  }
}
