/** The disk cache as the command line describes it. */
import { type Logger, parseSize, UsageError } from "../base/mod.ts";
import {
  type CacheLimits,
  type CacheRoomObserver,
  defaultLimits,
  diskSpanCache,
  type SpanCache,
} from "../cache/mod.ts";
import type { Io } from "./io.ts";

/** The values of `cacheOptionFields`. */
export interface CacheChoices {
  readonly cacheDir: string | undefined;
  readonly cacheSize: number | undefined;
  readonly cacheReserve: number | undefined;
}

/** In place of a folder: spans are kept in memory alone. */
export const NO_CACHE_DIR = "none";

/**
 * The cache that is asked for, within its limits; undefined where none is wanted. Touches nothing yet.
 * @throws {UsageError} for what is no size.
 */
export function openCache(
  choices: CacheChoices,
  { io, log, observer }: { io: Pick<Io, "env">; log: Logger; observer?: CacheRoomObserver | undefined },
): SpanCache | undefined {
  if (choices.cacheDir === NO_CACHE_DIR) return undefined;
  const folder = choices.cacheDir ?? defaultCacheDir(io);
  return diskSpanCache(folder, { limits: cacheLimits(folder, choices, io), log, observer });
}

/** The limits of the cache in `folder`. @throws {UsageError} for what is no size. */
export function cacheLimits(folder: string, choices: CacheChoices, io: Pick<Io, "env">): CacheLimits {
  const { maxBytes, reserveBytes } = defaultLimits(folder);
  return {
    maxBytes: choices.cacheSize ?? sizeOf(io, "CLIP_CACHE_SIZE") ?? maxBytes,
    reserveBytes: choices.cacheReserve ?? reserveBytes,
  };
}

function sizeOf(io: Pick<Io, "env">, name: string): number | undefined {
  const text = io.env(name);
  if (text === undefined || text === "") return undefined;
  try {
    return parseSize(text);
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`${name}: ${error.message}`) : error;
  }
}

/** The folder of the cache on the disk, for commands that are about nothing else. @throws {UsageError} for `none`. */
export function diskCacheDir(cacheDir: string | undefined, io: Pick<Io, "env">): string {
  if (cacheDir === NO_CACHE_DIR) throw new UsageError("--cache-dir none: then there is no cache on the disk");
  return cacheDir ?? defaultCacheDir(io);
}

/** The folder for what is kept besides spans: archives, logs. */
export function cacheFolder(cacheDir: string | undefined, io: Pick<Io, "env">): string {
  return cacheDir === undefined || cacheDir === NO_CACHE_DIR ? defaultCacheDir(io) : cacheDir;
}

/** Where fetched layers are kept when nothing is said: $CLIP_CACHE_DIR, $XDG_CACHE_HOME/clip or ~/.cache/clip. */
export function defaultCacheDir(io: Pick<Io, "env">): string {
  const own = io.env("CLIP_CACHE_DIR");
  if (own !== undefined && own !== "") return own;
  const base = io.env("XDG_CACHE_HOME");
  if (base?.startsWith("/")) return `${base}/clip`;
  const home = io.env("HOME");
  if (home === undefined || home === "") {
    throw new UsageError("cannot tell where to keep fetched layers: give --cache-dir, or set CLIP_CACHE_DIR or HOME");
  }
  return `${home}/.cache/clip`;
}
