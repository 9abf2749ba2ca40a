import { formatBytes, GIB, type Logger, messageOf, MIB, SILENT } from "../base/mod.ts";
import { diskRoom, listLayers, removeLayer } from "./cache_folder.ts";
import { LockableFile, WHOLE_FILE } from "./lockable_file.ts";

/** The folder is looked at each time so much has been written, or a sixteenth of the limit where that is less. */
const LOOK_EACH_BYTES = 64 * MIB;
/** A cache that is full is looked at again after this time. */
const FULL_REST_MS = 1000;
/** That it is full is told again after this time, if it still is or is again. */
const TELL_EACH_MS = 10 * 60_000;
/** Who has a lock on this file may remove layers. */
const EVICTION_LOCK = "eviction.lock";

/** How much of a disk a cache may take. */
export interface CacheLimits {
  /** What data files and maps may take together. */
  readonly maxBytes: number;
  /** What must stay free on the disk. */
  readonly reserveBytes: number;
}

/**
 * The limits for a folder where nothing is said: the smaller of 10 GiB and a tenth of its disk, and a reserve of the
 * smaller of 1 GiB and a twentieth. @throws {Error} where the disk cannot be asked.
 */
export function defaultLimits(folder: string): CacheLimits {
  const { totalBytes } = diskRoom(folder);
  return { maxBytes: Math.min(10 * GIB, totalBytes / 10), reserveBytes: Math.min(GIB, totalBytes / 20) };
}

/**
 * What the cache in a folder takes of the disk, and what it may take beyond: less than nothing where it is over a limit.
 * In bytes. @throws {Error} where the folder or the disk cannot be looked at.
 */
export function measureRoom(folder: string, limits: CacheLimits): { usedBytes: number; room: number } {
  const usedBytes = listLayers(folder).reduce((sum, layer) => sum + layer.allocatedBytes, 0);
  const { maxBytes, reserveBytes } = limits;
  return { usedBytes, room: Math.min(maxBytes - usedBytes, diskRoom(folder).freeBytes - reserveBytes) };
}

/** A layer that this process has open, and that can lose single spans. */
export interface PunchableLayer {
  /**
   * Gives up to about `bytes` back to the disk, of spans that were not touched since the last call; the bytes given back,
   * 0 where others use the layer as well. Never throws.
   */
  punch(bytes: number): number;
}

/** Told of what is done to keep a cache within its limits, for metrics. Calls must neither throw nor take long. */
export interface CacheRoomObserver {
  /** Layers and spans were taken away, so many bytes. */
  onEvicted?(bytes: number): void;
  /** There was no room for so many bytes, and they are not kept. */
  onRefused?(bytes: number): void;
}

/** Keeps a cache folder within its limits. */
export class CacheRoom {
  #folder: string;
  #limits: CacheLimits;
  #lookEachBytes: number;
  #log: Logger;
  #observer: CacheRoomObserver;
  #layers = new Set<PunchableLayer>();
  /** What may be written before the folder is looked at again. */
  #allowedBytes = 0;
  #fullUntil = 0;
  #toldAt = -Infinity;

  /** Looks at nothing yet. */
  constructor(folder: string, limits: CacheLimits, log: Logger = SILENT, observer: CacheRoomObserver = {}) {
    this.#folder = folder;
    this.#limits = limits;
    this.#lookEachBytes = Math.min(LOOK_EACH_BYTES, limits.maxBytes / 16);
    this.#log = log;
    this.#observer = observer;
  }

  /** Tells of a layer that is open now. */
  add(layer: PunchableLayer): void {
    this.#layers.add(layer);
  }

  /** Tells of a layer that is closed now. */
  delete(layer: PunchableLayer): void {
    this.#layers.delete(layer);
  }

  /** Whether `bytes` more may be written: looks at the folder now and then, and makes room. Never throws. */
  admit(bytes: number): boolean {
    const isAdmitted = this.#admit(bytes);
    if (!isAdmitted) this.#observer.onRefused?.(bytes);
    return isAdmitted;
  }

  #admit(bytes: number): boolean {
    if (bytes <= this.#allowedBytes) {
      this.#allowedBytes -= bytes;
      return true;
    }
    const now = Date.now();
    if (now < this.#fullUntil) return false;
    try {
      this.#look(bytes);
    } catch (error) {
      this.#log.warn(`cannot tell how much room the cache takes: ${messageOf(error)}`, { folder: this.#folder });
      this.#allowedBytes = Math.max(bytes, this.#lookEachBytes);
    }
    if (bytes <= this.#allowedBytes) {
      this.#allowedBytes -= bytes;
      return true;
    }
    this.#fullUntil = now + FULL_REST_MS;
    this.#tell(now);
    return false;
  }

