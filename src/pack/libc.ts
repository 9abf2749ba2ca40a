import { ClipError, openCLibrary } from "../base/mod.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u64"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  getdents64: { parameters: ["i32", "buffer", "u64"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "u64"], result: "i32" },
  llistxattr: { parameters: ["buffer", "buffer", "u64"], result: "i32" },
  lgetxattr: { parameters: ["buffer", "buffer", "buffer", "u64"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const isArm = Deno.build.arch === "aarch64";

/** Flags of open(2). Source: asm-generic/fcntl.h; arch/arm64/include/uapi/asm/fcntl.h. */
export const OpenFlag = {
  O_RDONLY: 0,
  O_NONBLOCK: 0o4000,
  O_DIRECTORY: isArm ? 0o40000 : 0o200000,
  O_NOFOLLOW: isArm ? 0o100000 : 0o400000,
  O_CLOEXEC: 0o2000000,
} as const;

/** Where lseek(2) goes. Source: linux/fs.h. */
export const Seek = { set: 0, data: 3, hole: 4 } as const;

/** Numbers of errors that mean something here. Source: asm-generic/errno.h. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ENXIO: 6,
  EACCES: 13,
  EINVAL: 22,
  ENAMETOOLONG: 36,
  ENODATA: 61,
  EOPNOTSUPP: 95,
} as const;

/** What `error` is called; the number where it is a rare one. */
const EXPLANATIONS: Readonly<Record<number, string>> = {
  1: "it is not permitted",
  2: "it is not there any more",
  5: "input/output error",
  12: "out of memory",
  13: "permission denied",
  20: "it is no directory any more",
  24: "too many open files",
  36: "its path is longer than the system takes",
  40: "it became a symbolic link",
  116: "stale file handle",
};

/** Bytes of a struct statx. Source: include/uapi/linux/stat.h. */
export const STATX_BYTES = 256;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const NO_PATH = new Uint8Array(1);

/**
 * The calls that reading a tree takes, byte by byte as the kernel has it: Deno's own give times in milliseconds, names
 * as text, and no attributes. Each returns what the call does, or −errno. Paths end in a NUL. All block.
 */
export class Libc {
  readonly #symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #errno: Int32Array;

  /** Opens the library: glibc, or else musl. @throws {ClipError} `unsupported` where there is neither. */
  constructor() {
    this.#library = openCLibrary(SYMBOLS);
    this.#symbols = this.#library.symbols;
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(this.#symbols.__errno_location()!, 4));
  }

  #checked(result: number): number {
    return result < 0 ? -this.#errno[0]! : result;
  }

  /** open(2), always O_CLOEXEC. */
  open(path: Uint8Array<ArrayBuffer>, flags: number): number {
    return this.#checked(this.#symbols.open(path, flags | OpenFlag.O_CLOEXEC, 0));
  }

  /** close(2). */
  close(fd: number): number {
    return this.#checked(this.#symbols.close(fd));
  }

  /** read(2) to fill `buffer`: less at the end of the file. */
  read(fd: number, buffer: Uint8Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.read(fd, buffer, BigInt(buffer.length)));
  }

  /** lseek(2). */
  lseek(fd: number, offset: number, whence: number): number {
    return this.#checked(Number(this.#symbols.lseek(fd, BigInt(offset), whence)));
  }

  /** getdents64(2): the next entries of a directory, as many as `buffer` takes; 0: no more. */
  getdents(fd: number, buffer: Uint8Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.getdents64(fd, buffer, BigInt(buffer.length)));
  }

  /** statx(2) of a path, of a symlink itself. */
  statPath(path: Uint8Array<ArrayBuffer>, statx: Uint8Array<ArrayBuffer>): number {
    const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    return this.#checked(this.#symbols.statx(AT_FDCWD, path, flags, STATX_BASIC_STATS, statx));
  }

  /** statx(2) of an open file. */
  statFile(fd: number, statx: Uint8Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.statx(fd, NO_PATH, AT_EMPTY_PATH, STATX_BASIC_STATS, statx));
  }

  /** readlink(2): the length of the target, cut at that of `buffer`. */
  readlink(path: Uint8Array<ArrayBuffer>, buffer: Uint8Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.readlink(path, buffer, BigInt(buffer.length)));
  }

  /** llistxattr(2): names, a NUL behind each. */
  listAttributes(path: Uint8Array<ArrayBuffer>, buffer: Uint8Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.llistxattr(path, buffer, BigInt(buffer.length)));
  }

  /** lgetxattr(2). */
  getAttribute(
    path: Uint8Array<ArrayBuffer>,
    name: Uint8Array<ArrayBuffer>,
    buffer: Uint8Array<ArrayBuffer>,
  ): number {
    return this.#checked(this.#symbols.lgetxattr(path, name, buffer, BigInt(buffer.length)));
  }

  /** Gives the library back; nothing may be called afterwards. */
  release(): void {
    this.#library.close();
  }
}

/** The error of a call that gave −errno. `what`: the action and the path. */
export function errnoError(what: string, result: number): ClipError {
  const errno = -result;
  const code = errno === Errno.EACCES || errno === Errno.EPERM ? "denied" : "io";
  return new ClipError(code, `${what}: ${EXPLANATIONS[errno] ?? `error ${errno}`}`);
}
