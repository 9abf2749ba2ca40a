import { S_IFREG } from "../src/archive/mod.ts";
import type { Archive } from "../src/archive/mod.ts";
import { planRead } from "../src/content/mod.ts";
import { planRun } from "../src/content/read_plan.ts";
import { SeededRandom } from "../tests/codec/seeded_random.ts";
import { makeBenchImage } from "./bench_image.ts";
import { BenchMount, dropPageCache, indexFromRegistry, openBenchArchive, timeShell } from "./bench_mount.ts";
import { BenchRegistry, blobBytes, type Network, NETWORKS } from "./bench_registry.ts";
import { corpusLayer } from "./corpus.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { type TimedPlace, timeReads } from "./read_places_main.ts";
import { median, quantile } from "./statistics.ts";

const FILES = 1000;
const READ_BYTES = 4096;

/** Reads of 4 KiB from as many files, of a mount with an empty cache. */
export interface ColdReadsRow {
  readonly kind: "random";
  readonly network: string;
  /** All reads, or only those that were the first of their span: the others find it in the cache. */
  readonly reads: "all" | "first of a run";
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the registry, for all reads. */
  readonly requests: number;
  readonly fetchedBytes: number;
  /** Compressed size of the spans that the reads touch. */
  readonly touchedBytes: number;
}

/** A large file from its start to its end, of a mount with an empty cache, and its layer through curl and gzip. */
export interface ColdSequentialRow {
  readonly kind: "sequential";
  readonly network: string;
  readonly fileBytes: number;
  readonly clipMs: number;
  readonly curlMs: number;
  /** How many times as fast clip is. */
  readonly ratio: number;
  readonly clipRunsMs: readonly number[];
  readonly curlRunsMs: readonly number[];
}

/** A row of `cold.json`. */
export type ColdRow = ColdReadsRow | ColdSequentialRow;

/** Cold reads of mounts, near and far from the registry. */
export async function measureColdPart(options: ReportOptions): Promise<ColdRow[]> {
  const registry = await BenchRegistry.start();
  try {
    return [...await measureRandom(registry, options), ...await measureSequential(registry, options)];
  } finally {
    await registry.stop();
  }
}

async function measureRandom(
  registry: BenchRegistry,
  { folder, maxBytes, say }: ReportOptions,
): Promise<ColdRow[]> {
  const layer = await corpusLayer({ content: "image", compressor: "gzip -6", maxBytes });
  await registry.push(await makeBenchImage(`${folder}/image`, [layer]), "image");
  const clip = `${folder}/image.clip`;
  await indexFromRegistry(registry.host, "image", clip);
  const archive = await openBenchArchive(clip);
  const rows: ColdRow[] = [];
  for (const network of [NETWORKS.loopback, NETWORKS.near]) {
    // Without latency the proxy would be a large part of what is measured: its counts come from the other.
    const proxy = network === NETWORKS.loopback ? undefined : await registry.proxy(network);
    const mount = await BenchMount.open(clip, `${folder}/random-${network.latencyMs}`, {
      source: `${proxy?.host ?? registry.host}/bench/image:v1`,
      cacheDir: `${folder}/cache-random-${network.latencyMs}`,
    });
    try {
      const chosen = choosePlaces(archive, mount.directory);
      await proxy?.traffic();
      const times = await timeReads(chosen.places, folder);
      const traffic = await proxy?.traffic();
      const counts = {
        requests: traffic?.blobs.length ?? 0,
        fetchedBytes: traffic === undefined ? 0 : blobBytes(traffic),
        touchedBytes: chosen.touchedBytes,
      };
      for (const reads of ["all", "first of a run"] as const) {
        const some = reads === "all" ? times : times.filter((_, number) => chosen.isFirst[number]);
        const [p50Ms, p99Ms] = [round(quantile(some, 0.5), 2), round(quantile(some, 0.99), 2)];
        rows.push({ kind: "random", network: network.name, reads, count: some.length, p50Ms, p99Ms, ...counts });
        say(`  ${network.name}, 4 KiB, ${some.length} reads (${reads}): p50 ${p50Ms} ms, p99 ${p99Ms} ms`);
      }
      say(`  ${counts.requests} requests, ${counts.fetchedBytes} bytes, of spans touched ${counts.touchedBytes}`);
    } finally {
      await mount.close();
    }
  }
  return rows;
}

