import { isServerGone, type MountEntry, readMounts } from "../fuse/mod.ts";
import { type FoundRecord, liveMounts } from "../mount/mod.ts";
import type { Io } from "./io.ts";
import { deviceNumber, mountFolders } from "./live_mounts.ts";

/** A mount that does not answer by then is listed so. */
const ANSWER_TIMEOUT_MS = 2000;

/**
 * - `alive`: it answers.
 * - `dead`: nobody serves it any more; `clip unmount` takes it away, `clip mount` replaces it.
 * - `silent`: somebody holds its connection and does not answer.
 * - `elsewhere`: it is served, in another mount namespace.
 */
export type MountState = "alive" | "dead" | "silent" | "elsewhere";

/** A mount of clip, as far as it is known. */
export interface ListedMount {
  /** Absolute, without symlinks. */
  readonly mountpoint: string;
  /** What became of it. */
  readonly state: MountState;
  /** How it tells of itself; undefined when dead, or when it belongs to another user. */
  readonly found: FoundRecord | undefined;
  /** Number of the user who mounted it; undefined for mounts elsewhere. */
  readonly uid: number | undefined;
}

/**
 * All mounts of clip that this process can see, in the order they were made, and then those that this user's processes
 * serve in other mount namespaces. Takes two seconds where one is silent.
 */
export async function listMounts(io: Pick<Io, "env">): Promise<ListedMount[]> {
  const [mounts, records] = await Promise.all([readMounts(), liveMounts(mountFolders(io))]);
  const here = mounts.filter(({ type }) => type === "fuse.clip");
  const listed = here.map(async (mount) => {
    const device = deviceNumber(mount.device);
    const found = records.find(({ record }) => record.device === device);
    return { mountpoint: mount.mountpoint, state: await stateOf(mount), found, uid: ownerOf(mount) };
  });
  const devices = new Set(here.map(({ device }) => deviceNumber(device)));
  const elsewhere = records.filter(({ record }) => !devices.has(record.device)).map((found) => {
    return { mountpoint: found.record.mountpoint, state: "elsewhere", found, uid: undefined } as const;
  });
  return [...await Promise.all(listed), ...elsewhere];
}

async function stateOf({ mountpoint }: MountEntry): Promise<MountState> {
  return await isServerGone(mountpoint, ANSWER_TIMEOUT_MS).then((isGone) => isGone ? "dead" : "alive", () => "silent");
}

/** Source: Linux Documentation/filesystems/fuse.rst, "Mount options". */
function ownerOf({ options }: MountEntry): number | undefined {
  const option = options.find((option) => option.startsWith("user_id="));
  return option === undefined ? undefined : Number(option.slice("user_id=".length));
}
