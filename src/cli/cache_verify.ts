import { formatBytes, formatCount, type Logger, messageOf } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { type CachedLayer, countPresent, diskSpanCache } from "../cache/mod.ts";
import { layerKey, type VerifiedCache, verifyCache } from "../content/mod.ts";
import { layersIn } from "./cache_actions.ts";
import type { CommandContext } from "./io.ts";
import { diskCacheDir } from "./open_cache.ts";
import { openArchiveFile } from "./open_archive_file.ts";

/** `clip cache verify`: status 1 where something was damaged. */
export async function verifyWholeCache(
  { archives, cacheDir }: { readonly archives: readonly string[]; readonly cacheDir: string | undefined },
  context: CommandContext,
): Promise<number> {
  const { io, log } = context;
  const folder = diskCacheDir(cacheDir, io);
  const layers = new Map(layersIn(folder).map((layer) => [layer.diffId as string, layer]));
  /** Paths of maps that have been gone through. */
  const checked = new Set<string>();
  let damagedSpans = 0;
  for await (const archive of openAll(archives, folder, context)) {
    for (let layer = 0; layer < archive.image.layers.length; layer++) {
      const key = layerKey(archive, layer);
      const cachedMap = layers.get(key.diffId)?.maps.find(({ partition }) => partition === key.partition);
      if (cachedMap === undefined || checked.has(cachedMap.path)) continue;
      checked.add(cachedMap.path);
      const result = await verifyOne(archive, layer, { folder, log, signal: io.signal });
      io.out(`${key.diffId}: ${describe(result)}\n`);
      damagedSpans += result.damagedSpans;
    }
  }
  tellUnchecked([...layers.values()], checked, context);
  return damagedSpans === 0 ? 0 : 1;
}

/** Archives that are given have to be right; of those that are found, the ones that are not are passed over. */
async function* openAll(given: readonly string[], folder: string, context: CommandContext): AsyncGenerator<Archive> {
  for (const path of given) yield await openArchiveFile(path, context);
  for (const path of await archivesIn(`${folder}/archives`, context.log)) {
    try {
      yield await openArchiveFile(path, context);
    } catch (error) {
      context.log.warn(`cannot use an archive in the cache folder: ${messageOf(error)}`);
    }
  }
}

async function archivesIn(folder: string, log: Logger): Promise<string[]> {
  const paths: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && name.endsWith(".clip") && !name.startsWith(".")) paths.push(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) log.warn(`cannot look for archives: ${messageOf(error)}`);
  }
  return paths.sort();
}

/** Without limits, and not as a use of the layer. */
async function verifyOne(
  archive: Archive,
  layer: number,
  { folder, log, signal }: { folder: string; log: Logger; signal: AbortSignal },
): Promise<VerifiedCache> {
  const cache = diskSpanCache(folder).openLayer(layerKey(archive, layer));
  try {
    return await verifyCache(archive, layer, cache, { log, signal });
  } finally {
    cache.close();
  }
}

function describe({ spans, plainBytes, damagedSpans }: VerifiedCache): string {
  const all = `${formatCount(spans, "span")} of ${formatBytes(plainBytes)}`;
  return damagedSpans === 0 ? `${all}: all right` : `${all}: ${damagedSpans} damaged, and forgotten`;
}

function tellUnchecked(layers: readonly CachedLayer[], checked: ReadonlySet<string>, { io }: CommandContext): void {
  for (const layer of layers) {
    const spans = layer.maps.filter(({ path }) => !checked.has(path)).map(countPresent);
    if (spans.length === 0) continue;
    const number = spans.includes(undefined) ? undefined : spans.reduce<number>((sum, present) => sum + present!, 0);
    if (number === 0) continue;
    io.out(
      `${layer.diffId}: ${number === undefined ? "spans" : formatCount(number, "span")} not checked: ` +
        "no archive that was given or found cuts the layer so\n",
    );
  }
}