  /** The disk itself had no room for `bytes`, whatever the limits say: makes some; whether it could. Never throws. */
  onDiskFull(bytes: number): boolean {
    this.#allowedBytes = 0;
    const hasRoom = this.#makeRoom(bytes);
    if (!hasRoom) this.#observer.onRefused?.(bytes);
    return hasRoom;
  }

  #makeRoom(bytes: number): boolean {
    const now = Date.now();
    if (now < this.#fullUntil) return false;
    try {
      if (this.#free(bytes) >= bytes) return true;
    } catch (error) {
      this.#log.warn(`cannot make room in the cache: ${messageOf(error)}`, { folder: this.#folder });
    }
    this.#fullUntil = now + FULL_REST_MS;
    this.#tell(now);
    return false;
  }

  /** Sets what may be written now, having made room for `bytes` if need be. */
  #look(bytes: number): void {
    let { room, usedBytes } = measureRoom(this.#folder, this.#limits);
    if (room < bytes) {
      // A little more than is needed, so that not every span that follows has to make room for itself.
      const ahead = Math.min(this.#lookEachBytes, usedBytes / 16);
      // Not measured anew: what others have been allowed and write only now would count against this one.
      room += this.#free(bytes - room + ahead);
    }
    this.#allowedBytes = Math.max(0, Math.min(room, Math.max(bytes, this.#lookEachBytes)));
  }

  /** Gives about `bytes` back to the disk: whole layers that nobody uses, then spans of this process's own. */
  #free(bytes: number): number {
    let freed = 0;
    try {
      freed = evictLayers(this.#folder, bytes, this.#log)?.bytes ?? 0;
    } catch (error) {
      // Spans of this process's own can go all the same.
      this.#log.warn(`cannot evict layers from the cache: ${messageOf(error)}`, { folder: this.#folder });
    }
    // The first round spares what was touched since the last time, the second what is touched meanwhile.
    for (let round = 0; round < 2; round++) {
      for (const layer of this.#layers) if (freed < bytes) freed += layer.punch(bytes - freed);
    }
    if (freed > 0) this.#observer.onEvicted?.(freed);
    this.#log.debug("made room in the cache", { folder: this.#folder, wantedBytes: bytes, freedBytes: freed });
    return freed;
  }

  #tell(now: number): void {
    if (now < this.#toldAt + TELL_EACH_MS) return;
    this.#toldAt = now;
    const { maxBytes, reserveBytes } = this.#limits;
    this.#log.warn(
      `the cache is full, and all of it is in use: what is read now is not kept (limit ${formatBytes(maxBytes)}, ` +
        `${formatBytes(reserveBytes)} of the disk are to stay free)`,
      { folder: this.#folder },
    );
  }
}

/** What went to make room. */
export interface Evicted {
  /** How many layers. */
  readonly layers: number;
  /** What their files took of the disk. */
  readonly bytes: number;
}

/**
 * Removes layers that nobody uses, those used longest ago first, until `bytes` are given back; what went. Undefined
 * where another process is at the same just now. @throws {Error} where the folder cannot be read or changed.
 */
export function evictLayers(folder: string, bytes: number, log: Logger): Evicted | undefined {
  const lock = new LockableFile(`${folder}/${EVICTION_LOCK}`, { create: true });
  const evicted = { layers: 0, bytes: 0 };
  try {
    if (lock.lock("exclusive", WHOLE_FILE) === "held") return undefined;
    for (const layer of listLayers(folder).sort((a, b) => a.usedMs - b.usedMs)) {
      if (evicted.bytes >= bytes) break;
      try {
        if (!removeLayer(layer)) continue;
      } catch (error) {
        // Another user's, mostly. Others can go all the same.
        log.warn(`a layer in the cache cannot be evicted: ${messageOf(error)}`, { layer: layer.diffId });
        continue;
      }
      evicted.layers++;
      evicted.bytes += layer.allocatedBytes;
      log.info("evicted a layer from the cache", { layer: layer.diffId, bytes: layer.allocatedBytes });
    }
    return evicted;
  } finally {
    lock.close();
  }
}
