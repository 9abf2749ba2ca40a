import { SILENT } from "../src/base/mod.ts";
import { type Archive, S_IFREG } from "../src/archive/mod.ts";
import { diskSpanCache } from "../src/cache/mod.ts";
import { Content, planRead } from "../src/content/mod.ts";
import { planRun } from "../src/content/read_plan.ts";
import { layerDescriptor } from "../src/library/mod.ts";
import { openBlobStore, parseImageReference } from "../src/oci/mod.ts";
import { SeededRandom } from "../tests/codec/seeded_random.ts";
import { FILE_CHECKPOINT_BYTES } from "./measure_index.ts";
import { mean, quantile } from "./statistics.ts";

/** What is read. */
export const READ_KINDS = ["start of a large file", "small file", "random offset"] as const;

/** One of {@linkcode READ_KINDS}. */
export type ReadKind = (typeof READ_KINDS)[number];

/** Bytes asked for by each read. */
export const READ_BYTES = 4096;

/** A place to read from. */
export interface ReadPlace {
  readonly inode: number;
  readonly offset: number;
}

/** What one cold read cost. */
export interface ReadCost {
  readonly ms: number;
  /** Compressed bytes asked for. */
  readonly fetchedBytes: number;
  /** Plain bytes decoded, what was asked for included: a span is verified as a whole. */
  readonly decodedBytes: number;
  /** Plain bytes decoded before the first one that was asked for. */
  readonly decodedBeforeBytes: number;
}

/** What the reads of one kind cost. */
export interface ReadFigures {
  readonly reads: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly meanFetchedBytes: number;
  readonly meanDecodedBytes: number;
  readonly meanDecodedBeforeBytes: number;
  readonly maxDecodedBeforeBytes: number;
}

/** `count` places, or all there are where there are fewer files; the same for archives of one image. */
export function choosePlaces({ tree }: Archive, kind: ReadKind, count: number): ReadPlace[] {
  const random = new SeededRandom(READ_KINDS.indexOf(kind) + 1);
  const inodes: number[] = [];
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    const size = tree.type(inode) === S_IFREG ? tree.sizeBytes(inode) : 0;
    if (kind === "small file" ? size > 0 && size < FILE_CHECKPOINT_BYTES : size >= FILE_CHECKPOINT_BYTES) {
      inodes.push(inode);
    }
  }
  if (inodes.length === 0) return [];
  return Array.from({ length: count }, () => {
    const inode = inodes[random.below(inodes.length)]!;
    return { inode, offset: kind === "random offset" ? random.below(tree.sizeBytes(inode) - READ_BYTES) : 0 };
  });
}

/** Reads the places of an image one after another, each with nothing cached: neither on disk nor in memory. */
export class ColdReader {
  readonly #archive: Archive;
  readonly #blobs: Awaited<ReturnType<typeof openBlobStore>>;
  readonly #folder: string;
  #reads = 0;

  private constructor(archive: Archive, blobs: Awaited<ReturnType<typeof openBlobStore>>, folder: string) {
    this.#archive = archive;
    this.#blobs = blobs;
    this.#folder = folder;
  }

  /** Opens the blobs of a layout; nothing is read yet. */
  static async open(archive: Archive, reference: string): Promise<ColdReader> {
    const blobs = await openBlobStore(parseImageReference(reference), { log: SILENT });
    return new ColdReader(archive, blobs, await Deno.makeTempDir({ prefix: "clip-bench-cache-" }));
  }

  /** One read, timed from the call to the bytes. The blob is a file of this machine: the network's share is none. */
  async read({ inode, offset }: ReadPlace): Promise<ReadCost> {
    const content = new Content({
      archive: this.#archive,
      blob: (layer) => this.#blobs.layer(layerDescriptor(this.#archive, layer)),
      cache: diskSpanCache(`${this.#folder}/${this.#reads++}`),
      useCheckpoints: true,
      log: SILENT,
    });
    try {
      const target = new Uint8Array(READ_BYTES);
      // A mount makes the cache's files once, not at each read.
      for (let layer = 0; layer < this.#archive.layers.layerCount; layer++) content.layerCache(layer);
      const started = performance.now();
      await content.read(inode, offset, READ_BYTES, target, 0);
      const ms = performance.now() - started;
      const { fetchedBytes, decodedBytes } = content.counters;
      return { ms, fetchedBytes, decodedBytes, decodedBeforeBytes: this.#decodedBefore(inode, offset) };
    } finally {
      content.close();
    }
  }

  #decodedBefore(inode: number, offset: number): number {
    const { layers, tree } = this.#archive;
    const [piece] = planRead(tree, inode, offset, 1);
    if (piece === undefined) return 0;
    const span = layers.spanAt(piece.layer, piece.plainOffset);
    const { checkpoint } = planRun(layers, piece.layer, span, false);
    return piece.plainOffset - layers.checkpoint(checkpoint).plainOffset;
  }

  /** Closes the blobs and removes what the reads have cached. */
  async close(): Promise<void> {
    this.#blobs.close();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Reads `count` places of a kind; undefined where the image has no such files. */
export async function measureReads(
  archive: Archive,
  reference: string,
  { kind, count }: { kind: ReadKind; count: number },
): Promise<ReadFigures | undefined> {
  const places = choosePlaces(archive, kind, count);
  if (places.length === 0) return undefined;
  const reader = await ColdReader.open(archive, reference);
  try {
    // Code that has run before is compiled; that is not what is asked.
    for (const place of places.slice(0, 20)) await reader.read(place);
    const costs: ReadCost[] = [];
    for (const place of places) costs.push(await reader.read(place));
    const of = (name: keyof ReadCost) => costs.map((cost) => cost[name]);
    return {
      reads: costs.length,
      p50Ms: quantile(of("ms"), 0.5),
      p99Ms: quantile(of("ms"), 0.99),
      meanFetchedBytes: mean(of("fetchedBytes")),
      meanDecodedBytes: mean(of("decodedBytes")),
      meanDecodedBeforeBytes: mean(of("decodedBeforeBytes")),
      maxDecodedBeforeBytes: Math.max(...of("decodedBeforeBytes")),
    };
  } finally {
    await reader.close();
  }
}
