import { ClipError } from "../base/mod.ts";
import { Errno, errnoName, libc, mountAt } from "../fuse/mod.ts";

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** The directories that an overlay is made of, absolute. */
export interface OverlayPlaces {
  /** What is seen where nothing was written. */
  readonly lower: string;
  /** What was written. */
  readonly upper: string;
  /** An empty directory on the file system of `upper`, the kernel's own. */
  readonly work: string;
}

/**
 * The options of an overlay, as mount(2) takes them. In a user namespace the kernel keeps its notes in `user.`
 * attributes, since `trusted.` ones are root's alone. Source: Linux Documentation/filesystems/overlayfs.rst.
 */
export function overlayOptions({ lower, upper, work }: OverlayPlaces, userNamespace: boolean): string[] {
  const options = [`lowerdir=${escapePath(lower)}`, `upperdir=${escapePath(upper)}`, `workdir=${escapePath(work)}`];
  return userNamespace ? [...options, "userxattr"] : options;
}

/** A comma ends an option, a colon a lower directory. */
function escapePath(path: string): string {
  return path.replace(/[\\,:]/g, (char) => `\\${char}`);
}

/** Mounts an overlay on the directory `merged`. @throws {ClipError} that says what may help. */
export function mountOverlay(merged: string, places: OverlayPlaces, userNamespace: boolean): void {
  const data = overlayOptions(places, userNamespace).join(",");
  const failure = libc().mount("overlay", merged, "overlay", 0, data);
  if (failure < 0) {
    throw new ClipError("io", `cannot mount an overlay on ${merged}: ${overlayAdvice(-failure, places)}`);
  }
}

function overlayAdvice(errno: number, { upper }: OverlayPlaces): string {
  const name = errnoName(errno);
  if (errno === Errno.EPERM) return `${name}; users other than root may in a user namespace: unshare -Urm`;
  if (errno === Errno.ENODEV) return `${name}; the kernel has no overlayfs: modprobe overlay`;
  if (errno !== Errno.EINVAL) return name;
  return `${name}; ${upper} may lie on an overlay itself, as in a container: --tmpfs-upper, or another folder`;
}

/** Mounts a file system in memory on `directory`, for root alone. @throws {ClipError} */
export function mountTmpfs(directory: string): void {
  const failure = libc().mount("tmpfs", directory, "tmpfs", 0, "mode=700");
  if (failure < 0) throw new ClipError("io", `cannot mount a tmpfs on ${directory}: ${errnoName(-failure)}`);
}

/** Whether something is mounted on `directory`, absolute and without symlinks. */
export async function isMounted(directory: string): Promise<boolean> {
  return await mountAt(directory) !== undefined;
}

/** Unmounts what is mounted on `directory`, which is not FUSE. @throws {ClipError} when it is busy, unless lazy. */
export function unmount(directory: string, { lazy }: { lazy: boolean }): void {
  const failure = libc().umount2(directory, (lazy ? MNT_DETACH : 0) | UMOUNT_NOFOLLOW);
  if (failure >= 0) return;
  const advice = -failure === Errno.EBUSY
    ? "it is in use; close what is open in it, or use --lazy"
    : errnoName(-failure);
  throw new ClipError("io", `cannot unmount ${directory}: ${advice}`);
}
