import { STRATEGY_NAMES, type StrategyName } from "../src/codec/mod.ts";
import { makeBenchImage } from "./bench_image.ts";
import { corpusLayers } from "./corpus.ts";
import { layerBytes, MEASURED_CONTENTS } from "./index_cases.ts";
import { indexInProcess } from "./measure_index.ts";
import { measureReads, READ_KINDS, type ReadFigures, type ReadKind } from "./measure_reads.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";

const SPACING_MIB = 2;
const READS = 300;

/** Reads of one kind. */
export interface ReadRow extends ReadFigures {
  readonly content: string;
  readonly compressor: string;
  readonly strategy: StrategyName;
  readonly spacingMib: number;
  readonly kind: ReadKind;
}

/** Every kind of read for each layer and strategy, and of the one-block layer of igzip -0. */
export async function measureReadsPart({ maxBytes, folder, say }: ReportOptions): Promise<ReadRow[]> {
  const rows: ReadRow[] = [];
  const wishes = MEASURED_CONTENTS.map((content) => {
    return { content, compressor: "gzip -6", maxBytes: layerBytes(content, maxBytes) };
  });
  wishes.push({ content: "debian", compressor: "igzip -0", maxBytes });
  for (const [number, layer] of (await corpusLayers(wishes, say)).entries()) {
    const { content, compressor } = layer;
    const reference = await makeBenchImage(`${folder}/${number}`, [layer]);
    for (const strategy of STRATEGY_NAMES) {
      // One block is one run: each read would leave the decoding of the whole layer behind, and the next reads wait.
      if (compressor === "igzip -0" && (strategy === "interval" || strategy === "file")) continue;
      const { archive } = await indexInProcess(reference, { strategy, spacingMib: SPACING_MIB });
      for (const kind of READ_KINDS) {
        const figures = await measureReads(archive, reference, { kind, count: READS });
        if (figures === undefined) continue;
        const rounded = Object.fromEntries(
          Object.entries(figures).map(([name, value]) => [name, round(value, name.endsWith("Ms") ? 2 : 0)]),
        ) as unknown as ReadFigures;
        rows.push({ content, compressor, strategy, spacingMib: SPACING_MIB, kind, ...rounded });
        const { p50Ms, p99Ms, meanFetchedBytes, meanDecodedBeforeBytes } = rounded;
        const bytes = `fetched ${meanFetchedBytes}, decoded ${meanDecodedBeforeBytes} before`;
        say(`  ${content}, ${compressor}, ${strategy}, ${kind}: ${p50Ms} ms, p99 ${p99Ms} ms; ${bytes}`);
      }
    }
  }
  return rows;
}
