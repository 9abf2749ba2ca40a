import { lstatSync, readdirSync, readSync, statfsSync, unlinkSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Digest, MIB } from "../base/mod.ts";
import { LockableFile, WHOLE_FILE } from "./lockable_file.ts";

/** Names of data files and maps; nothing else in the folder is the cache's. */
const FILE_NAME = /^(sha256_[0-9a-f]{64}|sha512_[0-9a-f]{128})(?:\.([0-9a-f]{16})\.map)?$/;
/** Marks a span as present in a map file. */
export const PRESENT = 1;
/** Blocks of `stat` are of so many bytes, whatever the file system's are. */
export const STAT_BLOCK_BYTES = 512;

/** What is kept of one layer. */
export interface CachedLayer {
  /** Digest of the plain layer. */
  readonly diffId: Digest;
  /** Its data file, which may be missing when somebody has removed it. */
  readonly dataPath: string;
  /** Length of the plain layer, 0 without a data file. */
  readonly plainBytes: number;
  /** What data file and maps take of the disk. */
  readonly allocatedBytes: number;
  /** Milliseconds since 1970 when it was last opened, written or closed. */
  readonly usedMs: number;
  /** Its maps, each of an archive's, or several archives', way to cut it. */
  readonly maps: readonly CachedMap[];
}

/** A map file: which spans are present. */
export interface CachedMap {
  /** That way, as LayerKey has it. */
  readonly partition: string;
  /** Where it is. */
  readonly path: string;
  /** Number of spans. */
  readonly spans: number;
}

/**
 * The layers in a folder, in no order. What has another name, or is not a file, is passed over; a folder that is not
 * there holds none. What other processes remove meanwhile may be missing. @throws {Error} where it cannot be read.
 */
export function listLayers(folder: string): CachedLayer[] {
  const layers = new Map<string, CachedLayer & { maps: CachedMap[] }>();
  for (const name of namesIn(folder)) {
    const match = FILE_NAME.exec(name);
    if (match === null) continue;
    const path = `${folder}/${name}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || !stat.isFile()) continue;
    const [, dataName, partition] = match;
    const diffId = dataName!.replace("_", ":") as Digest;
    const before = layers.get(dataName!);
    layers.set(dataName!, {
      diffId,
      dataPath: `${folder}/${dataName}`,
      plainBytes: partition === undefined ? stat.size : before?.plainBytes ?? 0,
      allocatedBytes: (before?.allocatedBytes ?? 0) + stat.blocks * STAT_BLOCK_BYTES,
      usedMs: Math.max(before?.usedMs ?? 0, stat.mtimeMs),
      maps: [...before?.maps ?? [], ...partition === undefined ? [] : [{ partition, path, spans: stat.size }]],
    });
  }
  return [...layers.values()];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw error;
  }
}

/** Longer maps are nobody's: a layer of a terabyte has some hundred thousand spans. */
const MAX_MAP_BYTES = 16 * MIB;

/** How many spans a map says are present; undefined where it cannot be read, or is no map of clip's. */
export function countPresent({ path }: CachedMap): number | undefined {
  let file: LockableFile;
  try {
    file = new LockableFile(path, { create: false });
  } catch {
    return undefined;
  }
  try {
    const bytes = file.sizeBytes();
    if (bytes > MAX_MAP_BYTES) return undefined;
    const map = new Uint8Array(bytes);
    readSync(file.descriptor, map, 0, bytes, 0);
    return map.reduce((count, byte) => count + (byte === PRESENT ? 1 : 0), 0);
  } catch {
    return undefined;
  } finally {
    file.close();
  }
}

/** Whether a process has the layer open, a live mount for one; undefined where that cannot be found out. */
export function isInUse({ dataPath }: CachedLayer): boolean | undefined {
  let file: LockableFile;
  try {
    file = new LockableFile(dataPath, { create: false });
  } catch {
    return lstatSync(dataPath, { throwIfNoEntry: false }) === undefined ? false : undefined;
  }
  try {
    return file.isLockedElsewhere(WHOLE_FILE);
  } finally {
    file.close();
  }
}

/**
 * Removes a layer's files, maps first, so that no map is left that vouches for bytes that are gone; whether it did. One
 * in use is left alone, but with `force`: who has it open keeps what he has, and others begin anew.
 * @throws {Error} where a file cannot be removed.
 */
export function removeLayer(layer: CachedLayer, { force = false } = {}): boolean {
  const data = openExisting(layer.dataPath);
  try {
    if (data !== undefined && !force) {
      if (data.lock("exclusive", WHOLE_FILE) !== "granted" || !data.isAt(layer.dataPath)) return false;
    }
    removeMaps(layer.dataPath);
    remove(layer.dataPath);
    return true;
  } finally {
    data?.close();
  }
}

function openExisting(path: string): LockableFile | undefined {
  try {
    return new LockableFile(path, { create: false });
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    throw error;
  }
}

/** Removes the maps of the layer with that data file, but for the one at `kept`. For who has the layer alone. */
export function removeMaps(dataPath: string, kept?: string): void {
  const slash = dataPath.lastIndexOf("/");
  const [folder, dataName] = [dataPath.slice(0, slash), dataPath.slice(slash + 1)];
  for (const name of namesIn(folder)) {
    const match = FILE_NAME.exec(name);
    const path = `${folder}/${name}`;
    if (match?.[1] === dataName && match[2] !== undefined && path !== kept) remove(path);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
}

/** Room on a disk, in bytes. */
export interface DiskRoom {
  /** All there is. */
  readonly totalBytes: number;
  /** What those who are not root can still write. */
  readonly freeBytes: number;
}

/** Room on the disk of a folder, or of the nearest above it that can be asked. @throws {Error} where none can. */
export function diskRoom(folder: string): DiskRoom {
  for (let path = resolve(folder);; path = dirname(path)) {
    try {
      const { bsize, blocks, bavail } = statfsSync(path);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    } catch (error) {
      if (path === "/") throw error;
    }
  }
}
