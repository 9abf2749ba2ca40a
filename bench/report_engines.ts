import { corpusLayer } from "./corpus.ts";
import type { EngineTimes } from "./engines_main.ts";
import type { ReportOptions } from "./report.ts";
import { median } from "./statistics.ts";

/** One engine, where it ran. */
export interface EngineRow {
  readonly runtime: string;
  readonly engine: string;
  /** Plain bytes a microsecond. */
  readonly megabytesASecond: number;
  /** How many times as long as the kernel's its median is, in the same run. */
  readonly timesKernel: number;
  readonly runsMs: readonly number[];
}

/** Every engine in this Deno and, where CLIP_BENCH_ENGINES names it, in a compiled executable. */
export async function measureEnginesPart({ maxBytes, rounds, say }: ReportOptions): Promise<EngineRow[]> {
  const layer = await corpusLayer({ content: "binaries", compressor: "gzip -6", maxBytes });
  const binary = Deno.env.get("CLIP_BENCH_ENGINES");
  const source = new URL("./engines_main.ts", import.meta.url).pathname;
  const runtimes: [string, string, string[]][] = [
    [`Deno ${Deno.version.deno}`, Deno.execPath(), ["run", "--allow-all", "--quiet", source]],
  ];
  if (binary === undefined) say("skipped: the compiled engines: CLIP_BENCH_ENGINES is not set");
  else runtimes.push(["compiled", binary, []]);
  const rows: EngineRow[] = [];
  for (const [runtime, program, args] of runtimes) {
    const command = new Deno.Command(program, { args: [...args, layer.path, String(rounds)], stderr: "inherit" });
    const { success, stdout } = await command.output();
    if (!success) throw new Error(`${runtime}: the engines failed`);
    const times: EngineTimes = JSON.parse(new TextDecoder().decode(stdout));
    const kernelMs = median(times["kernel"]!);
    for (const [engine, runs] of Object.entries(times)) {
      const ms = median(runs);
      rows.push({
        runtime,
        engine,
        megabytesASecond: round(layer.plainBytes / ms / 1000, 0),
        timesKernel: round(ms / kernelMs, 3),
        runsMs: runs.map((each) => round(each, 0)),
      });
      const { megabytesASecond, timesKernel } = rows.at(-1)!;
      say(`  ${runtime}, ${engine}: ${megabytesASecond} MB/s; the kernel is ${timesKernel} times as fast`);
    }
  }
  return rows;
}

/** With so many digits behind the point. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
