/**
 * Measures everything that docs/strategies.md, docs/reading.md and docs/performance.md tell of, and draws it:
 * `deno task bench:report [PART…]`, where PART is one of engines, index, reads, image, memory, adaptive, cold, warm,
 * start, shared, stampede, files, charts, tables; default all. Those from cold to create take root, /dev/fuse, docker-registry and skopeo;
 * what a machine lacks is skipped, saying so. Writes bench/results/PART.json, and charts from whatever results there are.
 *
 * CLIP_BENCH_BYTES: size of layers before compression. CLIP_BIN, CLIP_BENCH_ENGINES: dist/clip and a compiled
 * bench/engines_main.ts, to be measured besides this Deno. CLIP_BENCH_ROUNDS: runs of each, of which the median counts.
 * CLIP_BENCH_FULL=1: every combination of layer, compressor, strategy and spacing.
 */
import { drawCharts } from "./charts.ts";
import { measureColdPart } from "./report_cold.ts";
import { measureAdaptivePart } from "./report_adaptive.ts";
import { measureCreatePart } from "./report_create.ts";
import { measureEnginesPart } from "./report_engines.ts";
import { measureFilesPart } from "./report_files.ts";
import { measureImagePart, measureMemoryPart } from "./report_image.ts";
import { measureIndexPart } from "./report_index.ts";
import { measureReadsPart } from "./report_reads.ts";
import { measureSharedPart } from "./report_shared.ts";
import { measureStampedePart } from "./report_stampede.ts";
import { measureStartPart } from "./report_start.ts";
import { measureWarmPart } from "./report_warm.ts";
import { Skipped } from "./skipped.ts";
import { writeTables } from "./tables.ts";
import { writeResults } from "./results_file.ts";

/** What each part needs to know. */
export interface ReportOptions {
  /** Of a layer before compression. */
  readonly maxBytes: number;
  /** Runs of each, of which the median counts. */
  readonly rounds: number;
  /** A folder that is removed afterwards. */
  readonly folder: string;
  /** Tells how far it has come. */
  readonly say: (line: string) => void;
}

const PARTS: Readonly<Record<string, { about: string; measure: (options: ReportOptions) => Promise<unknown[]> }>> = {
  engines: {
    about: "One layer of binaries, gzip -6, inflated by each engine in turn; MB are 10^6 plain bytes.",
    measure: measureEnginesPart,
  },
  index: { about: "Strategies × spacings × layers × compressors, in one process.", measure: measureIndexPart },
  reads: {
    about: "Reads of 4 KiB with nothing cached, the blob a local file, spacing 2 MiB.",
    measure: measureReadsPart,
  },
  image: {
    about: "Whole processes in turn: clip index of an OCI layout, and gzip -dc | sha256sum of each of its layers.",
    measure: measureImagePart,
  },
  memory: { about: "Most memory resident while clip index runs, layers of gzip -1.", measure: measureMemoryPart },
  adaptive: {
    about: "Cost of reading a random byte under spacing rules, computed from real checkpoints.",
    measure: measureAdaptivePart,
  },
  cold: {
    about: "Mounts with an empty cache, docker-registry on this machine, behind a proxy where a network is named.",
    measure: measureColdPart,
  },
  warm: {
    about: "Mounts with all they need on this machine, the kernel's caches dropped before each task.",
    measure: measureWarmPart,
  },
  start: {
    about: "A program's start from an image that is not on the machine, behind a proxy: 20 ms a request, 100 Mbit/s.",
    measure: measureStartPart,
  },
  shared: {
    about: "64 readers of 8 mounts that share a layer, behind 20 ms and 1 Gbit/s; memory of a server after 2 GB.",
    measure: measureSharedPart,
  },
  stampede: {
    about: "1,000 workers' clients in one process start at once; a registry that takes 200 requests a second.",
    measure: measureStampedePart,
  },
  files: {
    about: "Images of small files in one layer of gzip -6, an OCI layout on this machine.",
    measure: measureFilesPart,
  },
  create: {
    about: "The tree of CLIP_BENCH_TREE packed by each program, and read from mounts of what they made.",
    measure: measureCreatePart,
  },
};

/** Made from the results of the parts. */
const DRAWN: readonly string[] = ["charts", "tables"];

if (import.meta.main) {
  const chosen = Deno.args.length === 0 ? [...Object.keys(PARTS), ...DRAWN] : Deno.args;
  const unknown = chosen.find((name) => !DRAWN.includes(name) && PARTS[name] === undefined);
  if (unknown !== undefined) {
    throw new Error(`no part ${unknown}: there are ${[...Object.keys(PARTS), ...DRAWN].join(", ")}`);
  }
  // deno-lint-ignore no-console -- a report tells how far it has come
  const say = (line: string) => console.log(line);
  const folder = await Deno.makeTempDir({ prefix: "clip-report-" });
  const maxBytes = Number(Deno.env.get("CLIP_BENCH_BYTES") ?? 300_000_000);
  const rounds = Number(Deno.env.get("CLIP_BENCH_ROUNDS") ?? 5);
  try {
    for (const name of chosen.filter((each) => !DRAWN.includes(each))) {
      const { about, measure } = PARTS[name]!;
      say(`${name}: ${about}`);
      const partFolder = `${folder}/${name}`;
      await Deno.mkdir(partFolder);
      try {
        await writeResults(name, about, () => measure({ maxBytes, rounds, folder: partFolder, say }));
      } catch (error) {
        if (!(error instanceof Skipped)) throw error;
        say(`skipped: ${name}: ${error.message}`);
      }
    }
    const drawn = chosen.includes("charts") ? await drawCharts() : [];
    const written = chosen.includes("tables") ? await writeTables() : [];
    for (const name of [...drawn, ...written]) say(`wrote ${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
