import { type ByteString, displayByteString, fromByteString, toByteString } from "../base/mod.ts";
import { Errno, errnoError, Libc, OpenFlag, Seek, STATX_BYTES } from "./libc.ts";

/** What statx(2) tells of a file. Names are the kernel's words, but for `id`. */
export interface DiskStat {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Of 512 bytes each. */
  readonly blocks: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** The file system that it is on. */
  readonly fileSystem: string;
  /** Tells the file from all others of the machine. */
  readonly id: string;
  /** When anything of it changed, to the nanosecond. */
  readonly changed: string;
}

/** A run of data in a file; between runs are holes. */
export interface DataRun {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** What Linux takes: names of attributes, and each value, have at most this. Source: linux/limits.h. */
const XATTR_BYTES = 65_536;
const DIRENTS_BYTES = 65_536;
const PATH_BYTES = 4096;
/** Offset of d_reclen and d_name in a struct linux_dirent64. Source: getdents64(2). */
const D_RECLEN = 16;
const D_NAME = 19;

/**
 * A tree on disk as it is read for packing: paths are byte strings, and nothing is followed, opened or waited for but
 * directories and regular files. Buffers are used again, so that one call comes after another.
 */
export class DiskTree {
  readonly #libc = new Libc();
  readonly #statx = new Uint8Array(STATX_BYTES);
  readonly #statxView = new DataView(this.#statx.buffer);
  readonly #dirents = new Uint8Array(DIRENTS_BYTES);
  readonly #attributeNames = new Uint8Array(XATTR_BYTES);
  readonly #attributeValue = new Uint8Array(XATTR_BYTES);
  readonly #target = new Uint8Array(PATH_BYTES);

