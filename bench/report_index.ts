import { makeBenchImage } from "./bench_image.ts";
import { COMPRESSORS, corpusLayers } from "./corpus.ts";
import { type IndexCase, indexCases, layerBytes } from "./index_cases.ts";
import { describeIndex, type IndexFigures, indexInProcess, kibPerGib } from "./measure_index.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { median } from "./statistics.ts";

/** One case of indexing. */
export interface IndexRow extends IndexCase, IndexFigures {
  /** Windows and checkpoints together, KiB for each GiB of plain bytes. */
  readonly kibPerGib: number;
  /** The whole .clip, % of the compressed layer. */
  readonly percent: number;
}

/** Layers × compressors × strategies × spacings, all of them with CLIP_BENCH_FULL=1; of times the median of at most three. */
export async function measureIndexPart({ maxBytes, rounds, folder, say }: ReportOptions): Promise<IndexRow[]> {
  const rows: IndexRow[] = [];
  const cases = indexCases(Deno.env.get("CLIP_BENCH_FULL") === "1");
  for (const content of new Set(cases.map((each) => each.content))) {
    for (const compressor of Object.keys(COMPRESSORS)) {
      const choices = cases.filter((each) => each.content === content && each.compressor === compressor);
      if (choices.length === 0) continue;
      const [layer] = await corpusLayers([{ content, compressor, maxBytes: layerBytes(content, maxBytes) }], say);
      if (layer === undefined) continue;
      const reference = await makeBenchImage(`${folder}/${content}-${compressor.replace(/ /g, "")}`, [layer]);
      for (const choice of choices) {
        const runs: number[] = [];
        let figures: IndexFigures | undefined;
        for (let run = 0; run < Math.min(rounds, 3); run++) {
          figures = describeIndex(await indexInProcess(reference, choice));
          runs.push(figures.indexMs);
        }
        const percent = round(100 * figures!.archiveBytes / figures!.compressedBytes, 3);
        const indexMs = round(median(runs), 0);
        rows.push({ ...choice, ...figures!, indexMs, kibPerGib: round(kibPerGib(figures!), 0), percent });
        const { strategy, spacingMib } = choice;
        const sizes = `${rows.at(-1)!.kibPerGib} KiB/GiB, ${percent} %`;
        say(`  ${content}, ${compressor}, ${strategy}, ${spacingMib} MiB: ${indexMs} ms, ${sizes}`);
      }
    }
  }
  return rows;
}
