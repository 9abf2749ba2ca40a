import { ClipError, type Logger, messageOf, SILENT } from "../base/mod.ts";
import { Errno, errnoName } from "./errno.ts";
import { mountByFusermount } from "./fusermount.ts";
import { libc, OpenFlag } from "./libc.ts";
import { isFuse, isServerGone, mountAt, resolveMountpoint } from "./mounts.ts";
import { unmountFuse } from "./unmount.ts";

const DEVICE = "/dev/fuse";
const MS_RDONLY = 1;
/** Dead mounts may lie on top of one another; more than this are not cleared away. */
const MAX_STALE_MOUNTS = 16;

/** How to mount. */
export interface MountOptions {
  /** Whether users other than the one who mounts may enter; default for root only, as containers need it. */
  readonly allowOther?: boolean;
  /** What `mount` and `df` show as the source; default `clip`. */
  readonly fsName?: string;
  /** The type shown is `fuse.` and this; default `clip`. */
  readonly subtype?: string;
  /** Told of dead mounts that are cleared away; default: nobody. */
  readonly log?: Logger;
}

/** A mounted file system that nobody serves yet: whoever enters it waits until somebody does. */
export interface FuseMount {
  /** The connection to the kernel, closed on exec. The mount is dead (ENOTCONN) once its last copy is closed. */
  readonly fd: number;
  /** Absolute, without symlinks. */
  readonly mountpoint: string;
  /** Whether the setuid helper made it, because this process may not. */
  readonly viaFusermount: boolean;
  /** Closes `fd`; the mount stays. */
  close(): void;
}

/**
 * Mounts a read-only FUSE file system on the directory `mountpoint`: by mount(2) where that is allowed, or else by
 * fusermount3. A mount there whose server is gone is detached first. setuid bits and device nodes work for root only
 * (fusermount3 disables both). Permissions are checked by the kernel from the nodes' modes (default_permissions).
 * @throws {ClipError} `not_found` or `io` when the mountpoint is missing, no directory, or has a live file system
 * mounted on it; `denied`, `unsupported` or `io` when mounting fails.
 */
export async function mountFuse(mountpoint: string, options: MountOptions = {}): Promise<FuseMount> {
  const log = options.log ?? SILENT;
  const real = await resolveMountpoint(mountpoint);
  await detachStale(real, log);
  const stat = await Deno.stat(real).catch((error) => {
    throw new ClipError("io", `cannot mount on ${real}: ${messageOf(error)}`, { cause: error });
  });
  if (!stat.isDirectory) throw new ClipError("io", `cannot mount on ${real}: it is not a directory`);
  const privileged = Deno.uid() === 0;
  const settings: MountSettings = {
    allowOther: options.allowOther ?? privileged,
    fsName: options.fsName ?? "clip",
    subtype: options.subtype ?? "clip",
  };
  if (privileged) {
    const fd = mountDirectly(real, settings);
    if (fd >= 0) return fuseMount(fd, real, false);
    if (-fd !== Errno.EPERM) throw new ClipError("io", `cannot mount on ${real}: ${errnoName(-fd)}`);
    log.debug("mount(2) is not permitted; trying fusermount3");
  }
  const fd = await mountByFusermount(real, fusermountOptions(settings));
  return fuseMount(fd, real, true);
}

/** The connection of a mount that another process has made, and passed on as descriptor `fd`. */
export function adoptMount(fd: number, mountpoint: string): FuseMount {
  // First of all: a copy in a program that this one starts would keep a dead mount hanging.
  libc().setCloseOnExec(fd, true);
  return fuseMount(fd, mountpoint, false);
}

interface MountSettings {
  readonly allowOther: boolean;
  readonly fsName: string;
  readonly subtype: string;
}

function fuseMount(fd: number, mountpoint: string, viaFusermount: boolean): FuseMount {
  let open = true;
  const close = () => {
    if (open) libc().close(fd);
    open = false;
  };
  return { fd, mountpoint, viaFusermount, close };
}

/** Clears away mounts whose server is gone. @throws {ClipError} when a live file system is mounted there. */
async function detachStale(mountpoint: string, log: Logger): Promise<void> {
  for (let round = 0; round < MAX_STALE_MOUNTS; round++) {
    const mount = await mountAt(mountpoint);
    if (mount === undefined) return;
    if (!isFuse(mount) || !await isServerGone(mountpoint)) {
      const what = `${mount.source} (${mount.type})`;
      throw new ClipError("io", `cannot mount on ${mountpoint}: ${what} is mounted there; unmount it first`);
    }
    log.warn("detaching a mount whose server is gone", { mountpoint, type: mount.type, source: mount.source });
    await unmountFuse(mountpoint, { lazy: true });
  }
  throw new ClipError("io", `cannot mount on ${mountpoint}: more than ${MAX_STALE_MOUNTS} dead mounts lie there`);
}

/**
 * The new connection, or −errno of mount(2). @throws {ClipError} when /dev/fuse cannot be opened.
 * Source: Linux Documentation/filesystems/fuse.rst, "Mount options".
 */
function mountDirectly(mountpoint: string, { allowOther, fsName, subtype }: MountSettings): number {
  const library = libc();
  const fd = library.open(DEVICE, OpenFlag.O_RDWR | OpenFlag.O_CLOEXEC);
  if (fd < 0) throw deviceError(-fd);
  // The root is a directory: S_IFDIR, in octal.
  const data = [`fd=${fd}`, "rootmode=40000", `user_id=${Deno.uid()}`, `group_id=${Deno.gid()}`, "default_permissions"];
  if (allowOther) data.push("allow_other");
  const failure = library.mount(fsName, mountpoint, `fuse.${subtype}`, MS_RDONLY, data.join(","));
  if (failure < 0) library.close(fd);
  return failure < 0 ? failure : fd;
}

function deviceError(errno: number): ClipError {
  const because = `cannot open ${DEVICE}: ${errnoName(errno)}`;
  if (errno === Errno.ENOENT || errno === Errno.ENODEV || errno === Errno.ENXIO) {
    return new ClipError("unsupported", `${because}; load the kernel's fuse module, or give the container the device`);
  }
  if (errno === Errno.EACCES || errno === Errno.EPERM) {
    return new ClipError("denied", `${because}; give the container the device ${DEVICE}`);
  }
  return new ClipError("io", because);
}

function fusermountOptions({ allowOther, fsName, subtype }: MountSettings): string[] {
  const escape = (value: string) => value.replace(/[\\,]/g, (char) => `\\${char}`);
  const options = ["ro", "default_permissions", `fsname=${escape(fsName)}`, `subtype=${escape(subtype)}`];
  return allowOther ? [...options, "allow_other"] : options;
}

/**
 * Raises (or lowers) how far the kernel reads ahead on a mount; it starts at 128 KiB, whatever INIT allows. False
 * where that is not permitted, as for users and in most containers. @throws {ClipError} when nothing is mounted there.
 */
export async function setReadahead(mountpoint: string, readaheadBytes: number): Promise<boolean> {
  const mount = await mountAt(mountpoint);
  if (mount === undefined) throw new ClipError("not_found", `nothing is mounted on ${mountpoint}`);
  try {
    const path = `/sys/class/bdi/${mount.device}/read_ahead_kb`;
    await Deno.writeTextFile(path, `${Math.floor(readaheadBytes / 1024)}`, { create: false });
    return true;
  } catch {
    return false;
  }
}
