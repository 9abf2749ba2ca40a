import { ClipError, type FilePart, FileRangeSource, LazyFile } from "../base/mod.ts";
import { type ArchiveMember, findFile, indexArchive } from "./archive_index.ts";
import { show } from "./errors.ts";

/** The files of a layout, wherever they are. */
export interface LayoutFiles {
  /** The path of the folder or archive. */
  readonly path: string;
  /**
   * The file at `name`. `expectedBytes`: what it must have, noticed when it is read.
   * @throws {ClipError} `not_found`, at once or when it is read.
   */
  find(name: string, expectedBytes: number): FilePart;
  /** The bytes of a small file. @throws {ClipError} `not_found`; `limit` beyond `limitBytes`. */
  readSmall(name: string, limitBytes: number): Promise<Uint8Array>;
  /** Closes what is open. */
  close(): void;
}

/** The files of a folder. Each is opened when it is first read. */
export class FolderFiles implements LayoutFiles {
  readonly path: string;
  readonly #files = new Map<string, LazyFile>();

  constructor(path: string) {
    this.path = path;
  }

  /** What {@linkcode LayoutFiles} says of `find`. */
  find(name: string, expectedBytes: number): FilePart {
    let file = this.#files.get(name);
    if (file === undefined) this.#files.set(name, file = new LazyFile(`${this.path}/${name}`));
    return { file, offset: 0, sizeBytes: expectedBytes, fileBytes: expectedBytes, description: file.path };
  }

  /** What {@linkcode LayoutFiles} says of `readSmall`. */
  async readSmall(name: string, limitBytes: number): Promise<Uint8Array> {
    const file = new LazyFile(`${this.path}/${name}`);
    try {
      return await readPart({ file, offset: 0, sizeBytes: file.sizeBytes(), description: file.path }, limitBytes);
    } finally {
      file.close();
    }
  }

  /** What {@linkcode LayoutFiles} says of `close`. */
  close(): void {
    for (const file of this.#files.values()) file.close();
  }
}

/** The members of an uncompressed tar file, whose headers are read at once. */
export class ArchiveFiles implements LayoutFiles {
  readonly path: string;
  /** By name; see `indexArchive`. */
  readonly members: ReadonlyMap<string, ArchiveMember>;
  readonly #file: LazyFile;

  /** @throws as `indexArchive`. */
  constructor(path: string) {
    this.path = path;
    this.#file = new LazyFile(path);
    try {
      this.members = indexArchive(this.#file);
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /** What {@linkcode LayoutFiles} says of `find`. */
  find(name: string, expectedBytes: number): FilePart {
    const part = this.member(name);
    if (part.sizeBytes === expectedBytes) return part;
    throw new ClipError("corrupt", `${part.description} has ${part.sizeBytes} bytes, expected ${expectedBytes}`);
  }

  /** The member at `name`, of whatever size. @throws {ClipError} `not_found` */
  member(name: string): FilePart {
    const member = findFile(this.members, name);
    if (member === undefined) throw new ClipError("not_found", `${this.path} holds no file ${show(name)}`);
    return {
      file: this.#file,
      offset: member.offset,
      sizeBytes: member.sizeBytes,
      description: `${show(name)} in ${this.path}`,
    };
  }

  /** What {@linkcode LayoutFiles} says of `readSmall`. */
  async readSmall(name: string, limitBytes: number): Promise<Uint8Array> {
    return await readPart(this.member(name), limitBytes);
  }

  /** What {@linkcode LayoutFiles} says of `close`. */
  close(): void {
    this.#file.close();
  }
}

/** All bytes of `part`. @throws {ClipError} of code `limit` where they are more than `limitBytes`. */
export async function readPart(part: FilePart, limitBytes: number): Promise<Uint8Array> {
  if (part.sizeBytes > limitBytes) {
    throw new ClipError("limit", `${part.description} has ${part.sizeBytes} bytes, at most ${limitBytes} are read`);
  }
  return await new FileRangeSource(part).readRange({ offset: 0, endExclusive: part.sizeBytes });
}
