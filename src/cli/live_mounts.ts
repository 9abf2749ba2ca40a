import { ClipError, messageOf, sleep } from "../base/mod.ts";
import { type MountEntry, readMounts, resolveMountpoint } from "../fuse/mod.ts";
import { type FoundRecord, liveMounts, type MountStats, runtimeFolders } from "../mount/mod.ts";
import type { Io } from "./io.ts";
import { defaultCacheDir } from "./open_cache.ts";

/** A mount that does not answer by then is not going to. */
const ANSWER_TIMEOUT_MS = 5000;
/** A mount tells of itself a moment after it is there. */
const RECORD_TIMEOUT_MS = 2000;
const RECORD_POLL_MS = 50;

/** The folders where the mounts of this user have their records. */
export function mountFolders(io: Pick<Io, "env">): string[] {
  let cacheDir: string | undefined;
  try {
    cacheDir = defaultCacheDir(io);
  } catch {
    // Then it has no default.
  }
  return runtimeFolders({ env: (name) => io.env(name), uid: Deno.uid(), cacheDir });
}

/**
 * The live mount that `path` lies in: the mountpoint, anything below it, or a link to either.
 * @throws {ClipError} `not_found` where nothing is there, or it is in no mount of clip; `io` when its server is gone.
 */
export async function findMount(path: string, io: Pick<Io, "env">): Promise<FoundRecord> {
  const mount = await mountOf(path);
  if (mount?.type !== "fuse.clip") throw new ClipError("not_found", `${path} is in no mount of clip`);
  const device = deviceNumber(mount.device);
  const folders = mountFolders(io);
  for (const deadline = Date.now() + RECORD_TIMEOUT_MS;;) {
    const found = (await liveMounts(folders)).find(({ record }) => record.device === device);
    if (found !== undefined) return found;
    if (Date.now() > deadline) break;
    await sleep(RECORD_POLL_MS);
  }
  const where = folders.length === 0 ? "" : ` in ${folders.join(" or ")}`;
  throw new ClipError(
    "io",
    `no server of the mount on ${mount.mountpoint} is to be found${where}: it has ended, or belongs to another user`,
  );
}

/** The mount that a path lies in, of whatever file system; undefined where it is not in the table of mounts. */
async function mountOf(path: string): Promise<MountEntry | undefined> {
  const real = await resolveMountpoint(path);
  const mounts = await readMounts();
  const holds = ({ mountpoint }: MountEntry) => mountpoint === "/" || `${real}/`.startsWith(`${mountpoint}/`);
  let found: MountEntry | undefined;
  for (const mount of mounts.filter(holds)) {
    if (found === undefined || mount.mountpoint.length >= found.mountpoint.length) found = mount;
  }
  return found;
}

/** `st_dev` of a device that the table of mounts calls MAJOR:MINOR. Source: glibc sys/sysmacros.h, makedev. */
export function deviceNumber(device: string): number {
  const [major, minor] = device.split(":").map(Number) as [number, number];
  return (minor & 0xff) + ((major & 0xfff) << 8) + (minor >>> 8) * 2 ** 20 + (major >>> 12) * 2 ** 44;
}

/** What a live mount tells of itself. @throws {ClipError} `io` when it does not. */
export async function askForStats({ record, socket }: FoundRecord): Promise<MountStats> {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  try {
    const response = await fetch("http://clip/stats.json", { client, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`status ${response.status}: ${(await response.text()).trim()}`);
    return await response.json();
  } catch (error) {
    throw new ClipError(
      "io",
      `process ${record.pid}, which serves ${record.mountpoint}, does not answer: ${messageOf(error)}`,
      { cause: error },
    );
  } finally {
    client.close();
  }
}
