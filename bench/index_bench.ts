/**
 * Indexing, in this process: strategies × spacings × layers × compressors. `deno bench -A bench/index_bench.ts`. Without
 * CLIP_BENCH_FULL=1 one of the three varies at a time; CLIP_BENCH_BYTES is the size of layers before compression. At the
 * end come the sizes.
 */
import { formatBytes } from "../src/base/mod.ts";
import { makeBenchImage } from "./bench_image.ts";
import { COMPRESSORS, corpusLayers } from "./corpus.ts";
import { CONTENTS } from "./corpus_contents.ts";
import { indexCases, layerBytes } from "./index_cases.ts";
import { describeIndex, type IndexFigures, indexInProcess, kibPerGib } from "./measure_index.ts";

const MAX_BYTES = Number(Deno.env.get("CLIP_BENCH_BYTES") ?? 300_000_000);
const ROUNDS = 2;

// deno-lint-ignore no-console -- a benchmark prints
const print = (line: string) => console.log(line);
const folder = await Deno.makeTempDir({ prefix: "clip-index-bench-" });
const cases = indexCases(Deno.env.get("CLIP_BENCH_FULL") === "1");
const figures = new Map<string, IndexFigures>();

for (const content of new Set(cases.map((each) => each.content))) {
  for (const compressor of Object.keys(COMPRESSORS)) {
    const choices = cases.filter((each) => each.content === content && each.compressor === compressor);
    if (choices.length === 0) continue;
    const [layer] = await corpusLayers([{ content, compressor, maxBytes: layerBytes(content, MAX_BYTES) }], print);
    if (layer === undefined) continue;
    const reference = await makeBenchImage(`${folder}/${content}-${compressor.replace(/ /g, "")}`, [layer]);
    for (const { strategy, spacingMib } of choices) {
      const group = `${CONTENTS[content]!.title}, ${compressor}, ${formatBytes(layer.plainBytes)}`;
      const name = `${strategy}, ${spacingMib} MiB`;
      Deno.bench({
        name,
        group,
        n: ROUNDS,
        warmup: 0,
        fn: async () => {
          figures.set(`${group}: ${name}`, describeIndex(await indexInProcess(reference, { strategy, spacingMib })));
        },
      });
    }
  }
}

globalThis.addEventListener("unload", () => {
  Deno.removeSync(folder, { recursive: true });
  for (const [name, each] of figures) {
    const share = (100 * each.archiveBytes / each.compressedBytes).toFixed(2);
    const kinds = Object.entries(each.kinds).map(([kind, count]) => `${count} ${kind}`).join(", ");
    print(`${name}: ${formatBytes(each.archiveBytes)} (${share} %), ${kibPerGib(each).toFixed(0)} KiB/GiB; ${kinds}`);
  }
});
