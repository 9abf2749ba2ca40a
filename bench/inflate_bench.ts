/**
 * Inflate, one thread: the kernel, pako, node:zlib, and the programs that are installed, on a tar of binaries at
 * gzip -6 that is made on the spot. `deno bench -A bench/inflate_bench.ts`; CLIP_BENCH_BYTES sets the tar's size.
 * At the end come the medians, and how many times as fast the kernel is.
 *
 * Programs write to /dev/null and are timed from start to exit, as a user would have them.
 */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { Inflate } from "pako";
import { InflateKernel, KernelStop } from "../src/codec/gzip/kernel/mod.ts";

const PLAIN_BYTES = Number(Deno.env.get("CLIP_BENCH_BYTES") ?? 300_000_000);
const ROUNDS = 5;
const PIECE_BYTES = 1 << 20;
const PROGRAMS: readonly string[] = ["gzip", "libdeflate-gunzip", "igzip", "pigz"];

const folder = await Deno.makeTempDir({ prefix: "clip-inflate-" });
const path = `${folder}/layer.tar.gz`;
const made = await new Deno.Command("sh", {
  args: ["-c", `tar -C / -cf - usr/bin usr/lib 2>/dev/null | head -c ${PLAIN_BYTES} | gzip -6 -n > ${path}`],
}).output();
if (!made.success) throw new Error("cannot make the layer");
const compressed = await Deno.readFile(path);
/** Without a name, the header is 10 bytes and the trailer 8. */
const deflate = compressed.subarray(10, compressed.length - 8);
const plainBytes = new DataView(compressed.buffer).getUint32(compressed.length - 4, true);

const timesMs = new Map<string, number[]>();

/** Registers a benchmark of `work`, which returns the plain bytes it made, or undefined where it cannot know. */
function bench(name: string, work: () => number | undefined | Promise<number | undefined>): void {
  timesMs.set(name, []);
  Deno.bench({
    name,
    group: "inflate",
    baseline: name === "kernel",
    n: ROUNDS,
    warmup: 1,
    fn: async () => {
      const start = performance.now();
      const bytes = await work();
      timesMs.get(name)!.push(performance.now() - start);
      if (bytes !== undefined && bytes !== plainBytes) throw new Error(`${name} made ${bytes} bytes`);
    },
  });
}

bench("kernel", () => {
  const kernel = new InflateKernel();
  kernel.reset({ window: new Uint8Array(0), bitOffset: 0, plainOffset: 0 });
  for (let at = 0;;) {
    const stop = kernel.run(Infinity, false);
    if (stop === KernelStop.needInput) at += kernel.feed(deflate, at, deflate.length);
    else if (stop === KernelStop.outputFull) kernel.slide();
    else return stop === KernelStop.streamEnd ? kernel.plainOffset : -1;
  }
});

bench("node:zlib createGunzip", async () => {
  let bytes = 0;
  const plain = createReadStream(path, { highWaterMark: PIECE_BYTES }).pipe(createGunzip({ chunkSize: PIECE_BYTES }));
  for await (const piece of plain) bytes += piece.length;
  return bytes;
});

bench("pako", () => {
  let bytes = 0;
  const inflate = new Inflate({ chunkSize: PIECE_BYTES });
  inflate.onData = (piece: Uint8Array) => {
    bytes += piece.length;
  };
  inflate.push(compressed, true);
  return inflate.err === 0 ? bytes : -1;
});

for (const program of PROGRAMS) {
  const args = program === "libdeflate-gunzip" ? ["-c", path] : ["-dc", path];
  try {
    await new Deno.Command(program, { args: ["-V"], stdout: "null", stderr: "null" }).output();
  } catch {
    // deno-lint-ignore no-console -- a skip says why
    console.log(`skipped: ${program} is not installed`);
    continue;
  }
  bench(program, async () => {
    const { success } = await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output();
    return success ? undefined : -1;
  });
}

globalThis.addEventListener("unload", () => {
  Deno.removeSync(folder, { recursive: true });
  const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
  const kernelMs = median(timesMs.get("kernel")!);
  for (const [name, values] of timesMs) {
    const ms = median(values);
    const rate = (plainBytes / ms / 1000).toFixed(0).padStart(5);
    // deno-lint-ignore no-console -- a benchmark's result
    console.log(`${name.padEnd(24)} ${rate} MB/s   kernel is ${(ms / kernelMs).toFixed(2)} times as fast`);
  }
});
