import { openCLibrary } from "../base/mod.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" },
  geteuid: { parameters: [], result: "u32" },
  getegid: { parameters: [], result: "u32" },
  close: { parameters: ["i32"], result: "i32" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  mknodat: { parameters: ["i32", "buffer", "u32", "u64"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  renameat: { parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  // Their lengths are below 2^31 here, and so are their results.
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  chmod: { parameters: ["buffer", "u32"], result: "i32" },
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  fsetxattr: { parameters: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  lsetxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Bytes with a NUL behind them, as the C library takes names. Longer arrays will do: what follows the NUL is not read. */
export type CName = Uint8Array<ArrayBuffer>;

const IS_ARM64 = Deno.build.arch === "aarch64";

/** Flags of openat(2). Source: asm-generic/fcntl.h; x86-64 and arm64 differ in two. */
export const Open = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_DIRECTORY: IS_ARM64 ? 0o40000 : 0o200000,
  O_NOFOLLOW: IS_ARM64 ? 0o100000 : 0o400000,
  O_CLOEXEC: 0o2000000,
  O_PATH: 0o10000000,
} as const;

/** Errors that something is done about. Source: asm-generic/errno.h. */
export const Errno = {
  EPERM: 1,
  EAGAIN: 11,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ELOOP: 40,
  EOPNOTSUPP: 95,
} as const;

/** In place of a directory's descriptor: the working directory. Source: linux/fcntl.h, with the flags that follow. */
export const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const LOCK_EX_NB = 2 | 4;
const STATX_BASIC_STATS = 0x7ff;
/** Source: sys/stat.h. */
const UTIME_OMIT = (1 << 30) - 2;
const EMPTY: CName = new Uint8Array(1);

/** What statx(2) tells of a name. */
export interface FileStat {
  /** Type bits and 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly links: number;
  readonly sizeBytes: number;
  /** Rounded down. */
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

/**
 * System calls by which a tree is written so that no symlink is followed: all names are names in an open directory.
 * Every method returns what the call does, or −errno. One instance belongs to one isolate, for errno belongs to a thread.
 */
export class FileCalls {
  readonly #symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #errno: Int32Array;
  readonly #statx = new DataView(new ArrayBuffer(256));
  /** Two struct timespec: access, which is left as it is, and modification. */
  readonly #times = new BigInt64Array([0n, BigInt(UTIME_OMIT), 0n, 0n]);

  /** Opens the C library. @throws {ClipError} of code `unsupported` where there is none. */
  constructor() {
    this.#symbols = openCLibrary(SYMBOLS).symbols;
    const location = this.#symbols.__errno_location();
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location!, 4));
  }

  #checked(result: number): number {
    return result < 0 ? -this.#errno[0]! : result;
  }

  /** The text of a positive error number, `No space left on device`. */
  describe(errno: number): string {
    return Deno.UnsafePointerView.getCString(this.#symbols.strerror(errno)!);
  }

  /** Who this process is where files are concerned. */
  user(): { readonly uid: number; readonly gid: number } {
    return { uid: this.#symbols.geteuid(), gid: this.#symbols.getegid() };
  }

  /** openat(2), always with O_CLOEXEC. */
  open(directory: number, name: CName, flags: number, mode = 0): number {
    return this.#checked(this.#symbols.openat(directory, name, flags | Open.O_CLOEXEC, mode));
  }

  /** close(2). */
  close(fd: number): number {
    return this.#checked(this.#symbols.close(fd));
  }

  /** mkdirat(2). */
  makeDirectory(directory: number, name: CName, mode: number): number {
    return this.#checked(this.#symbols.mkdirat(directory, name, mode));
  }

  /** mknodat(2): a device, a pipe or a socket. */
  makeNode(directory: number, name: CName, mode: number, major: number, minor: number): number {
    return this.#checked(this.#symbols.mknodat(directory, name, mode, deviceNumber(major, minor)));
  }

  /** symlinkat(2). */
  makeSymlink(target: CName, directory: number, name: CName): number {
    return this.#checked(this.#symbols.symlinkat(target, directory, name));
  }

  /** linkat(2); of a symlink, another name of the link itself. */
  link(fromDirectory: number, from: CName, toDirectory: number, to: CName): number {
    return this.#checked(this.#symbols.linkat(fromDirectory, from, toDirectory, to, 0));
  }

  /** unlinkat(2) of anything but a directory. */
  unlink(directory: number, name: CName): number {
    return this.#checked(this.#symbols.unlinkat(directory, name, 0));
  }

  /** unlinkat(2) of an empty directory. */
  removeDirectory(directory: number, name: CName): number {
    return this.#checked(this.#symbols.unlinkat(directory, name, AT_REMOVEDIR));
  }

  /** renameat(2) inside a directory. */
  rename(directory: number, from: CName, to: CName): number {
    return this.#checked(this.#symbols.renameat(directory, from, directory, to));
  }

  /** pread(2) of up to `bytes.length`. */
  read(fd: number, bytes: Uint8Array<ArrayBuffer>, offset: number): number {
    return this.#checked(this.#symbols.pread(fd, bytes, BigInt(bytes.length), BigInt(offset)));
  }

  /** pwrite(2) of all of `bytes`: 0, or −errno of the first that failed. */
  write(fd: number, bytes: Uint8Array<ArrayBuffer>, offset: number): number {
    for (let at = 0; at < bytes.length;) {
      const rest = bytes.subarray(at);
      const written = this.#checked(this.#symbols.pwrite(fd, rest, BigInt(rest.length), BigInt(offset + at)));
      if (written < 0) return written;
      at += written;
    }
    return 0;
  }

  /** ftruncate(2). */
  resize(fd: number, sizeBytes: number): number {
    return this.#checked(this.#symbols.ftruncate(fd, BigInt(sizeBytes)));
  }

  /** flock(2) for this open file alone, without waiting: −EAGAIN where another has it. */
  lock(fd: number): number {
    return this.#checked(this.#symbols.flock(fd, LOCK_EX_NB));
  }

  /** fchmod(2). */
  setMode(fd: number, mode: number): number {
    return this.#checked(this.#symbols.fchmod(fd, mode));
  }

  /** The mode of what a descriptor by O_PATH is of, for which fchmod(2) does not serve. Not for symlinks. */
  setModeOfPath(fd: number, mode: number): number {
    return this.#checked(this.#symbols.chmod(descriptorPath(fd), mode));
  }

  /** The owner of what a descriptor is of, one by O_PATH too, symlinks included. */
  setOwner(fd: number, uid: number, gid: number): number {
    return this.#checked(this.#symbols.fchownat(fd, EMPTY, uid, gid, AT_EMPTY_PATH));
  }

  /** fsetxattr(2). */
  setAttribute(fd: number, name: CName, value: Uint8Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.fsetxattr(fd, name, value, BigInt(value.length), 0));
  }

  /** lsetxattr(2) of a name in an open directory, a symlink not followed. */
  setAttributeOfName(directory: number, node: CName, name: CName, value: Uint8Array<ArrayBuffer>): number {
    const path = descriptorPath(directory, node);
    return this.#checked(this.#symbols.lsetxattr(path, name, value, BigInt(value.length), 0));
  }

  /** futimens(2): the time of modification alone. */
  setTime(fd: number, seconds: number, nanoseconds: number): number {
    this.#setTimes(seconds, nanoseconds);
    return this.#checked(this.#symbols.futimens(fd, this.#times));
  }

  /** utimensat(2) of a name in an open directory, a symlink not followed: the time of modification alone. */
  setTimeOfName(directory: number, node: CName, seconds: number, nanoseconds: number): number {
    this.#setTimes(seconds, nanoseconds);
    return this.#checked(this.#symbols.utimensat(directory, node, this.#times, AT_SYMLINK_NOFOLLOW));
  }

  #setTimes(seconds: number, nanoseconds: number): void {
    this.#times[2] = BigInt(seconds);
    this.#times[3] = BigInt(nanoseconds);
  }

  /** statx(2) of a name, a symlink not followed; the empty name is the directory itself. −errno where it cannot be told. */
  stat(directory: number, name: CName = EMPTY): FileStat | number {
    const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    const view = this.#statx;
    const buffer = new Uint8Array(view.buffer);
    const result = this.#checked(this.#symbols.statx(directory, name, flags, STATX_BASIC_STATS, buffer));
    if (result < 0) return result;
    // Source: linux/stat.h, struct statx, the same on all machines.
    return {
      links: view.getUint32(16, true),
      uid: view.getUint32(20, true),
      mode: view.getUint16(28, true),
      sizeBytes: Number(view.getBigUint64(40, true)),
      mtimeSeconds: Number(view.getBigInt64(112, true)),
      mtimeNanoseconds: view.getUint32(120, true),
    };
  }
}

let opened: FileCalls | undefined;

/** The system calls, opened at the first call in this isolate. @throws {ClipError} of code `unsupported`. */
export function fileCalls(): FileCalls {
  return opened ??= new FileCalls();
}

/** A name as the C library takes it. It must hold no NUL. */
export function cName(bytes: Uint8Array): CName {
  const name = new Uint8Array(bytes.length + 1);
  name.set(bytes);
  return name;
}

/** A path that leads to what a descriptor is of, whatever has its name by now, and on to a name in it. */
function descriptorPath(fd: number, node?: CName): CName {
  const path = new TextEncoder().encode(`/proc/self/fd/${fd}${node === undefined ? "\0" : "/"}`);
  if (node === undefined) return path;
  const joined = new Uint8Array(path.length + node.length);
  joined.set(path);
  joined.set(node, path.length);
  return joined;
}

/** Source: glibc's bits/sysmacros.h, __SYSMACROS_DEFINE_MAKEDEV. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (high & 0xfffn) << 8n | (high & ~0xfffn) << 32n | (low & 0xffn) | (low & ~0xffn) << 12n;
}