/** Random places of random files, and what reading them touches. */
function choosePlaces(
  { tree, layers }: Archive,
  directory: string,
): { places: TimedPlace[]; isFirst: boolean[]; touchedBytes: number } {
  const random = new SeededRandom(4);
  const inodes: number[] = [];
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    if (tree.type(inode) === S_IFREG && tree.sizeBytes(inode) > 0) inodes.push(inode);
  }
  const touched = new Set<number>();
  const places: TimedPlace[] = [];
  const isFirst: boolean[] = [];
  let touchedBytes = 0;
  while (places.length < Math.min(FILES, inodes.length)) {
    const at = random.below(inodes.length);
    const [inode] = inodes.splice(at, 1);
    const sizeBytes = tree.sizeBytes(inode!);
    const offset = random.below(Math.max(1, sizeBytes - READ_BYTES));
    const lengthBytes = Math.min(READ_BYTES, sizeBytes - offset);
    let first = false;
    for (const { layer, plainOffset, lengthBytes: pieceBytes } of planRead(tree, inode!, offset, lengthBytes)) {
      for (const byte of [plainOffset, plainOffset + pieceBytes - 1]) {
        const run = planRun(layers, layer, layers.spanAt(layer, byte), false);
        if (touched.has(run.checkpoint)) continue;
        touched.add(run.checkpoint);
        touchedBytes += run.compressedEndExclusive - run.compressedOffset;
        first = true;
      }
    }
    isFirst.push(first);
    places.push({ path: `${directory}${tree.path(inode!)}`, offset, lengthBytes });
  }
  return { places, isFirst, touchedBytes };
}

async function measureSequential(
  registry: BenchRegistry,
  { folder, maxBytes, rounds, say }: ReportOptions,
): Promise<ColdRow[]> {
  const layer = await corpusLayer({ content: "large", compressor: "gzip -6", maxBytes });
  await registry.push(await makeBenchImage(`${folder}/large`, [layer]), "large");
  const clip = `${folder}/large.clip`;
  await indexFromRegistry(registry.host, "large", clip);
  const rows: ColdRow[] = [];
  for (const network of [NETWORKS.loopback, NETWORKS.near] as readonly Network[]) {
    const host = network === NETWORKS.loopback ? registry.host : (await registry.proxy(network)).host;
    const curlRunsMs: number[] = [];
    const clipRunsMs: number[] = [];
    let fileBytes = 0;
    for (let run = 0; run < rounds; run++) {
      await dropPageCache();
      const url = `http://${host}/v2/bench/large/blobs/${layer.digest}`;
      curlRunsMs.push(round(await timeShell(`curl -s "$1" | gzip -dc > /dev/null`, [url]), 0));
      const cacheDir = `${folder}/cache-sequential`;
      const source = `${host}/bench/large:v1`;
      const mount = await BenchMount.open(clip, `${folder}/sequential`, { source, cacheDir });
      try {
        const file = `${mount.directory}/srv/data/large-0.bin`;
        fileBytes = (await Deno.stat(file)).size;
        clipRunsMs.push(round(await timeShell(`dd if="$1" of=/dev/null bs=1M status=none`, [file]), 0));
      } finally {
        await mount.close();
        await Deno.remove(cacheDir, { recursive: true });
      }
    }
    const [clipMs, curlMs] = [median(clipRunsMs), median(curlRunsMs)];
    const ratio = round(curlMs / clipMs, 2);
    rows.push({ kind: "sequential", network: network.name, fileBytes, clipMs, curlMs, ratio, clipRunsMs, curlRunsMs });
    say(
      `  ${network.name}, ${fileBytes} bytes: clip ${clipMs} ms, curl | gzip -dc ${curlMs} ms: ${ratio} times as fast`,
    );
  }
  return rows;
}
