import { ClipError } from "../base/mod.ts";
import type { Logger } from "../base/mod.ts";
import { FUSE_NOTIFY_RESEND, OutHeader } from "./abi.ts";
import { Errno, errnoName } from "./errno.ts";
import { type Libc, libc } from "./libc.ts";
import type { FuseServer } from "./server.ts";

/** What the loop calls between requests. */
export interface ServeHooks {
  /**
   * Asked before each read(2): true ends the loop. A loop that waits for a request asks nothing; whoever wants it to
   * end makes a request, for instance by `Deno.lstat` of a name that was never used, and waits for the loop's end but
   * not for that request: the loop may have asked, and ended, before it could read it.
   */
  readonly shouldStop?: () => boolean;
  /** Told of replies that the kernel refused. */
  readonly log?: Logger;
}

/**
 * Serves requests from `fd` until the file system is unmounted ("unmounted") or a hook says so ("stopped"). Blocks the
 * isolate, hence belongs in a Worker. Several loops, each with its own server, may serve one descriptor.
 * @throws {ClipError} of code `io` when the descriptor cannot be read, such as when it is closed.
 */
export function serve(fd: number, server: FuseServer, hooks: ServeHooks = {}): "unmounted" | "stopped" {
  const library = libc();
  const { request } = server;
  const shouldStop = hooks.shouldStop ?? (() => false);
  while (!shouldStop()) {
    const requestBytes = library.read(fd, request, request.length);
    if (requestBytes <= 0) {
      if (-requestBytes === Errno.ENODEV) return "unmounted";
      recoverFromRead(library, fd, -requestBytes);
      continue;
    }
    const replyBytes = server.handle(requestBytes);
    if (replyBytes === 0) continue;
    const written = library.write(fd, server.reply, replyBytes);
    if (written < 0 && -written !== Errno.ENOENT) retryReply(library, fd, server, -written, hooks.log);
  }
  return "stopped";
}

/**
 * Decides whether the loop may go on after a failed read(2): ENOENT is a request that was taken back while it was
 * being copied. Source: libfuse's fuse_session_receive_buf documents the same cases. Nothing at all (0 bytes) comes from
 * a descriptor that is no connection to FUSE, and would come for ever.
 */
function recoverFromRead(library: Libc, fd: number, errno: number): void {
  if (errno === Errno.EINTR || errno === Errno.ENOENT) return;
  if (errno === Errno.EAGAIN) {
    // Somebody made the descriptor non-blocking; without waiting, this loop would spin.
    library.waitReadable(fd, -1);
    return;
  }
  const reason = errno === 0 ? "it is at its end" : errnoName(errno);
  throw new ClipError("io", `cannot read FUSE requests from descriptor ${fd}: ${reason}`);
}

/** ENOENT means that nobody waits for the reply any more. After any other failure somebody does, and gets EIO. */
function retryReply(library: Libc, fd: number, server: FuseServer, errno: number, log: Logger | undefined): void {
  log?.error(`the kernel refused a FUSE reply: ${errnoName(errno)}; the caller gets EIO`);
  library.write(fd, server.reply, server.failReply(Errno.EIO));
}

/**
 * Asks the kernel to send all requests once more that were read and never answered, as the first thing of a server
 * that takes over the descriptor of one that died. False where the kernel cannot (before Linux 6.9).
 *
 * Requests that come again have bit 63 of `unique` set. Ones that a second server is about to answer come again too;
 * the second reply gets ENOENT, which does no harm. The descriptor must be the very same open file.
 */
export function requestResend(fd: number): boolean {
  const notification = new Uint8Array(OutHeader.sizeBytes);
  const view = new DataView(notification.buffer);
  view.setUint32(OutHeader.len, OutHeader.sizeBytes, true);
  view.setInt32(OutHeader.error, FUSE_NOTIFY_RESEND, true);
  return libc().write(fd, notification, notification.length) === notification.length;
}
