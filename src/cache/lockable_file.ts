import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync } from "node:fs";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  strerror: { parameters: ["i32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** In place of a descriptor: no system call accepts it. */
const CLOSED = -1;

/** Flags of open(2). Source: asm-generic/fcntl.h; arm64 has a number of its own for one of them. */
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_CLOEXEC = 0o2000000;
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;

/** Commands of fcntl(2) for locks that belong to the open file. Source: asm-generic/fcntl.h. */
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
/** Kinds of locks in `struct flock`. */
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** Errors that mean that somebody else has the lock. */
const EACCES = 13;
const EAGAIN = 11;

/** From the end, for lseek(2). Source: linux/fs.h. */
const SEEK_END = 2;

/** Flags of fallocate(2). Source: linux/falloc.h. */
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

/** What came of asking for a lock; `unknown` where the system or the file system has no such locks. */
export type LockResult = "granted" | "held" | "unknown";

/** Bytes of a file, [start, start + length); length 0 means all that there will ever be. */
export interface LockRange {
  readonly start: number;
  readonly length: number;
}

/** The range of a whole file. */
export const WHOLE_FILE: LockRange = { start: 0, length: 0 };

/**
 * An open file with the kernel's advisory locks on ranges of its bytes. They belong to this open file, not to the
 * process: two objects in one process exclude each other too, and whatever ends a process lets go of them.
 * Source: fcntl(2), "Open file description locks".
 */
export class LockableFile {
  /** Leads to this very file, whatever has its name by now, as long as this object is open and in this process. */
  readonly path: string;
  /** For node:fs, and not to be closed by others; −1, which no system call accepts, once the file is closed. */
  descriptor: number;
  #calls: Calls | undefined;
  /** The kernel's descriptor, on which the locks are; not always what node:fs calls one. */
  #fd = CLOSED;
  /** `struct flock` {short l_type, l_whence; off_t l_start, l_len; pid_t l_pid}: 64-bit systems have one layout. */
  #flock = new DataView(new ArrayBuffer(32));

  /**
   * Opens a file, which is made, for the owner alone, where `create` says so. A symlink is refused.
   * @throws {Error} as the system says it, and where it is not a file.
   */
  constructor(path: string, { create }: { create: boolean }) {
    this.#calls = systemCalls();
    this.path = path;
    if (this.#calls !== undefined) {
      const name = new TextEncoder().encode(`${path}\0`) as Uint8Array<ArrayBuffer>;
      this.#fd = this.#calls.symbols.open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0o600);
      if (this.#fd < 0) throw new Error(`cannot open ${path}: ${this.#calls.lastError()}`);
      this.path = `/proc/self/fd/${this.#fd}`;
      create = false;
    }
    const flags = constants.O_RDWR | (this.#fd < 0 ? O_NOFOLLOW : 0) | (create ? constants.O_CREAT : 0);
    try {
      this.descriptor = openSync(this.path, flags, 0o600);
    } catch (error) {
      this.#closeLocks();
      throw error;
    }
    if (fstatSync(this.descriptor).isFile()) return;
    this.close();
    throw new Error(`${path} is not a file`);
  }

  /** False once it is closed. */
  get isOpen(): boolean {
    return this.descriptor !== CLOSED;
  }

  /** Its length. @throws {Error} as the system says it. */
  sizeBytes(): number {
    // Asked for each span that is written, and a tenth as dear as fstat; nothing depends on the position.
    if (this.#calls !== undefined && this.#fd >= 0) {
      const end = Number(this.#calls.symbols.lseek(this.#fd, 0n, SEEK_END));
      if (end >= 0) return end;
    }
    return fstatSync(this.descriptor).size;
  }

  /** Makes it `bytes` long; what is new are zeros that take no room. @throws {Error} as the system says it. */
  lengthen(bytes: number): void {
    if (this.sizeBytes() < bytes) ftruncateSync(this.descriptor, bytes);
  }

  /** Whether `path` leads to this file and no other. @throws {Error} as the system says it. */
  isAt(path: string): boolean {
    const opened = fstatSync(this.descriptor);
    const named = lstatSync(path, { throwIfNoEntry: false });
    return named !== undefined && named.ino === opened.ino && named.dev === opened.dev;
  }

  /** Takes a lock without waiting, or turns one that this object has into the other kind. */
  lock(kind: "shared" | "exclusive", { start, length }: LockRange): LockResult {
    return this.#setLock(kind === "shared" ? F_RDLCK : F_WRLCK, start, length);
  }

  /** Lets go of what this object has locked there. */
  unlock({ start, length }: LockRange): void {
    this.#setLock(F_UNLCK, start, length);
  }

  /** Whether anybody else, in this process or another, has any lock there; undefined where nobody can tell. */
  isLockedElsewhere({ start, length }: LockRange): boolean | undefined {
    if (this.#calls === undefined || this.#fd < 0) return undefined;
    this.#fill(F_WRLCK, start, length);
    if (this.#calls.symbols.fcntl(this.#fd, F_OFD_GETLK, this.#flock) < 0) return undefined;
    return this.#flock.getInt16(0, true) !== F_UNLCK;
  }

  #setLock(type: number, start: number, length: number): LockResult {
    if (this.#calls === undefined || this.#fd < 0) return "unknown";
    this.#fill(type, start, length);
    if (this.#calls.symbols.fcntl(this.#fd, F_OFD_SETLK, this.#flock) >= 0) return "granted";
    const errno = this.#calls.errno();
    return errno === EAGAIN || errno === EACCES ? "held" : "unknown";
  }

  #fill(type: number, start: number, length: number): void {
    this.#flock.setInt16(0, type, true);
    this.#flock.setInt16(2, 0, true); // SEEK_SET
    this.#flock.setBigInt64(8, BigInt(start), true);
    this.#flock.setBigInt64(16, BigInt(length), true);
    this.#flock.setInt32(24, 0, true);
  }

  /** Gives the room of the bytes [start, endExclusive) back to the disk; they read as zeros then. Whether it could. */
  punch(start: number, endExclusive: number): boolean {
    if (this.#calls === undefined || this.#fd < 0) return false;
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return this.#calls.symbols.fallocate(this.#fd, mode, BigInt(start), BigInt(endExclusive - start)) === 0;
  }

  /** Closes the file, and with it lets go of its locks. A second call does nothing. */
  close(): void {
    const descriptor = this.descriptor;
    // Numbers of closed descriptors are given out again: a late write must not find the file that has one of them now.
    this.descriptor = CLOSED;
    if (descriptor !== CLOSED) closeSync(descriptor);
    this.#closeLocks();
  }

  #closeLocks(): void {
    if (this.#fd >= 0) this.#calls!.symbols.close(this.#fd);
    this.#fd = CLOSED;
  }
}

/** The few calls of the C library that the cache needs and the runtime does not offer. */
interface Calls {
  readonly symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** Of the call made last in this isolate. */
  errno(): number;
  /** The same as text. */
  lastError(): string;
}

let opened: { readonly calls: Calls | undefined } | undefined;

function systemCalls(): Calls | undefined {
  return (opened ??= { calls: openCalls() }).calls;
}

function openCalls(): Calls | undefined {
  for (const name of ["libc.so.6", "libc.so"]) {
    try {
      const { symbols } = Deno.dlopen(name, SYMBOLS);
      const location = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(symbols.__errno_location()!, 4));
      const errno = () => location[0]!;
      return {
        symbols,
        errno,
        lastError: () => Deno.UnsafePointerView.getCString(symbols.strerror(errno())!),
      };
    } catch {
      // Another C library, or none that may be called.
    }
  }
  return undefined;
}