  /** Of a path; of a symlink, its own. @throws {ClipError} naming the path, as every method does. */
  stat(path: ByteString): DiskStat {
    const result = this.#libc.statPath(cPath(path), this.#statx);
    if (result < 0) throw this.#error("look at", path, result);
    return readStatx(this.#statxView);
  }

  /** The names in a directory, in byte order, without `.` and `..`. */
  list(path: ByteString): ByteString[] {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = OpenFlag;
    const fd = this.#libc.open(cPath(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0) throw this.#error("read the directory", path, fd);
    const names: ByteString[] = [];
    try {
      const view = new DataView(this.#dirents.buffer);
      for (;;) {
        const bytes = this.#libc.getdents(fd, this.#dirents);
        if (bytes < 0) throw this.#error("read the directory", path, bytes);
        if (bytes === 0) break;
        for (let at = 0; at < bytes; at += view.getUint16(at + D_RECLEN, true)) {
          const name = toByteString(this.#dirents, at + D_NAME, this.#dirents.indexOf(0, at + D_NAME));
          if (name !== "." && name !== "..") names.push(name);
        }
      }
    } finally {
      this.#libc.close(fd);
    }
    // By UTF-16 unit, which in a byte string is a byte.
    return names.sort((one, other) => one < other ? -1 : 1);
  }

  /** The target of a symlink. */
  readlink(path: ByteString): ByteString {
    const bytes = this.#libc.readlink(cPath(path), this.#target);
    if (bytes < 0) throw this.#error("read the link", path, bytes);
    return toByteString(this.#target, 0, bytes);
  }

  /** All extended attributes that this user may see; undefined where there are none. */
  attributes(path: ByteString): ReadonlyMap<ByteString, Uint8Array> | undefined {
    const at = cPath(path);
    const bytes = this.#libc.listAttributes(at, this.#attributeNames);
    if (bytes === -Errno.EOPNOTSUPP || bytes === 0) return undefined;
    if (bytes < 0) throw this.#error("list the attributes of", path, bytes);
    const found = new Map<ByteString, Uint8Array>();
    for (const name of toByteString(this.#attributeNames, 0, bytes - 1).split("\0").sort()) {
      const length = this.#libc.getAttribute(at, fromByteString(`${name}\0`), this.#attributeValue);
      if (length === -Errno.ENODATA) continue; // listed, but of somebody else's
      if (length < 0) throw this.#error(`read the attribute ${displayByteString(name)} of`, path, length);
      found.set(name, this.#attributeValue.slice(0, length));
    }
    return found.size === 0 ? undefined : found;
  }

  /** Opens a regular file, which has to be looked at again: meanwhile another may have come to lie there. */
  open(path: ByteString): OpenFile {
    // Nonblocking: to open a pipe is to wait for whoever writes to it.
    const fd = this.#libc.open(cPath(path), OpenFlag.O_RDONLY | OpenFlag.O_NOFOLLOW | OpenFlag.O_NONBLOCK);
    if (fd < 0) throw this.#error("read", path, fd);
    const fail = (result: number) => this.#error("read", path, result);
    return new OpenFile(this.#libc, fd, { statx: this.#statx, fail });
  }

  /** Gives the C library back. */
  close(): void {
    this.#libc.release();
  }

  #error(action: string, path: ByteString, result: number): Error {
    return errnoError(`cannot ${action} ${displayByteString(path)}`, result);
  }
}

/** A file being read. */
export class OpenFile {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #statx: Uint8Array<ArrayBuffer>;
  readonly #fail: (result: number) => Error;

  /** Made by {@linkcode DiskTree.open}. */
  constructor(
    libc: Libc,
    fd: number,
    { statx, fail }: { statx: Uint8Array<ArrayBuffer>; fail: (result: number) => Error },
  ) {
    this.#libc = libc;
    this.#fd = fd;
    this.#statx = statx;
    this.#fail = fail;
  }

  /** As {@linkcode DiskTree.stat}. */
  stat(): DiskStat {
    const result = this.#libc.statFile(this.#fd, this.#statx);
    if (result < 0) throw this.#fail(result);
    return readStatx(new DataView(this.#statx.buffer));
  }

  /** Fills `buffer` from where the file stands; fewer bytes where it ends. */
  read(buffer: Uint8Array<ArrayBuffer>): number {
    let filled = 0;
    while (filled < buffer.length) {
      const bytes = this.#libc.read(this.#fd, buffer.subarray(filled));
      if (bytes < 0) throw this.#fail(bytes);
      if (bytes === 0) break;
      filled += bytes;
    }
    return filled;
  }

  /** The runs of data of a file of `sizeBytes`, ascending; all of it where the file system tells of no holes. */
  dataRuns(sizeBytes: number): DataRun[] {
    const runs: DataRun[] = [];
    for (let at = 0; at < sizeBytes;) {
      const start = this.#libc.lseek(this.#fd, at, Seek.data);
      if (start === -Errno.ENXIO) break; // no data from here on
      if (start === -Errno.EINVAL) return [{ offset: 0, lengthBytes: sizeBytes }];
      if (start < 0) throw this.#fail(start);
      const end = this.#libc.lseek(this.#fd, start, Seek.hole);
      if (end < 0) throw this.#fail(end);
      if (start >= sizeBytes || end <= start) break;
      runs.push({ offset: start, lengthBytes: Math.min(end, sizeBytes) - start });
      at = end;
    }
    return runs;
  }

  /** Goes to where the next `read` begins. */
  seek(offset: number): void {
    const result = this.#libc.lseek(this.#fd, offset, Seek.set);
    if (result < 0) throw this.#fail(result);
  }

  /** To be called once. */
  close(): void {
    this.#libc.close(this.#fd);
  }
}

/** Source: struct statx, include/uapi/linux/stat.h. */
function readStatx(view: DataView): DiskStat {
  const u32 = (at: number) => view.getUint32(at, true);
  const i64 = (at: number) => Number(view.getBigInt64(at, true));
  const fileSystem = `${u32(136)}:${u32(140)}`;
  return {
    mode: view.getUint16(28, true),
    nlink: u32(16),
    uid: u32(20),
    gid: u32(24),
    sizeBytes: i64(40),
    blocks: i64(48),
    mtimeSeconds: i64(112),
    mtimeNanoseconds: u32(120),
    deviceMajor: u32(128),
    deviceMinor: u32(132),
    fileSystem,
    id: `${fileSystem}:${view.getBigUint64(32, true)}`,
    changed: `${i64(96)}.${u32(104)}`,
  };
}

function cPath(path: ByteString): Uint8Array<ArrayBuffer> {
  return fromByteString(`${path}\0`);
}
