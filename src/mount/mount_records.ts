/**
 * Which mounts are alive on this machine: a folder with a record for each, beside the Unix socket on which its process
 * tells of itself. A record counts as long as somebody listens on the socket, which the kernel sees to: also after
 * kill -9, and across process namespaces, where numbers of processes mean nothing.
 */
import { Buffer } from "node:buffer";
import { messageOf, sha256Bytes, writeFileAtomically } from "../base/mod.ts";
import { isListening } from "../metrics/mod.ts";

/** A live mount as its record tells of it. */
export interface MountRecord {
  /** Of the process that serves it. */
  readonly pid: number;
  /** Absolute, without symlinks, as that process sees it. */
  readonly mountpoint: string;
  /** `st_dev` of everything in the mount: the same whatever path leads there. */
  readonly device: number;
  /** The archive's file. */
  readonly archive: string;
  /** Where the layers are fetched: a pinned image reference. */
  readonly image: string;
  /** Of the image. */
  readonly manifestDigest: string;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  /** Of clip. */
  readonly version: string;
  /** Whoever starts the next server when this one ends; left out where nobody does. */
  readonly supervisor?: MountSupervisor;
}

/** The supervisor of a mount, as its record tells of it. */
export interface MountSupervisor {
  /** Of its process. */
  readonly pid: number;
  /** Of its files. */
  readonly folder: string;
  /** Whether it starts an executable of clip, and not Deno with the source: the arguments differ. */
  readonly isStandalone: boolean;
}

/** A record, and where its mount answers. */
export interface FoundRecord {
  /** What it says. */
  readonly record: MountRecord;
  /** Path of the Unix socket. */
  readonly socket: string;
}

/** A socket's path and a NUL must fit into 108 bytes. Source: unix(7), sun_path. */
const MAX_SOCKET_PATH_BYTES = 107;
/** Younger files may belong to a mount that is being made. */
const SWEEP_AFTER_MS = 10_000;

/**
 * The folders in which records may be, best first: $CLIP_RUNTIME_DIR alone where it is set; else for root /run/clip, for
 * users clip in $XDG_RUNTIME_DIR and /run/user/UID; and for either `run` in the default cache folder.
 */
export function runtimeFolders(
  { env, uid, cacheDir }: {
    env: (name: string) => string | undefined;
    uid: number | null;
    cacheDir: string | undefined;
  },
): string[] {
  const own = env("CLIP_RUNTIME_DIR");
  if (own !== undefined && own !== "") return [own];
  const folders = uid === 0 ? ["/run/clip"] : [];
  const session = env("XDG_RUNTIME_DIR");
  if (uid !== 0 && session?.startsWith("/")) folders.push(`${session}/clip`);
  if (uid !== 0 && isFolder(`/run/user/${uid}`)) folders.push(`/run/user/${uid}/clip`);
  if (cacheDir !== undefined) folders.push(`${cacheDir}/run`);
  return [...new Set(folders)];
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Where the record and the socket of a mount go. */
export interface RecordPlace {
  /** Path of the Unix socket. */
  readonly socket: string;
  /** Path of the record. */
  readonly record: string;
}

/**
 * Makes the first of the folders that can be made, for this user alone, and names files in it for a mount of this
 * process. @throws {Error} where none will do, saying why.
 */
export async function placeRecord(mountpoint: string, folders: readonly string[]): Promise<RecordPlace> {
  const reasons: string[] = [];
  const hash = Buffer.from(sha256Bytes(new TextEncoder().encode(mountpoint))).toString("hex").slice(0, 12);
  for (const folder of folders) {
    const base = `${folder}/${hash}-${Deno.pid}`;
    try {
      if (new TextEncoder().encode(`${base}.sock`).length > MAX_SOCKET_PATH_BYTES) {
        throw new Error("the path is too long");
      }
      await makePrivateFolder(folder);
      return { socket: `${base}.sock`, record: `${base}.json` };
    } catch (error) {
      reasons.push(`${folder}: ${messageOf(error)}`);
    }
  }
  throw new Error(reasons.join("; ") || "there is no folder for it: set CLIP_RUNTIME_DIR");
}

/** Makes a folder for this user alone, unless it is there. @throws {Error} where it is somebody else's. */
export async function makePrivateFolder(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await Deno.lstat(folder);
  if (uid !== Deno.uid()) throw new Error("it belongs to another user");
  if (mode !== null && (mode & 0o22) !== 0) throw new Error("others may write there");
}

/** Writes a record; somebody must be listening on the socket already. */
export async function writeRecord(place: RecordPlace, record: MountRecord): Promise<void> {
  await writeFileAtomically(place.record, [new TextEncoder().encode(`${JSON.stringify(record)}\n`)]);
}

/** The records of all live mounts in the folders, in the order of their beginning. Takes away what dead ones left. */
export async function liveMounts(folders: readonly string[]): Promise<FoundRecord[]> {
  const found: FoundRecord[] = [];
  for (const folder of folders) {
    const names = await namesIn(folder);
    for (const name of names) {
      const path = `${folder}/${name}`;
      const socket = path.replace(/\.(json|sock)$/, ".sock");
      if (!/^[0-9a-f]{12}-\d+\.(json|sock)$/.test(name)) {
        if (/^\..*\.tmp$/.test(name)) await removeOld(path);
      } else if (!await isListening(socket)) {
        await removeOld(path);
      } else if (name.endsWith(".json")) {
        const record = await readRecord(path);
        if (record !== undefined) found.push({ record, socket });
      }
    }
  }
  return found.sort((a, b) => a.record.startedAt < b.record.startedAt ? -1 : 1);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  } catch {
    // None was ever made there.
    return [];
  }
}

async function removeOld(path: string): Promise<void> {
  const info = await Deno.lstat(path).catch(() => undefined);
  if (info?.mtime && Date.now() - info.mtime.getTime() > SWEEP_AFTER_MS) await Deno.remove(path).catch(() => {});
}

async function readRecord(path: string): Promise<MountRecord | undefined> {
  try {
    const record = JSON.parse(await Deno.readTextFile(path));
    const { pid, mountpoint, device, startedAt } = record;
    const isRecord = [pid, device].every(Number.isSafeInteger) &&
      [mountpoint, startedAt].every((text) => typeof text === "string");
    return isRecord ? record : undefined;
  } catch {
    // Taken away meanwhile, or of no clip.
    return undefined;
  }
}
