/**
 * Whole processes: `clip index` of an OCI layout against `gzip -dc | sha256sum` of its layers; one layer, and four.
 * `deno bench -A bench/index_image_bench.ts`; CLIP_BENCH_BYTES is the size of a layer before compression, CLIP_BIN a
 * compiled clip to take in place of main.ts. bench/report.ts runs them in turn, and weighs memory.
 */
import { makeBenchImage } from "./bench_image.ts";
import { corpusLayers } from "./corpus.ts";
import { gunzipAndDigest, indexInOwnProcess } from "./measure_process.ts";

const MAX_BYTES = Number(Deno.env.get("CLIP_BENCH_BYTES") ?? 300_000_000);
const ROUNDS = 3;

// deno-lint-ignore no-console -- a benchmark prints
const print = (line: string) => console.log(line);
const folder = await Deno.makeTempDir({ prefix: "clip-index-image-bench-" });
const names = ["binaries", "binaries-2", "binaries-3", "binaries-4"];
const wishes = names.map((content) => ({ content, compressor: "gzip -6", maxBytes: MAX_BYTES }));
const layers = await corpusLayers(wishes, print);

for (const count of [1, 4]) {
  if (layers.length < count) continue;
  const chosen = layers.slice(0, count);
  const reference = await makeBenchImage(`${folder}/${count}`, chosen);
  const group = count === 1 ? "one layer" : `${count} layers`;
  const output = `${folder}/${count}.clip`;
  const options = { group, n: ROUNDS, warmup: 1 };
  Deno.bench({
    ...options,
    name: "gzip -dc | sha256sum",
    baseline: true,
    fn: async () => void await gunzipAndDigest(chosen),
  });
  Deno.bench({ ...options, name: "clip index", fn: async () => void await indexInOwnProcess(reference, output) });
}

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
