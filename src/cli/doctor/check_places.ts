/** Checks of the folders that clip writes to, and of the mounts that are there. */
import { formatBytes, messageOf } from "../../base/mod.ts";
import { type CacheLimits, diskRoom, measureRoom } from "../../cache/mod.ts";
import { makePrivateFolder } from "../../mount/mod.ts";
import type { ListedMount } from "../list_mounts.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";

/** Whether fetched data can be kept. Makes the folder, as the first mount would. */
export async function checkCache(folder: string, limitsOf: (folder: string) => CacheLimits): Promise<Finding> {
  const why = await whyNotWritable(folder);
  const elsewhere = "give --cache-dir, or set CLIP_CACHE_DIR";
  if (why !== undefined) {
    return fail("cache", `${folder} cannot be written to (${why})`, `make it writable; ${elsewhere}`);
  }
  try {
    const limits = limitsOf(folder);
    const { usedBytes } = measureRoom(folder, limits);
    const { freeBytes } = diskRoom(folder);
    const says = `${folder}, ${formatBytes(usedBytes)} of ${formatBytes(limits.maxBytes)}, ` +
      `${formatBytes(freeBytes)} free on the disk, of which ${formatBytes(limits.reserveBytes)} stay free`;
    if (freeBytes > limits.reserveBytes) return ok("cache", says);
    return warn(
      "cache",
      says,
      `the disk is full and little is kept: make room, lower --cache-reserve, or ${elsewhere}`,
    );
  } catch (error) {
    return warn("cache", `${folder}: its disk cannot be asked (${messageOf(error)})`, elsewhere);
  }
}

/** Whether mounts can be found again. */
export async function checkRuntimeFolder(folders: readonly string[]): Promise<Finding> {
  const reasons: string[] = [];
  for (const folder of folders) {
    const why = await makePrivateFolder(folder).then(() => whyNotWritable(folder), messageOf);
    if (why === undefined) return ok("runtime folder", folder);
    reasons.push(`${folder}: ${why}`);
  }
  const says = reasons.length === 0 ? "there is none" : reasons.join("; ");
  return fail("runtime folder", says, "clip mount --daemon and clip stats need one: set CLIP_RUNTIME_DIR");
}

async function whyNotWritable(folder: string): Promise<string | undefined> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await Deno.makeTempFile({ dir: folder, prefix: ".doctor-", suffix: ".tmp" });
    await Deno.remove(file);
    return undefined;
  } catch (error) {
    const { code } = error as { code?: unknown };
    return typeof code === "string" ? code : messageOf(error);
  }
}

/** Whether mounts are left that nobody serves. */
export function checkMounts(mounts: readonly ListedMount[]): Finding[] {
  const here = mounts.filter(({ state }) => state !== "elsewhere");
  const broken = here.filter(({ state }) => state !== "alive").map(({ mountpoint, state }) =>
    state === "dead"
      ? fail("mount", `nobody serves ${mountpoint} any more`, `clip unmount --lazy ${mountpoint}`)
      : fail("mount", `${mountpoint} does not answer`, `see its log; clip unmount --lazy ${mountpoint} takes it away`)
  );
  return broken.length > 0 ? broken : [ok("mounts", `${here.length}, and all answer`)];
}
