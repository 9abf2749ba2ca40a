import {
  type ByteRange,
  type ByteString,
  ClipError,
  displayByteString,
  type Logger,
  utf8ToByteString,
} from "../base/mod.ts";
import { type Archive, type FileInfo, fileInfo, type ImageInfo, S_IFDIR, S_IFLNK, S_IFREG } from "../archive/mod.ts";
import { type Content, type ContentCounters, filesBelow, planAll, planFiles } from "../content/mod.ts";
import type { ArchiveMount } from "../mount/mod.ts";

/** A place in the image: a path from the root, or what {@linkcode ImageFiles.list} gave, which names of any bytes allow. */
export type Path = string | Pick<FileInfo, "inode">;

/** A file with one of its names. */
export interface NamedFile extends FileInfo {
  /** The name in its directory; bytes that are no UTF-8, and control characters, as `\xNN`. */
  readonly name: string;
  /** The same from where the walk began, with `/` between. */
  readonly path: string;
}

/** Which part of a file to read. */
export interface ReadFileOptions {
  /** The first byte; default 0. */
  readonly offset?: number;
  /** How many bytes, as far as the file goes; default all. */
  readonly lengthBytes?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** How to fetch ahead. */
export interface WarmOptions {
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Told how many spans are done, of how many. */
  readonly onProgress?: (doneSpans: number, spans: number) => void;
}

/** How to mount. */
export interface MountOptions {
  /** Let users other than the one who mounts in; default false. */
  readonly allowOther?: boolean;
  /** Takes the mount away when it is aborted. */
  readonly signal?: AbortSignal;
}

/** Longest file that {@linkcode ImageFiles.read} takes into memory: what an archive says of sizes may be anything. */
const MAX_READ_BYTES = 2 ** 31;
const STREAM_PIECE_BYTES = 2 ** 20;

/** The files of an indexed image. To be closed; `await using` does it. */
export class ImageFiles implements AsyncDisposable {
  /** The archive itself, for those who want more of it. */
  readonly archive: Archive;
  readonly #content: Content;
  readonly #log: Logger;
  readonly #release: () => Promise<void>;
  readonly #mounts = new Set<ArchiveMount>();
  #closing: Promise<void> | undefined;

  /** Made by `open`. */
  constructor(
    { archive, content, log }: { archive: Archive; content: Content; log: Logger },
    release: () => Promise<void>,
  ) {
    this.archive = archive;
    this.#content = content;
    this.#log = log;
    this.#release = release;
  }

  /** The image: where it came from, its platform, its layers. */
  get image(): ImageInfo {
    return this.archive.image;
  }

  /** What reading has cost so far. */
  get counters(): Readonly<ContentCounters> {
    return this.#content.counters;
  }

