/** What `clip cache` does, but for verifying. */
import { ClipError, formatBytes, formatCount, messageOf, sleep, UsageError } from "../base/mod.ts";
import {
  type CachedLayer,
  countPresent,
  diskRoom,
  type Evicted,
  evictLayers,
  isInUse,
  listLayers,
  measureRoom,
  removeLayer,
} from "../cache/mod.ts";
import type { CommandContext } from "./io.ts";
import { type CacheChoices, cacheLimits, diskCacheDir } from "./open_cache.ts";

/** Another process that removes layers is waited for so long. */
const EVICTION_TIMEOUT_MS = 10_000;
const EVICTION_PAUSE_MS = 50;

/** Characters of a digest that have to be given at least. */
const MIN_PREFIX = 6;

/** The layers in a folder. @throws {ClipError} `io` where it cannot be read. */
export function layersIn(folder: string): CachedLayer[] {
  try {
    return listLayers(folder).sort((a, b) => b.usedMs - a.usedMs);
  } catch (error) {
    throw new ClipError("io", `cannot read the cache folder ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

/** `clip cache ls` */
export function listCache(
  { cacheDir, json }: { cacheDir: string | undefined; json: boolean },
  { io }: CommandContext,
): void {
  const layers = layersIn(diskCacheDir(cacheDir, io)).map(describe);
  if (json) return io.out(`${JSON.stringify(layers, undefined, 2)}\n`);
  const rows = layers.map((layer) => [
    formatBytes(layer.cachedBytes),
    `of ${formatBytes(layer.plainBytes)}`,
    layer.maps.map(({ present, spans }) => `${present ?? "?"}/${spans}`).join("+") || "0",
    `${layer.lastUse.slice(0, 19).replace("T", " ")}`,
    layer.inUse === undefined ? "?" : layer.inUse ? "in use" : "-",
    layer.diffId,
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    io.out(`${
      row.map((text, column) => column < 3 ? text.padStart(widths[column]!) : text.padEnd(widths[column] ?? 0))
        .join("  ")
    }\n`);
  }
}

function describe(layer: CachedLayer) {
  return {
    diffId: layer.diffId,
    plainBytes: layer.plainBytes,
    cachedBytes: layer.allocatedBytes,
    lastUse: new Date(layer.usedMs).toISOString(),
    inUse: isInUse(layer),
    maps: layer.maps.map((map) => ({ partition: map.partition, spans: map.spans, present: countPresent(map) })),
  };
}

/** `clip cache stat` */
export function statCache(options: CacheChoices & { readonly json: boolean }, { io }: CommandContext): void {
  const folder = diskCacheDir(options.cacheDir, io);
  const layers = layersIn(folder);
  const { maxBytes, reserveBytes } = cacheLimits(folder, options, io);
  const { totalBytes, freeBytes } = diskRoom(folder);
  const facts = {
    folder,
    layers: layers.length,
    layersInUse: layers.filter((layer) => isInUse(layer) === true).length,
    cachedBytes: layers.reduce((sum, layer) => sum + layer.allocatedBytes, 0),
    limitBytes: Math.floor(maxBytes),
    reserveBytes: Math.floor(reserveBytes),
    disk: { totalBytes, freeBytes },
  };
  if (options.json) return io.out(`${JSON.stringify(facts, undefined, 2)}\n`);
  io.out(
    `folder   ${folder}\n` +
      `layers   ${facts.layers}, ${facts.layersInUse} in use\n` +
      `cached   ${formatBytes(facts.cachedBytes)}, limit ${formatBytes(facts.limitBytes)}\n` +
      `disk     ${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}, ` +
      `${formatBytes(facts.reserveBytes)} are to stay free\n`,
  );
}

/** `clip cache gc` */
export async function collectGarbage(
  options: CacheChoices & { readonly allUnused: boolean },
  { io, log }: CommandContext,
): Promise<void> {
  const folder = diskCacheDir(options.cacheDir, io);
  const limits = cacheLimits(folder, options, io);
  if (layersIn(folder).length === 0) return io.out("nothing is cached\n");
  const wantedBytes = options.allUnused ? Infinity : Math.max(0, -measureRoom(folder, limits).room);
  const evicted = await evict(folder, wantedBytes, { io, log });
  const { usedBytes, room } = measureRoom(folder, limits);
  io.out(
    `removed ${formatCount(evicted.layers, "layer")} of ${formatBytes(evicted.bytes)}; ${
      formatBytes(usedBytes)
    } cached\n`,
  );
  if (room < 0) io.out(`${formatBytes(-room)} over the limits: the rest is in use, or other files fill the disk\n`);
}

/** Removes layers that nobody uses, once no other process does. @throws {ClipError} `io` */
async function evict(folder: string, bytes: number, { io, log }: Pick<CommandContext, "io" | "log">): Promise<Evicted> {
  for (const deadline = Date.now() + EVICTION_TIMEOUT_MS; Date.now() < deadline;) {
    io.signal.throwIfAborted();
    try {
      const evicted = evictLayers(folder, bytes, log);
      if (evicted !== undefined) return evicted;
    } catch (error) {
      throw new ClipError("io", `cannot remove layers from ${folder}: ${messageOf(error)}`, { cause: error });
    }
    await sleep(EVICTION_PAUSE_MS, io.signal);
  }
  throw new ClipError("io", `another process removes layers from ${folder}; try again later`);
}

/** `clip cache rm`: status 1 where a layer is in use. */
export function removeFromCache(
  { digests, all, force, cacheDir }: {
    readonly digests: readonly string[];
    readonly all: boolean;
    readonly force: boolean;
    readonly cacheDir: string | undefined;
  },
  { io }: CommandContext,
): number {
  if (all === digests.length > 0) throw new UsageError("give the digests of layers, or --all");
  const folder = diskCacheDir(cacheDir, io);
  const layers = layersIn(folder);
  const chosen = all ? layers : [...new Set(digests.map((digest) => find(layers, digest, folder)))];
  const removed = { layers: 0, bytes: 0 };
  let status = 0;
  for (const layer of chosen) {
    if (remove(layer, force)) {
      removed.layers++;
      removed.bytes += layer.allocatedBytes;
      continue;
    }
    io.err(`clip: ${layer.diffId} is in use; --force removes it all the same\n`);
    status = 1;
  }
  io.out(`removed ${formatCount(removed.layers, "layer")} of ${formatBytes(removed.bytes)}\n`);
  return status;
}

function remove(layer: CachedLayer, force: boolean): boolean {
  try {
    return removeLayer(layer, { force });
  } catch (error) {
    throw new ClipError("io", `cannot remove ${layer.dataPath}: ${messageOf(error)}`, { cause: error });
  }
}

function find(layers: readonly CachedLayer[], text: string, folder: string): CachedLayer {
  const prefix = text.includes(":") ? text : `sha256:${text}`;
  const hexDigits = prefix.length - prefix.indexOf(":") - 1;
  if (hexDigits < MIN_PREFIX) throw new UsageError(`"${text}": give at least ${MIN_PREFIX} digits of the digest`);
  const found = layers.filter(({ diffId }) => diffId.startsWith(prefix));
  if (found.length === 0) throw new ClipError("not_found", `there is no layer ${text} in ${folder}`);
  if (found.length > 1) throw new UsageError(`"${text}" begins the digests of ${found.length} layers: give more of it`);
  return found[0]!;
}
