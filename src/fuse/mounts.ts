import { ClipError, messageOf } from "../base/mod.ts";

/** One mounted file system, as this process sees it. */
export interface MountEntry {
  /** The device number of the file system, `0:42`: its name in /sys/class/bdi. */
  readonly device: string;
  /** Absolute, without symlinks. */
  readonly mountpoint: string;
  /** `ext4`, `fuse.clip`… */
  readonly type: string;
  /** What was mounted: for FUSE, the `fsname`. */
  readonly source: string;
  /** Options of the mount and of the file system. */
  readonly options: readonly string[];
}

/** All mounts in the order they were made: of several on one directory the last is the one that is seen. */
export async function readMounts(): Promise<MountEntry[]> {
  try {
    return parseMounts(await Deno.readTextFile("/proc/self/mountinfo"));
  } catch (error) {
    throw new ClipError("io", `cannot read the table of mounts: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * The mounts that a text in the format of /proc/PID/mountinfo lists; lines not of that format are left out.
 * Source: Linux Documentation/filesystems/proc.rst, section 3.5.
 */
export function parseMounts(text: string): MountEntry[] {
  const mounts: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const separator = fields.indexOf("-", 6);
    if (separator < 0 || fields.length < separator + 3) continue;
    const options = `${fields[5]},${fields[separator + 3] ?? ""}`.split(",").filter((option) => option !== "");
    mounts.push({
      device: fields[2]!,
      mountpoint: unescape(fields[4]!),
      type: unescape(fields[separator + 1]!),
      source: unescape(fields[separator + 2]!),
      options,
    });
  }
  return mounts;
}

/** Spaces, tabs, newlines, backslashes and `#` are written as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** The mount that is seen at exactly `mountpoint` (absolute, without symlinks); undefined where nothing is mounted. */
export async function mountAt(mountpoint: string): Promise<MountEntry | undefined> {
  return (await readMounts()).findLast((mount) => mount.mountpoint === mountpoint);
}

/** Whether a mount is a FUSE file system, of whatever program. */
export function isFuse(mount: MountEntry): boolean {
  return mount.type === "fuse" || mount.type.startsWith("fuse.");
}

/** Whether a FUSE file system is mounted at exactly `path`, alive or not. */
export async function isFuseMounted(path: string): Promise<boolean> {
  const mount = await mountAt(await resolveMountpoint(path));
  return mount !== undefined && isFuse(mount);
}

/**
 * Whether nobody serves the FUSE mount on `mountpoint` any more: its connection is closed, and all it still answers is
 * what the kernel remembers. (So stat(2) of the root may well succeed; a name that was never looked up tells.)
 * @throws {ClipError} of code `io` when the mount gives no answer at all within `timeoutMs`: somebody holds the
 * connection and does not serve it.
 */
export async function isServerGone(mountpoint: string, timeoutMs = 5000): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new ClipError("io", `the file system mounted on ${mountpoint} does not answer`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  const asked = Deno.lstat(`${mountpoint}/.clip-${crypto.randomUUID()}`).then(
    () => false,
    (error) => errorName(error) === "ENOTCONN",
  );
  return await Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

/**
 * `path` absolute and without symlinks, whether or not a live file system is mounted there: the last component is not
 * looked into unless it is a symlink. @throws {ClipError} of code `not_found` or `io`.
 */
export async function resolveMountpoint(path: string): Promise<string> {
  if (path === "" || path.includes("\0")) {
    throw new ClipError("io", `cannot resolve the mountpoint ${JSON.stringify(path)}: not a path`);
  }
  try {
    return await Deno.realPath(path);
  } catch (error) {
    // The root of a mount whose server is gone cannot be asked for anything; its parent can.
    if (errorName(error) === "ENOTCONN") {
      const trimmed = path.replace(/\/+$/, "");
      const slash = trimmed.lastIndexOf("/");
      const parent = await Deno.realPath(slash < 0 ? "." : trimmed.slice(0, slash + 1));
      return `${parent === "/" ? "" : parent}/${trimmed.slice(slash + 1)}`;
    }
    const code = errorName(error) === "ENOENT" ? "not_found" : "io";
    throw new ClipError(code, `cannot resolve the mountpoint ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** The kernel's name of a system error that Deno threw, `ENOENT`; undefined for anything else. */
export function errorName(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : /\(os error 107\)/.test(error.message) ? "ENOTCONN" : undefined;
}