  /** The image's config, as JSON has it; null where the archive was packed from a directory. @throws {ClipError} `corrupt` */
  async config(): Promise<unknown> {
    if (!this.archive.isOfImage) return null;
    const bytes = await this.archive.config();
    try {
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch (error) {
      throw new ClipError("corrupt", `${this.archive.description}: the image's config is no JSON`, { cause: error });
    }
  }

  /** Whether there is something at `path`, symlinks followed inside the image. */
  exists(path: Path): boolean {
    return this.#find(path, true) !== undefined;
  }

  /** All about what is at `path`, which a symlink at its end leads to. @throws {ClipError} `not_found` */
  stat(path: Path): FileInfo {
    return this.#info(this.#inode(path, true));
  }

  /** The same of a symlink itself. @throws {ClipError} `not_found` */
  lstat(path: Path): FileInfo {
    return this.#info(this.#inode(path, false));
  }

  /** The extended attributes of what is at `path`, by name; a symlink is followed. @throws {ClipError} `not_found` */
  xattrs(path: Path): Map<string, Uint8Array> {
    const { tree } = this.archive;
    const found = [...tree.xattrs(this.#inode(path, true))];
    return new Map(found.map(({ name, value }) => [displayByteString(name), value.slice()]));
  }

  /** What a directory holds, in byte order of the names. @throws {ClipError} `not_found` where it is none. */
  *list(path: Path = "/"): Generator<NamedFile> {
    const { tree } = this.archive;
    for (const { name, inode } of tree.children(this.#directory(path))) yield this.#named(name, name, inode);
  }

  /** All that is below a directory, each before what it holds. @throws {ClipError} `not_found` where it is none. */
  *walk(path: Path = "/"): Generator<NamedFile> {
    const { tree } = this.archive;
    for (const { name, path: below, inode } of tree.walk(this.#directory(path))) yield this.#named(name, below, inode);
  }

  /**
   * The bytes of a file, verified. Symlinks are followed inside the image.
   * @throws {ClipError} where they cannot be had or verified; `limit` for more than 2 GiB; the reason of `signal`.
   * @throws {RangeError} for an offset or length that is negative, or no whole number.
   */
  async read(path: Path, options: ReadFileOptions = {}): Promise<Uint8Array> {
    const inode = this.#file(path);
    const { signal } = options;
    const { offset, endExclusive } = rangeOf(options, this.archive.tree.sizeBytes(inode));
    const bytes = endExclusive - offset;
    if (bytes > MAX_READ_BYTES) {
      throw new ClipError("limit", `${this.#describe(path)} has ${bytes} bytes to be read at once; stream it instead`);
    }
    signal?.throwIfAborted();
    this.#checkOpen();
    const target = new Uint8Array(bytes);
    await this.#content.read(inode, offset, bytes, target, 0, { signal });
    return target;
  }

  /** A file of text in UTF-8. @throws as {@linkcode read}. */
  async readText(path: Path, options?: ReadFileOptions): Promise<string> {
    return new TextDecoder().decode(await this.read(path, options));
  }

  /** The same in pieces of at most a MiB, of files of any size; it is fetched as it is taken. @throws as {@linkcode read}. */
  stream(path: Path, options: ReadFileOptions = {}): ReadableStream<Uint8Array> {
    const inode = this.#file(path);
    const { signal } = options;
    const { offset, endExclusive } = rangeOf(options, this.archive.tree.sizeBytes(inode));
    let at = offset;
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (at >= endExclusive) return controller.close();
      const length = Math.min(STREAM_PIECE_BYTES, endExclusive - at);
      const piece = await this.read({ inode }, { offset: at, lengthBytes: length, ...(signal && { signal }) });
      at += piece.length;
      controller.enqueue(piece);
    };
    return new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
  }

  /** Brings files, and all that is below directories, to the cache; without paths everything. @throws {ClipError} */
  async warm(paths: readonly Path[] = [], options: WarmOptions = {}): Promise<void> {
    this.#checkOpen();
    const { archive } = this;
    const inodes = paths.map((path) => this.#inode(path, true));
    const plan = paths.length === 0 ? planAll(archive.layers) : planFiles(archive, filesBelow(archive.tree, inodes));
    await this.#content.prefetch(plan, options);
    options.signal?.throwIfAborted();
  }

  /**
   * Shows the image's root file system in an existing directory, until it is unmounted or this is closed. This process
   * serves it: a look at it that blocks the process, such as `Deno.readFileSync`, waits for itself for good.
   * @throws {ClipError} where it cannot be mounted.
   */
  async mount(directory: string, { allowOther = false, signal }: MountOptions = {}): Promise<ArchiveMount> {
    signal?.throwIfAborted();
    this.#checkOpen();
    // Loaded here: who only reads is not to wait for it.
    const { mountArchive } = await import("../mount/mod.ts");
    const mount = await mountArchive(this.#content, directory, {
      allowOther,
      log: this.#log,
      logJson: true,
      writeLog: (line) => this.#pass(line),
    });
    if (this.#closing !== undefined) {
      // Closed meanwhile, and not knowing of this mount.
      await mount.unmount();
      await mount.ended;
      this.#checkOpen();
    }
    this.#mounts.add(mount);
    const end = () => void mount.unmount().catch((error) => this.#log.error(String(error)));
    mount.ended.catch((error) => this.#log.error(String(error))).finally(() => {
      this.#mounts.delete(mount);
      signal?.removeEventListener("abort", end);
    });
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end, { once: true });
    return mount;
  }

  /** Takes mounts away and ends reads, which fail. Safe to call again. */
  close(): Promise<void> {
    return this.#closing ??= (async () => {
      const mounts = [...this.#mounts];
      await Promise.allSettled(mounts.map((mount) => mount.unmount()));
      await Promise.allSettled(mounts.map((mount) => mount.ended));
      await this.#release();
    })();
  }

  /** See {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A line of the serving thread. */
  #pass(line: string): void {
    const { level, message, time: _, ...fields } = JSON.parse(line);
    this.#log[level as Logger["level"]](message, fields);
  }

  #named(name: ByteString, path: ByteString, inode: number): NamedFile {
    return { ...this.#info(inode), name: displayByteString(name), path: displayByteString(path) };
  }

  #info(inode: number): FileInfo {
    const info = fileInfo(this.archive.tree, inode);
    return info.target === undefined ? info : { ...info, target: displayByteString(info.target) };
  }

  #find(path: Path, followLast: boolean): number | undefined {
    if (typeof path === "string") return this.archive.tree.find(utf8ToByteString(path), { followLast });
    const { inode } = path;
    const isThere = Number.isInteger(inode) && inode >= 1 && inode <= this.archive.tree.inodeCount;
    if (!isThere) return undefined;
    const target = followLast && this.archive.tree.type(inode) === S_IFLNK ? this.archive.tree.path(inode) : undefined;
    return target === undefined ? inode : this.archive.tree.find(target);
  }

  #inode(path: Path, followLast: boolean): number {
    const inode = this.#find(path, followLast);
    if (inode === undefined) {
      throw new ClipError("not_found", `${this.archive.description}: there is no ${this.#describe(path)} in the image`);
    }
    return inode;
  }

  #directory(path: Path): number {
    return this.#ofType(path, S_IFDIR, "directory");
  }

  #file(path: Path): number {
    return this.#ofType(path, S_IFREG, "file");
  }

  #ofType(path: Path, type: number, name: string): number {
    const inode = this.#inode(path, true);
    if (this.archive.tree.type(inode) === type) return inode;
    throw new ClipError("not_found", `${this.archive.description}: ${this.#describe(path)} is no ${name}`);
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ClipError("aborted", `${this.archive.description} was closed`);
  }

  #describe(path: Path): string {
    return typeof path === "string" ? path : `inode ${path.inode}`;
  }
}

/** What of a file is to be read; nothing behind its end. */
function rangeOf({ offset = 0, lengthBytes = Infinity }: ReadFileOptions, sizeBytes: number): ByteRange {
  const isWhole = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (!isWhole(offset)) throw new RangeError(`offset: ${offset} is not a whole number from 0 on`);
  if (!isWhole(lengthBytes) && lengthBytes !== Infinity) {
    throw new RangeError(`lengthBytes: ${lengthBytes} is not a whole number from 0 on`);
  }
  return { offset, endExclusive: Math.max(offset, Math.min(offset + lengthBytes, sizeBytes)) };
}
