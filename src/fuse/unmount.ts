import { ClipError, sleep } from "../base/mod.ts";
import { Errno, errnoName } from "./errno.ts";
import { unmountByFusermount } from "./fusermount.ts";
import { libc } from "./libc.ts";
import { isFuse, mountAt, resolveMountpoint } from "./mounts.ts";

const MNT_FORCE = 1;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** Who only looks at it (`df`, `clip mounts`, an indexer) has gone by then; who works there has not. */
const BUSY_TIMEOUT_MS = 300;
const BUSY_PAUSE_MS = 20;

/** How to unmount. */
export interface UnmountOptions {
  /** Takes the mount out of sight at once, and ends it when its last open file is closed. Never busy. */
  readonly lazy?: boolean;
  /**
   * Ends the connection at once as well: every request under way fails (ECONNABORTED), `serve` returns. For root; the
   * helper for users cannot.
   */
  readonly force?: boolean;
}

/**
 * Unmounts the FUSE file system on `mountpoint`; when it returns, the mount is out of sight and, unless lazy, its
 * servers' reads return ENODEV. One that is busy is tried again for a moment. No server needs to answer anything.
 * @throws {ClipError} `not_found` when nothing is mounted there; `io` when it is no FUSE mount, or busy; `denied`.
 */
export async function unmountFuse(mountpoint: string, options: UnmountOptions = {}): Promise<void> {
  const real = await resolveMountpoint(mountpoint);
  const mount = await mountAt(real);
  if (mount === undefined) throw new ClipError("not_found", `cannot unmount ${real}: nothing is mounted there`);
  if (!isFuse(mount)) throw new ClipError("io", `cannot unmount ${real}: it is no FUSE mount but ${mount.type}`);
  const lazy = options.lazy === true || options.force === true;
  const flags = (lazy ? MNT_DETACH : 0) | (options.force === true ? MNT_FORCE : 0) | UMOUNT_NOFOLLOW;
  const started = performance.now();
  while (!await unmountOnce(real, flags, lazy)) {
    if (performance.now() - started > BUSY_TIMEOUT_MS) {
      throw new ClipError("io", `cannot unmount ${real}: it is in use; close what is open in it, or use --lazy`);
    }
    await sleep(BUSY_PAUSE_MS);
  }
}

/** False where it is busy. */
async function unmountOnce(mountpoint: string, flags: number, lazy: boolean): Promise<boolean> {
  const failure = libc().umount2(mountpoint, flags);
  if (failure >= 0) return true;
  if (-failure === Errno.EBUSY) return false;
  if (-failure !== Errno.EPERM) throw new ClipError("io", `cannot unmount ${mountpoint}: ${errnoName(-failure)}`);
  const said = await unmountByFusermount(mountpoint, lazy);
  if (said === undefined) return true;
  if (/busy/i.test(said)) return false;
  throw new ClipError("denied", `cannot unmount ${mountpoint}: ${said}`);
}
