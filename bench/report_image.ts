import { formatBytes, MIB } from "../src/base/mod.ts";
import { makeBenchImage } from "./bench_image.ts";
import { corpusLayers } from "./corpus.ts";
import { CLIP_FROM_SOURCE, type Command, gunzipAndDigest, indexInOwnProcess } from "./measure_process.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { median } from "./statistics.ts";

/** `clip index` of an image, and the same bytes through gzip and sha256sum. */
export interface ImageRow {
  readonly runtime: string;
  readonly layers: number;
  readonly compressedBytes: number;
  readonly plainBytes: number;
  /** Medians of runs in turn. */
  readonly clipMs: number;
  readonly gunzipMs: number;
  readonly ratio: number;
  /** Of the .clip, % of the compressed layers. */
  readonly percent: number;
  readonly clipRunsMs: readonly number[];
  readonly gunzipRunsMs: readonly number[];
}

/** The most memory that `clip index` takes. */
export interface MemoryRow {
  readonly runtime: string;
  readonly content: string;
  readonly compressedBytes: number;
  readonly plainBytes: number;
  readonly peakMib: number;
  readonly wallMs: number;
}

function runtimes(say: (line: string) => void): [string, Command][] {
  const binary = Deno.env.get("CLIP_BIN");
  if (binary === undefined) say("skipped: the compiled clip: CLIP_BIN is not set");
  const fromSource: [string, Command] = [`Deno ${Deno.version.deno}`, CLIP_FROM_SOURCE];
  return binary === undefined ? [fromSource] : [fromSource, ["compiled", [binary]]];
}

/** Images of one and of four layers, each process in turn. */
export async function measureImagePart({ maxBytes, rounds, folder, say }: ReportOptions): Promise<ImageRow[]> {
  const rows: ImageRow[] = [];
  const clips = runtimes(say);
  const names = ["binaries", "binaries-2", "binaries-3", "binaries-4"];
  const layers = await corpusLayers(
    names.map((content) => ({ content, compressor: "gzip -6", maxBytes })),
    say,
  );
  for (const count of [1, 4].filter((each) => each <= layers.length)) {
    const chosen = layers.slice(0, count);
    const reference = await makeBenchImage(`${folder}/${count}`, chosen);
    const output = `${folder}/${count}.clip`;
    for (const [runtime, clip] of clips) {
      const clipRunsMs: number[] = [];
      const gunzipRunsMs: number[] = [];
      // The files are in the page cache after this.
      await indexInOwnProcess(reference, output, clip);
      for (let run = 0; run < rounds; run++) {
        gunzipRunsMs.push(round((await gunzipAndDigest(chosen)).wallMs, 0));
        clipRunsMs.push(round((await indexInOwnProcess(reference, output, clip)).wallMs, 0));
      }
      const clipMs = median(clipRunsMs);
      const gunzipMs = median(gunzipRunsMs);
      const compressedBytes = chosen.reduce((bytes, layer) => bytes + layer.compressedBytes, 0);
      const plainBytes = chosen.reduce((bytes, layer) => bytes + layer.plainBytes, 0);
      const percent = round(100 * (await Deno.stat(output)).size / compressedBytes, 3);
      const ratio = round(clipMs / gunzipMs, 3);
      const sizes = { compressedBytes, plainBytes, percent };
      rows.push({ runtime, layers: count, ...sizes, clipMs, gunzipMs, ratio, clipRunsMs, gunzipRunsMs });
      say(`  ${runtime}, ${count} layers: clip index ${clipMs} ms, gzip -dc | sha256sum ${gunzipMs} ms: ${ratio}`);
    }
  }
  return rows;
}

/** Layers of one large file and of the machine's files, one ten times the size of the other. */
export async function measureMemoryPart({ maxBytes, folder, say }: ReportOptions): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = [];
  const clips = runtimes(say);
  const smallBytes = Math.round(maxBytes * 4 / 3);
  const wishes = ["large", "usr"].flatMap((content) =>
    [smallBytes, 10 * smallBytes].map((bytes) => ({ content, compressor: "gzip -1", maxBytes: bytes }))
  );
  const layers = await corpusLayers(wishes, say);
  for (const [number, layer] of layers.entries()) {
    const reference = await makeBenchImage(`${folder}/${number}`, [layer]);
    for (const [runtime, clip] of clips) {
      const { peakBytes, wallMs } = await indexInOwnProcess(reference, `${folder}/${number}.clip`, clip);
      const { content, compressedBytes, plainBytes } = layer;
      const peakMib = round(peakBytes / MIB, 1);
      rows.push({ runtime, content, compressedBytes, plainBytes, peakMib, wallMs: round(wallMs, 0) });
      say(`  ${runtime}, ${content}, ${formatBytes(plainBytes)}: ${peakMib} MiB resident at most`);
    }
  }
  return rows;
}
