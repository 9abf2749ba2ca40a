import { MIB } from "../src/base/mod.ts";
import type { EngineRow } from "./report_engines.ts";
import type { ImageRow, MemoryRow } from "./report_image.ts";
import type { IndexRow } from "./report_index.ts";
import type { ReadRow } from "./report_reads.ts";
import { readResults, type Results } from "./results_file.ts";

/** A figure that the project has an aim for. */
export interface MeasuredRatio {
  readonly what: string;
  readonly aim: string;
  /** By runtime. */
  readonly measured: Readonly<Record<string, string>>;
}

/** The figures with aims, of which there are results. */
export async function measuredRatios(): Promise<MeasuredRatio[]> {
  return [...await ofEngines(), ...await ofImages(), ...await ofIndexes(), ...await ofReads(), ...await ofMemory()];
}

async function ofEngines(): Promise<MeasuredRatio[]> {
  const rows = (await readResults<EngineRow>("engines"))?.rows ?? [];
  const aims: [string, string][] = [["pako", "≥ 4"], ["node:zlib createGunzip", "≥ 1.15"], [
    "libdeflate-gunzip",
    "≥ 1.1",
  ]];
  return aims.map(([name, aim]) => ({
    what: `inflate kernel: times as fast as ${name}`,
    aim,
    measured: byRuntime(rows.filter(({ engine }) => engine === name), (row) => row.timesKernel.toFixed(2)),
  })).filter(({ measured }) => Object.keys(measured).length > 0);
}

async function ofImages(): Promise<MeasuredRatio[]> {
  const rows = (await readResults<ImageRow>("image"))?.rows ?? [];
  const aims: [number, string][] = [[1, "≤ 0.5"], [4, "≤ 0.3"]];
  return aims.map(([layers, aim]) => ({
    what: `clip index, ${layers === 1 ? "one layer" : `${layers} layers`}: time by that of \`gzip -dc \\| sha256sum\``,
    aim,
    measured: byRuntime(rows.filter((row) => row.layers === layers), (row) => row.ratio.toFixed(2)),
  })).filter(({ measured }) => Object.keys(measured).length > 0);
}

async function ofIndexes(): Promise<MeasuredRatio[]> {
  const results = await readResults<IndexRow>("index");
  if (results === undefined) return [];
  const { rows } = results;
  const usual = (content: string) =>
    rows.find((row) =>
      row.content === content && row.compressor === "gzip -6" && row.strategy === "exact" && row.spacingMib === 2
    );
  const [debian, python] = [usual("debian"), usual("python")];
  if (debian === undefined) return [];
  const here = runtimeOf(results);
  const share = (row: IndexRow | undefined) => row === undefined ? "" : `${row.percent.toFixed(2)} %`;
  return [
    {
      what: "windows and checkpoints, Debian root, KiB for each GiB of plain bytes",
      aim: "≤ 300",
      measured: { [here]: String(debian.kibPerGib) },
    },
    { what: "the whole .clip, Debian root, of the layer", aim: "≤ 1 %", measured: { [here]: share(debian) } },
    { what: "the whole .clip, Python installation, of the layer", aim: "≤ 1 %", measured: { [here]: share(python) } },
  ];
}

async function ofReads(): Promise<MeasuredRatio[]> {
  const results = await readResults<ReadRow>("reads");
  if (results === undefined) return [];
  const starts = results.rows.filter(({ strategy, kind }) => strategy === "exact" && kind === "start of a large file");
  if (starts.length === 0) return [];
  const most = Math.max(...starts.map(({ maxDecodedBeforeBytes }) => maxDecodedBeforeBytes));
  const what = "decoded before the first byte of a file of 512 KiB or more, at most";
  return [{ what, aim: "0 B", measured: { [runtimeOf(results)]: `${most} B` } }];
}

async function ofMemory(): Promise<MeasuredRatio[]> {
  const rows = (await readResults<MemoryRow>("memory"))?.rows ?? [];
  const names: Record<string, string> = { large: "one large file", usr: "many files" };
  const atMost = (bytes: number) => `≤ ${Math.floor(bytes / MIB)}`;
  return Object.entries(names).flatMap(([content, name]) => {
    const ofContent = rows.filter((row) => row.content === content);
    const sizes = [...new Set(ofContent.map((row) => row.plainBytes))];
    const ofSize = (plainBytes: number | undefined) => ofContent.filter((row) => row.plainBytes === plainBytes);
    const peaks = sizes.map((plainBytes) => ({
      what: `memory at most, MiB: layer of ${(plainBytes / 1e9).toFixed(1)} GB, ${name}`,
      aim: atMost(250e6),
      measured: byRuntime(ofSize(plainBytes), (row) => row.peakMib.toFixed(0)),
    }));
    const [small, big] = [ofSize(sizes[0]), ofSize(sizes[1])];
    if (big.length === 0) return peaks;
    const less = (of: MemoryRow) => small.find(({ runtime }) => runtime === of.runtime)?.peakMib ?? 0;
    return [...peaks, {
      what: `memory at most, MiB: more for ten times the layer, ${name}`,
      aim: atMost(40e6),
      measured: byRuntime(big, (row) => (row.peakMib - less(row)).toFixed(0)),
    }];
  });
}

/** The Deno that the results were made with. */
function runtimeOf({ machine }: Results<unknown>): string {
  return /Deno \S+$/.exec(machine)?.[0] ?? "Deno";
}

function byRuntime<Row extends { readonly runtime: string }>(
  rows: readonly Row[],
  text: (row: Row) => string,
): Record<string, string> {
  return Object.fromEntries(rows.map((row) => [row.runtime, text(row)]));
}
