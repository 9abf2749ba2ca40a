import { openCLibrary } from "../base/mod.ts";
import { IoVector } from "./io_vector.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  readv: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  writev: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  preadv: { parameters: ["i32", "buffer", "i32", "i64"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  pipe: { parameters: ["buffer"], result: "i32" },
  setsid: { parameters: [], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  sysconf: { parameters: ["i32"], result: "i64" },
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  umount2: { parameters: ["buffer", "i32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  // Of glibc alone.
  malloc_trim: { parameters: ["usize"], result: "i32", optional: true },
  mallopt: { parameters: ["i32", "i32"], result: "i32", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** Flags of open(2), fcntl(2) and flock(2) with the same values on x86-64 and arm64. Source: asm-generic/fcntl.h. */
export const OpenFlag = { O_RDONLY: 0, O_RDWR: 2, O_CLOEXEC: 0o2000000 } as const;

/** Operations of flock(2). Source: sys/file.h. */
export const LockOperation = { LOCK_SH: 1, LOCK_EX: 2, LOCK_NB: 4, LOCK_UN: 8 } as const;

/** Source: malloc.h of glibc. */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
const M_ARENA_MAX = -8;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SC_PAGESIZE = 30;
const CLOCK_MONOTONIC = 1;
const AF_UNIX = 1;
const SOCK_STREAM = 1;

/**
 * The C library, as the kernel's calls: every method returns what the call does, or −errno. Blocking calls block the
 * whole isolate. One instance belongs to one isolate, for errno belongs to a thread.
 */
export class Libc {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #errno: Int32Array;
  // One vector a method: a loop that reads requests, reads a file and writes replies then names each buffer once.
  readonly #readVector = new IoVector();
  readonly #writeVector = new IoVector();
  readonly #preadVector = new IoVector();
  /** struct timespec: seconds and nanoseconds, of which the upper halves stay 0. */
  readonly #time = new Uint32Array(4);

  /** Opens the library: glibc, or else musl. @throws {ClipError} of code `unsupported` where there is neither. */
  constructor() {
    this.#library = openCLibrary(SYMBOLS);
    this.#symbols = this.#library.symbols;
    const location = this.#symbols.__errno_location();
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location!, 4));
  }

  #checked(result: number): number {
    return result < 0 ? -this.#errno[0]! : result;
  }

  /** open(2); a file that is created gets `mode`. */
  open(path: string, flags: number, mode = 0): number {
    return this.#checked(this.#symbols.open(cString(path), flags, mode));
  }

  /** close(2). */
  close(fd: number): number {
    return this.#checked(this.#symbols.close(fd));
  }

  /** read(2) of up to `bytes` to the start of `buffer`. Allocates nothing while `buffer` stays the same. */
  read(fd: number, buffer: Uint8Array, bytes: number): number {
    const bad = this.#readVector.point(buffer, 0, bytes);
    if (bad < 0) return bad;
    const result = this.#symbols.readv(fd, this.#readVector.words, 1);
    return result < 0 ? -this.#errno[0]! : result;
  }

  /** write(2) of the first `bytes` of `buffer`. Allocates nothing while `buffer` stays the same. */
  write(fd: number, buffer: Uint8Array, bytes: number): number {
    const bad = this.#writeVector.point(buffer, 0, bytes);
    if (bad < 0) return bad;
    const result = this.#symbols.writev(fd, this.#writeVector.words, 1);
    return result < 0 ? -this.#errno[0]! : result;
  }

  /** pread(2) of up to `bytes` from `offset` of the file to `buffer` at `at`; less at the end of the file. */
  pread(fd: number, buffer: Uint8Array, at: number, bytes: number, offset: number): number {
    const bad = this.#preadVector.point(buffer, at, bytes);
    if (bad < 0) return bad;
    const result = this.#symbols.preadv(fd, this.#preadVector.words, 1, BigInt(offset));
    return result < 0 ? -this.#errno[0]! : result;
  }

  /** Waits until `fd` can be read, or for `timeoutMs` (−1: for ever): 1, 0 at the timeout, or −errno. */
  waitReadable(fd: number, timeoutMs: number): number {
    // struct pollfd {int fd; short events; short revents}; POLLIN is 1.
    const pollFd = new Int32Array([fd, 1]);
    return this.#checked(this.#symbols.poll(pollFd, 1n, timeoutMs));
  }

  /** Says whether `fd` is closed in programs that this one starts. */
  setCloseOnExec(fd: number, closeOnExec: boolean): number {
    return this.#checked(this.#symbols.fcntl(fd, F_SETFD, closeOnExec ? FD_CLOEXEC : 0));
  }

  /** flock(2) with {@linkcode LockOperation}s. */
  flock(fd: number, operation: number): number {
    return this.#checked(this.#symbols.flock(fd, operation));
  }

  /** pipe(2): fills `ends` with the descriptors to read from and to write to; both survive exec. */
  pipe(ends: Int32Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.pipe(ends));
  }

  /** setsid(2): the new session's number. */
  setsid(): number {
    return this.#checked(this.#symbols.setsid());
  }

  /** Microseconds of the clock that is never set, the same for all threads; half as costly as `performance.now()`. */
  now(): number {
    this.#symbols.clock_gettime(CLOCK_MONOTONIC, this.#time);
    return this.#time[0]! * 1e6 + this.#time[2]! / 1000;
  }

  /** Bytes in a page of memory: 4 KiB, or 16 or 64 KiB on some arm64 machines. */
  pageBytes(): number {
    return Number(this.#symbols.sysconf(SC_PAGESIZE));
  }

  /** mount(2). */
  mount(source: string, target: string, type: string, flags: number, data: string): number {
    const result = this.#symbols.mount(cString(source), cString(target), cString(type), BigInt(flags), cString(data));
    return this.#checked(result);
  }

  /**
   * Keeps the C library from keeping: by default each thread has a heap of its own, and buffers of a megabyte come out of
   * heaps once one has been freed. Source: mallopt(3).
   */
  limitHeap(): void {
    this.#symbols.mallopt?.(M_ARENA_MAX, 2);
    this.#symbols.mallopt?.(M_MMAP_THRESHOLD, 256 * 1024);
    this.#symbols.mallopt?.(M_TRIM_THRESHOLD, 1024 * 1024);
  }

  /** Gives memory that was freed back to the kernel, where the library can: malloc_trim(3). */
  trimHeap(): void {
    this.#symbols.malloc_trim?.(0n);
  }

  /** umount2(2). */
  umount2(target: string, flags: number): number {
    return this.#checked(this.#symbols.umount2(cString(target), flags));
  }

  /** socketpair(2) of connected stream sockets; both survive exec. */
  socketpair(ends: Int32Array<ArrayBuffer>): number {
    return this.#checked(this.#symbols.socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  }

  /** socket(2) of the family's default protocol. */
  socket(family: number, type: number): number {
    return this.#checked(this.#symbols.socket(family, type, 0));
  }

  /** sendmsg(2) with a `struct msghdr` that the caller has laid out. */
  sendmsg(fd: number, message: Uint8Array<ArrayBuffer>, flags: number): number {
    return this.#checked(this.#symbols.sendmsg(fd, message, flags));
  }

  /** recvmsg(2) with a `struct msghdr` that the caller has laid out. */
  recvmsg(fd: number, message: Uint8Array<ArrayBuffer>, flags: number): number {
    return this.#checked(this.#symbols.recvmsg(fd, message, flags));
  }
}

let opened: Libc | undefined;

/** The C library, opened at the first call in this isolate. @throws {ClipError} of code `unsupported`. */
export function libc(): Libc {
  return opened ??= new Libc();
}

/** `text` in UTF-8 with a NUL behind it. A NUL inside would cut it short, so callers refuse such paths first. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`) as Uint8Array<ArrayBuffer>;
}
