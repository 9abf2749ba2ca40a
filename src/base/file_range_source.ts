import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { setImmediate } from "node:timers";
import { checkRange } from "./check_range.ts";
import { ClipError, messageOf } from "./errors.ts";
import type { ByteRange, RangeSource, StreamOptions } from "./range_source.ts";

/** A file that is opened when it is first read, and stays open until it is closed. */
export class LazyFile {
  /** As it was given. */
  readonly path: string;
  #descriptor: number | undefined;
  #isClosed = false;

  /** Opens nothing yet. */
  constructor(path: string) {
    this.path = path;
  }

  /** How many bytes it has now. @throws {ClipError} */
  sizeBytes(): number {
    const descriptor = this.#open();
    return this.#attempt(() => fstatSync(descriptor).size);
  }

  /**
   * Fills `bytes` from `offset` on. Positioned, so that readers do not disturb one another.
   * @throws {ClipError} `not_found` or `io`, naming the path; also where the file ends before that.
   */
  read(bytes: Uint8Array, offset: number): void {
    const descriptor = this.#open();
    this.#attempt(() => {
      for (let filled = 0; filled < bytes.length;) {
        const readBytes = readSync(descriptor, bytes, filled, bytes.length - filled, offset + filled);
        if (readBytes === 0) {
          const end = offset + filled;
          throw new ClipError(
            "io",
            `cannot read ${this.path}: it ends at byte ${end}, expected ${offset + bytes.length}`,
          );
        }
        filled += readBytes;
      }
    });
  }

  /** Later reads fail. Safe to call again. */
  close(): void {
    this.#isClosed = true;
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    if (this.#isClosed) throw new ClipError("aborted", `cannot read ${this.path}: it was closed`);
    this.#descriptor ??= this.#attempt(() => {
      // Looked at before: to open a named pipe is to wait for whoever writes to it.
      if (!statSync(this.path).isFile()) {
        throw new ClipError("io", `cannot read ${this.path}: it is not a regular file`);
      }
      return openSync(this.path, "r");
    });
    return this.#descriptor;
  }

  #attempt<Value>(work: () => Value): Value {
    try {
      return work();
    } catch (error) {
      if (error instanceof ClipError) throw error;
      const code = (error as { code?: unknown }).code;
      if (code === "ENOENT" || code === "ENOTDIR") {
        throw new ClipError("not_found", `cannot read ${this.path}: it does not exist`);
      }
      if (code === "EACCES") throw new ClipError("denied", `cannot read ${this.path}: permission denied`);
      throw new ClipError("io", `cannot read ${this.path}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Where in a file a source's bytes are. */
export interface FilePart {
  /** Not closed with the source: whoever made it closes it. */
  readonly file: LazyFile;
  /** Of the first byte. */
  readonly offset: number;
  /** How many bytes of it. */
  readonly sizeBytes: number;
  /** What it is, for messages. */
  readonly description: string;
  /** The size that the whole file must have when it is first read; left out where the part is a member of an archive. */
  readonly fileBytes?: number;
}

const STREAM_PIECE_BYTES = 1024 * 1024;

/** A local file, or a part of one. */
export class FileRangeSource implements RangeSource {
  readonly description: string;
  readonly sizeBytes: number;
  readonly #part: FilePart;
  #isChecked = false;

  /** Opens nothing yet. */
  constructor(part: FilePart) {
    this.#part = part;
    this.description = part.description;
    this.sizeBytes = part.sizeBytes;
  }

  /** All of a file, which is opened now to be measured. @throws {ClipError} where it cannot be read. */
  static whole(file: LazyFile): FileRangeSource {
    return new FileRangeSource({ file, offset: 0, sizeBytes: file.sizeBytes(), description: file.path });
  }

  /** What {@linkcode RangeSource} says of `readRange`. */
  // deno-lint-ignore require-await -- async, so that every failure is a rejection
  async readRange(range: ByteRange, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    signal?.throwIfAborted();
    checkRange(range, this.sizeBytes);
    return this.#read(range);
  }

  /** What {@linkcode RangeSource} says of `stream`. */
  async *stream(
    { offset = 0, endExclusive = this.sizeBytes, signal }: StreamOptions = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    checkRange({ offset, endExclusive }, this.sizeBytes);
    for (let at = offset; at < endExclusive;) {
      signal?.throwIfAborted();
      const end = Math.min(at + STREAM_PIECE_BYTES, endExclusive);
      yield this.#read({ offset: at, endExclusive: end });
      at = end;
      // Reading is synchronous: let others have a turn between two pieces.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #read({ offset, endExclusive }: ByteRange): Uint8Array<ArrayBuffer> {
    const { file, fileBytes } = this.#part;
    if (!this.#isChecked && fileBytes !== undefined && file.sizeBytes() !== fileBytes) {
      throw new ClipError("corrupt", `${file.path} has ${file.sizeBytes()} bytes, expected ${fileBytes}`);
    }
    this.#isChecked = true;
    const bytes = new Uint8Array(endExclusive - offset);
    if (bytes.length > 0) file.read(bytes, this.#part.offset + offset);
    return bytes;
  }
}
