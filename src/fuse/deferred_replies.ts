import { ClipError, type Logger, SILENT } from "../base/mod.ts";
import { OutHeader } from "./abi.ts";
import { Errno, errnoName } from "./errno.ts";
import type { DeferredRead } from "./exchange.ts";
import { libc } from "./libc.ts";

/** Bytes to leave free before the data in a buffer given to {@linkcode DeferredReplies.replyData}. */
export const REPLY_HEADER_BYTES: number = OutHeader.sizeBytes;

/**
 * Answers READs that a server's file system deferred; meant for the main thread, while a Worker blocks in `serve` on
 * the same descriptor.
 *
 * The protocol: the Worker posts each DeferredRead; the main thread gets the data and calls `replyData`, or
 * `replyError`, exactly once. When the Worker reports an interrupt, the main thread calls `replyInterrupted` with its
 * number, whatever is known of it: the kernel itself knows whether anybody still waits. The reply made later for the
 * same request returns false, which may serve to give up work that nobody wants.
 */
export class DeferredReplies {
  readonly #fd: number;
  readonly #log: Logger;
  readonly #header: Uint8Array<ArrayBuffer> = new Uint8Array(OutHeader.sizeBytes);

  /** Writes to `fd`, which stays the caller's to close. */
  constructor(fd: number, log: Logger = SILENT) {
    this.#fd = fd;
    this.#log = log;
  }

  /**
   * Answers with the bytes [16, 16 + dataBytes) of `buffer`; the first 16 are overwritten. Fewer than were asked for
   * mean that the file ends there. False when nobody waits any more. When the kernel refuses the data, the caller gets
   * EIO. The buffer is the caller's again afterwards.
   */
  replyData(read: DeferredRead, buffer: Uint8Array<ArrayBuffer>, dataBytes: number): boolean {
    const replyBytes = OutHeader.sizeBytes + dataBytes;
    if (dataBytes < 0 || dataBytes > read.lengthBytes || replyBytes > buffer.length) {
      this.#log.error(`a deferred read of ${read.lengthBytes} bytes was given ${dataBytes}; its caller gets EIO`);
      return this.replyError(read, Errno.EIO);
    }
    writeHeader(buffer, replyBytes, 0, read.uniqueLow, read.uniqueHigh);
    const written = libc().write(this.#fd, buffer, replyBytes);
    if (written >= 0) return true;
    if (isGone(written)) return false;
    this.#log.error(`the kernel refused a FUSE reply: ${errnoName(-written)}; the caller gets EIO`);
    return this.replyError(read, Errno.EIO);
  }

  /** Answers with a positive errno. False when nobody waits any more. @throws {ClipError} of code `io`. */
  replyError({ uniqueLow, uniqueHigh }: Pick<DeferredRead, "uniqueLow" | "uniqueHigh">, errno: number): boolean {
    writeHeader(this.#header, OutHeader.sizeBytes, -errno, uniqueLow, uniqueHigh);
    const written = libc().write(this.#fd, this.#header, OutHeader.sizeBytes);
    if (written >= 0) return true;
    if (isGone(written)) return false;
    throw new ClipError("io", `cannot write a FUSE reply to descriptor ${this.#fd}: ${errnoName(-written)}`);
  }

  /**
   * Answers −EINTR to the request of that number, if anybody still waits for it; false otherwise. The kernel reports
   * every signal, not fatal ones alone, but only for READs that their caller waits for itself (O_DIRECT, mostly): the
   * usual ones are readaheads, whose waiters can be killed without a word to the server.
   */
  replyInterrupted(uniqueLow: number, uniqueHigh: number): boolean {
    return this.replyError({ uniqueLow, uniqueHigh }, Errno.EINTR);
  }
}

/** ENOENT: answered or taken back before; ENODEV: unmounted. */
function isGone(written: number): boolean {
  return -written === Errno.ENOENT || -written === Errno.ENODEV;
}

function writeHeader(bytes: Uint8Array, length: number, error: number, uniqueLow: number, uniqueHigh: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, OutHeader.sizeBytes);
  view.setUint32(OutHeader.len, length, true);
  view.setInt32(OutHeader.error, error, true);
  view.setUint32(OutHeader.unique, uniqueLow, true);
  view.setUint32(OutHeader.unique + 4, uniqueHigh, true);
}
