import { mkdirSync } from "node:fs";
import { ClipError, type Logger, messageOf } from "../base/mod.ts";
import { type CacheLimits, CacheRoom, type CacheRoomObserver } from "./cache_room.ts";
import { DiskLayerCache } from "./disk_layer_cache.ts";
import type { SpanCache } from "./layer_cache.ts";

/** How a cache in a folder is kept. */
export interface DiskSpanCacheOptions {
  /** How large it may get. Without, as large as the disk lets it. */
  readonly limits?: CacheLimits;
  /** Told of what is evicted, and when the cache is full. */
  readonly log?: Logger;
  /** Told of the same, for metrics. */
  readonly observer?: CacheRoomObserver | undefined;
}

/**
 * Layers in a folder, shared by all processes of the machine that use it: for each a sparse file
 * `sha256_<diffId hex>` with the plain bytes at their own offsets, and beside it `<that>.<partition>.map`, one byte a
 * span. Writers need no lock: all of them write the same verified bytes to the same place, and a byte of the map is
 * written after the data it vouches for.
 *
 * Locks are those of LockableFile: a shared one on the whole of the data file says that the layer is in use, and whoever
 * takes files or bytes away needs an exclusive one first; one on byte N of a map is the claim of span N.
 */
export function diskSpanCache(folder: string, { limits, log, observer }: DiskSpanCacheOptions = {}): SpanCache {
  const room = limits === undefined ? undefined : new CacheRoom(folder, limits, log, observer);
  return {
    description: folder,
    openLayer(key, use) {
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        return new DiskLayerCache({ folder, key, room, use });
      } catch (error) {
        throw new ClipError("io", `cannot use the cache folder ${folder}: ${messageOf(error)}`, { cause: error });
      }
    },
  };
}
