/** Images whose files' bytes are known, as Content objects over memory. */
import { SILENT } from "../../src/base/mod.ts";
import type { Archive } from "../../src/archive/mod.ts";
import { diskSpanCache, type LayerCache, type SpanCache } from "../../src/cache/mod.ts";
import { Content, type ContentOptions } from "../../src/content/mod.ts";
import type { ScanLayerOptions } from "../../src/indexer/mod.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import {
  archiveOf,
  gzipLayer,
  type MemoryLayer,
  oneBlockLayer,
  programLike,
  SMALL_SPANS,
  tarLayer,
} from "../indexer/memory_image.ts";
import { WatchedSource } from "../indexer/watched_source.ts";
import { join, paxHeader, tarEntry } from "../tar/tar_builder.ts";

/** An archive, its sources and the contents of its files by path. */
export interface Sample {
  readonly archive: Archive;
  readonly sources: WatchedSource[];
  readonly layers: readonly MemoryLayer[];
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const made = new Map<string, Promise<Sample>>();

/** A sample that is made once, with sources of the caller's own. */
async function once(name: string, make: () => Promise<Sample>): Promise<Sample> {
  let sample = made.get(name);
  if (sample === undefined) made.set(name, sample = make());
  const { archive, layers, files } = await sample;
  return { archive, layers, files, sources: layers.map(({ blob }, i) => new WatchedSource(blob, `blob ${i}`)) };
}

/** Two gzip layers and an uncompressed one, about 3 MB: small and large files, hard links, a sparse file. */
export function makeSample(options: ScanLayerOptions = SMALL_SPANS): Promise<Sample> {
  return once(JSON.stringify(options), () => buildSample(options));
}

async function buildSample(options: ScanLayerOptions): Promise<Sample> {
  const random = new SeededRandom(21);
  const files = new Map<string, Uint8Array>();
  const file = (path: string, length: number) => {
    const data = programLike(length, random);
    files.set(`/${path}`, data);
    return { path, data };
  };
  const layers = [
    gzipLayer(
      ...Array.from({ length: 40 }, (_, i) => file(`small/${i}`, random.below(6000))),
      file("large", 1_100_000),
      file("empty", 0),
      { path: "same", type: "1", linkName: "large" },
    ),
    tarLayer(file("plain/a", 700_000), file("plain/b", 12_345), sparseEntry(files)),
    gzipLayer(file("upper", 500_000), { path: "link", type: "2", linkName: "upper" }),
  ];
  files.set("/same", files.get("/large")!);
  return { ...await archiveOf(layers, options), layers, files };
}

/** A file of 300,000 bytes with data at 0, at 100,000 and at its end. */
function sparseEntry(files: Map<string, Uint8Array>): Uint8Array {
  const random = new SeededRandom(22);
  const bytes = new Uint8Array(300_000);
  const runs = [[0, 700], [100_000, 70_000], [299_999, 1]] as const;
  const stored = join(...runs.map(([at, length]) => {
    const data = random.bytes(length);
    bytes.set(data, at);
    return data;
  }));
  files.set("/sparse", bytes);
  const pax = paxHeader({
    "GNU.sparse.major": "0",
    "GNU.sparse.minor": "1",
    "GNU.sparse.name": "sparse",
    "GNU.sparse.size": `${bytes.length}`,
    "GNU.sparse.numblocks": "3",
    "GNU.sparse.map": runs.flat().join(","),
  });
  return join(pax, tarEntry({ path: "GNUSparseFile.0/sparse", data: stored }));
}

/** An image of one huge file in one deflate block of 14 MB: its spans, 4 MiB each, share one checkpoint. */
export function makeOneBlockSample(): Promise<Sample> {
  return once("one block", buildOneBlockSample);
}

async function buildOneBlockSample(): Promise<Sample> {
  const layer = oneBlockLayer(14_000_000, new SeededRandom(23));
  const sizeBytes = Number.parseInt(new TextDecoder().decode(layer.plain.subarray(124, 135)), 8);
  const files = new Map([["/huge", layer.plain.subarray(512, 512 + sizeBytes)]]);
  return { ...await archiveOf([layer]), layers: [layer], files };
}

/** A content over a sample; it decodes in place if nothing else is said, since a Worker takes longer to start. */
export function openSample(
  { archive, sources }: Pick<Sample, "archive" | "sources">,
  options: Partial<ContentOptions> & Pick<ContentOptions, "cache">,
): Content {
  return new Content({
    archive,
    blob: (layer) => sources[layer]!,
    useCheckpoints: true,
    decodeWorkers: 0,
    log: SILENT,
    ...options,
  });
}

/** Runs `work` with a disk cache in a folder that is gone afterwards. */
export async function withCacheFolder(work: (folder: string, cache: SpanCache) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-content-" });
  try {
    await work(folder, diskSpanCache(`${folder}/cache`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A cache that keeps nothing, as when there is none. */
export const NO_CACHE: SpanCache = {
  description: "nothing",
  openLayer: () => {
    throw new Error("no cache");
  },
};

/** A cache whose layers do as `change` says, and else as those of `cache`. */
export function changedCache(cache: SpanCache, change: Partial<LayerCache>): SpanCache {
  return {
    description: "changed",
    openLayer(key) {
      const layer = cache.openLayer(key);
      return {
        dataPath: layer.dataPath,
        openPath: layer.openPath,
        has: (span) => layer.has(span),
        read: (plainOffset, target) => layer.read(plainOffset, target),
        write: (span, plainOffset, bytes) => layer.write(span, plainOffset, bytes),
        admit: (first, end) => layer.admit(first, end),
        note: (first, end) => layer.note(first, end),
        forget: (span) => layer.forget(span),
        claim: (span) => layer.claim(span),
        release: (span) => layer.release(span),
        close: () => layer.close(),
        ...change,
      };
    },
  };
}

/** Reads [offset, offset + length) of the file at `path`. */
export async function readFile(content: Content, path: string, offset = 0, length = 1 << 24): Promise<Uint8Array> {
  const { tree } = content.archive;
  const inode = tree.find(path)!;
  const room = Math.max(0, Math.min(length, tree.sizeBytes(inode) - offset));
  const target = new Uint8Array(room + 32).fill(0xa5);
  const bytes = await content.read(inode, offset, length, target, 16);
  for (const i of [0, 15, 16 + bytes, target.length - 1]) {
    if (target[i] !== 0xa5) throw new Error(`byte ${i} beside the target was written`);
  }
  return target.subarray(16, 16 + bytes);
}
