import { Errno } from "./errno.ts";

/**
 * One `struct iovec`: how a part of a buffer is named to readv(2), writev(2) and preadv(2).
 *
 * Why these and not read(2) with a pointer and a length: a length of 64 bits crosses Deno's FFI as a BigInt, which
 * costs an allocation a call, and the address of a buffer costs 0.3 µs to ask for. Here both are plain words in memory
 * that are written anew only when they change. Source: POSIX sys/uio.h; on 64-bit Linux {u64 base, u64 length}.
 */
export class IoVector {
  /** The struct's four words, to be passed as a pointer. */
  readonly words: Uint32Array<ArrayBuffer> = new Uint32Array(4);
  #buffer: Uint8Array | undefined;
  #address = 0;

  /**
   * Names bytes [at, at + bytes) of `buffer`; 0, or −EFAULT where that is not inside it. The buffer last named is kept
   * alive and its address remembered: a backing store never moves. One that was detached has a length of 0 and is
   * refused here, so the remembered address is never used after it was given back.
   */
  point(buffer: Uint8Array, at: number, bytes: number): number {
    if (at < 0 || bytes < 0 || at + bytes > buffer.length) return -Errno.EFAULT;
    if (buffer !== this.#buffer) {
      // The address of an empty buffer is null.
      this.#address = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer as BufferSource)));
      this.#buffer = buffer;
    }
    const start = this.#address + at;
    this.words[0] = start >>> 0;
    this.words[1] = start / 2 ** 32;
    this.words[2] = bytes;
    return 0;
  }
}
