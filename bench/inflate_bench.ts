/**
 * Inflate, one thread: the kernel, pako, node:zlib, and the programs that are installed, on a tar of binaries at
 * gzip -6. `deno bench -A bench/inflate_bench.ts`; CLIP_BENCH_BYTES sets the tar's size. At the end come the medians, and
 * how many times as fast the kernel is.
 */
import { corpusLayer } from "./corpus.ts";
import { engineInput, installedEngines } from "./engines.ts";
import { median } from "./statistics.ts";

const MAX_BYTES = Number(Deno.env.get("CLIP_BENCH_BYTES") ?? 300_000_000);
const ROUNDS = 3;

// deno-lint-ignore no-console -- a benchmark prints
const print = (line: string) => console.log(line);
const layer = await corpusLayer({ content: "binaries", compressor: "gzip -6", maxBytes: MAX_BYTES });
const input = engineInput(layer.path);
const timesMs = new Map<string, number[]>();

for (const [name, engine] of await installedEngines(print)) {
  timesMs.set(name, []);
  Deno.bench({
    name,
    group: "inflate",
    baseline: name === "kernel",
    n: ROUNDS,
    warmup: 1,
    fn: async () => {
      const start = performance.now();
      await engine(input);
      timesMs.get(name)!.push(performance.now() - start);
    },
  });
}

globalThis.addEventListener("unload", () => {
  const kernelMs = median(timesMs.get("kernel")!);
  for (const [name, values] of timesMs) {
    const ms = median(values);
    const rate = (input.plainBytes / ms / 1000).toFixed(0).padStart(5);
    print(`${name.padEnd(24)} ${rate} MB/s   kernel is ${(ms / kernelMs).toFixed(2)} times as fast`);
  }
});
