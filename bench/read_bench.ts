/**
 * Cold reads of 4 KiB, in this process, for each strategy: the start of large files, small files, random offsets, with
 * nothing cached. `deno bench -A bench/read_bench.ts`; CLIP_BENCH_BYTES is the size of layers before compression. At the
 * end come the bytes.
 */
import { formatBytes } from "../src/base/mod.ts";
import { STRATEGY_NAMES } from "../src/codec/mod.ts";
import { makeBenchImage } from "./bench_image.ts";
import { corpusLayers } from "./corpus.ts";
import { CONTENTS } from "./corpus_contents.ts";
import { layerBytes } from "./index_cases.ts";
import { indexInProcess } from "./measure_index.ts";
import { choosePlaces, ColdReader, READ_KINDS, type ReadCost } from "./measure_reads.ts";
import { mean } from "./statistics.ts";

const MAX_BYTES = Number(Deno.env.get("CLIP_BENCH_BYTES") ?? 300_000_000);
const SPACING_MIB = 2;
const READS = 60;

// deno-lint-ignore no-console -- a benchmark prints
const print = (line: string) => console.log(line);
const folder = await Deno.makeTempDir({ prefix: "clip-read-bench-" });
const readers: ColdReader[] = [];
const costs = new Map<string, ReadCost[]>();
const contents = Deno.env.get("CLIP_BENCH_FULL") === "1" ? ["debian", "python", "large", "small"] : ["debian"];

for (const content of contents) {
  const [layer] = await corpusLayers(
    [{ content, compressor: "gzip -6", maxBytes: layerBytes(content, MAX_BYTES) }],
    print,
  );
  if (layer === undefined) continue;
  const reference = await makeBenchImage(`${folder}/${content}`, [layer]);
  for (const strategy of STRATEGY_NAMES) {
    const { archive } = await indexInProcess(reference, { strategy, spacingMib: SPACING_MIB });
    const reader = await ColdReader.open(archive, reference);
    readers.push(reader);
    for (const kind of READ_KINDS) {
      const places = choosePlaces(archive, kind, READS);
      if (places.length === 0) continue;
      const group = `${CONTENTS[content]!.title}, ${kind}`;
      const list: ReadCost[] = [];
      costs.set(`${group}: ${strategy}`, list);
      Deno.bench({
        name: strategy,
        group,
        n: READS,
        warmup: 10,
        fn: async () => {
          list.push(await reader.read(places[list.length % places.length]!));
        },
      });
    }
  }
}

globalThis.addEventListener("unload", () => {
  Deno.removeSync(folder, { recursive: true });
  for (const [name, list] of costs) {
    const of = (key: keyof ReadCost) => formatBytes(Math.round(mean(list.map((cost) => cost[key]))));
    const before = of("decodedBeforeBytes");
    print(
      `${name}: fetched ${of("fetchedBytes")}, decoded ${of("decodedBytes")}, ${before} of it before the first byte`,
    );
  }
});
