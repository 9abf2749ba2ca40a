import { type AdaptiveFigures, simulateAdaptive } from "./adaptive.ts";
import { makeBenchImage } from "./bench_image.ts";
import { corpusLayers } from "./corpus.ts";
import { indexInProcess } from "./measure_index.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";

/** The dense table that rules pick from: as close as `exact` sets checkpoints. */
const DENSE_MIB = 1 / 4;

/** One rule on one layer. */
export interface AdaptiveRow extends AdaptiveFigures {
  readonly content: string;
}

/** The spacing rules on each layer whose data varies. */
export async function measureAdaptivePart({ maxBytes, folder, say }: ReportOptions): Promise<AdaptiveRow[]> {
  const rows: AdaptiveRow[] = [];
  const contents = ["debian", "python", "binaries", "small"];
  const wishes = contents.map((content) => ({ content, compressor: "gzip -6", maxBytes }));
  for (const layer of await corpusLayers(wishes, say)) {
    const { content } = layer;
    const reference = await makeBenchImage(`${folder}/${content}`, [layer]);
    const { archive } = await indexInProcess(reference, { strategy: "exact", spacingMib: DENSE_MIB }, null);
    for (const { meanMs, p99Ms, ...figures } of simulateAdaptive(archive)) {
      rows.push({ content, ...figures, meanMs: round(meanMs, 2), p99Ms: round(p99Ms, 2) });
      const { rule, network, spans, windowBytes } = figures;
      const index = `${spans} spans, windows ${windowBytes} bytes`;
      say(`  ${content}, ${network}, ${rule}: mean ${meanMs.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms; ${index}`);
    }
  }
  return rows;
}
