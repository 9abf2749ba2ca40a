/** What the charts show, from the results that were written last. */
import { KIB } from "../src/base/mod.ts";
import { STRATEGY_NAMES } from "../src/codec/mod.ts";
import type { Chart } from "./charts.ts";
import { CONTENTS } from "./corpus_contents.ts";
import { MEASURED_CONTENTS, SPACINGS_MIB } from "./index_cases.ts";
import { READ_KINDS } from "./measure_reads.ts";
import type { EngineRow } from "./report_engines.ts";
import type { ImageRow } from "./report_image.ts";
import type { IndexRow } from "./report_index.ts";
import type { ReadRow } from "./report_reads.ts";
import { readResults, type Results } from "./results_file.ts";

/** Legible on white and on black. */
const TEXT = "#7d8590";
const LINES = "rgba(125, 133, 144, 0.35)";
const OWN = "#3b82d6";
const OTHERS = "#9aa3ad";
const STRATEGY_COLOURS: Readonly<Record<string, string>> = {
  interval: "#9aa3ad",
  file: "#d9822b",
  sparse: "#2f9e7a",
  exact: OWN,
};
const FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif";

/** By name; undefined where there are no results. */
export const CHARTS: Readonly<Record<string, () => Promise<Chart | undefined>>> = {
  engines: drawEngines,
  image: drawImage,
  index_size: drawIndexSize,
  index_share: drawIndexShare,
  read_latency: drawReadLatency,
  read_decoded: drawReadDecoded,
};

function frame(title: string, results: Results<unknown>, { left = 70, bottom = 52, right = 40, legend = false } = {}) {
  const { machine, date } = results;
  return {
    textStyle: { fontFamily: FONT, color: TEXT },
    title: {
      text: title,
      subtext: `${machine}; ${date}`,
      left: 12,
      top: 8,
      itemGap: 6,
      textStyle: { fontSize: 15, fontWeight: 600, color: TEXT, fontFamily: FONT },
      subtextStyle: { fontSize: 11, color: TEXT, fontFamily: FONT },
    },
    grid: { left, right, top: legend ? 92 : 66, bottom, containLabel: false },
    ...(legend
      ? {
        legend: {
          top: 56,
          left: 12,
          itemGap: 24,
          itemWidth: 14,
          itemHeight: 10,
          textStyle: { color: TEXT, fontSize: 12 },
          data: [...STRATEGY_NAMES],
        },
      }
      : {}),
  };
}

function valueAxis(name: string, more: Record<string, unknown> = {}) {
  return {
    type: "value",
    name,
    nameLocation: "middle",
    nameGap: 30,
    nameTextStyle: { color: TEXT, fontSize: 12 },
    axisLabel: { color: TEXT, fontSize: 12 },
    splitLine: { lineStyle: { color: LINES } },
    ...more,
  };
}

function categoryAxis(data: readonly string[], more: Record<string, unknown> = {}) {
  return {
    type: "category",
    data,
    axisLabel: { color: TEXT, fontSize: 12, interval: 0 },
    axisLine: { lineStyle: { color: LINES } },
    axisTick: { show: false },
    nameTextStyle: { color: TEXT, fontSize: 12 },
    ...more,
  };
}

function label(formatter: (value: number) => string, position = "top") {
  return {
    show: true,
    position,
    color: TEXT,
    fontSize: 11,
    formatter: ({ value }: { value: number }) => formatter(value),
  };
}

async function drawEngines(): Promise<Chart | undefined> {
  const results = await readResults<EngineRow>("engines");
  if (results === undefined) return undefined;
  const [first] = results.rows;
  const rows = results.rows.filter(({ runtime }) => runtime === first?.runtime)
    .toSorted((a, b) => a.megabytesASecond - b.megabytesASecond);
  const names: Record<string, string> = { kernel: "clip's kernel" };
  return {
    heightPx: 110 + 30 * rows.length,
    option: {
      ...frame("Inflating a layer of binaries, one thread (longer is better)", results, { left: 170, right: 70 }),
      xAxis: valueAxis("plain MB a second"),
      yAxis: categoryAxis(rows.map(({ engine }) => names[engine] ?? engine)),
      series: [{
        type: "bar",
        barWidth: 18,
        data: rows.map(({ engine, megabytesASecond }) => ({
          value: megabytesASecond,
          itemStyle: { color: engine === "kernel" ? OWN : OTHERS },
        })),
        label: label((value) => String(value), "right"),
      }],
    },
  };
}

async function drawImage(): Promise<Chart | undefined> {
  const results = await readResults<ImageRow>("image");
  if (results === undefined) return undefined;
  const bars: { name: string; seconds: number; own: boolean }[] = [];
  for (const layers of [...new Set(results.rows.map((row) => row.layers))]) {
    const rows = results.rows.filter((row) => row.layers === layers);
    const images = layers === 1 ? "1 layer" : `${layers} layers`;
    for (const row of rows) {
      const runtime = row.runtime === "compiled" ? "compiled" : row.runtime;
      bars.push({ name: `${images}: clip index, ${runtime}`, seconds: row.clipMs / 1000, own: true });
    }
    const gunzip = rows.reduce((sum, row) => sum + row.gunzipMs, 0) / rows.length / 1000;
    bars.push({ name: `${images}: gzip -dc | sha256sum`, seconds: gunzip, own: false });
  }
  bars.reverse();
  return {
    heightPx: 110 + 30 * bars.length,
    option: {
      ...frame("Indexing an image, everything verified (shorter is better)", results, { left: 220, right: 70 }),
      xAxis: valueAxis("seconds, median"),
      yAxis: categoryAxis(bars.map(({ name }) => name)),
      series: [{
        type: "bar",
        barWidth: 18,
        data: bars.map(({ seconds, own }) => ({ value: seconds, itemStyle: { color: own ? OWN : OTHERS } })),
        label: label((value) => `${value.toFixed(2)} s`, "right"),
      }],
    },
  };
}

async function drawIndexSize(): Promise<Chart | undefined> {
  const results = await readResults<IndexRow>("index");
  if (results === undefined) return undefined;
  const rows = results.rows.filter(({ content, compressor }) => content === "debian" && compressor === "gzip -6");
  return {
    heightPx: 380,
    option: {
      ...frame("Windows and checkpoints of a Debian root (lower is better)", results, { legend: true }),
      xAxis: categoryAxis(SPACINGS_MIB.map(String), { name: "spacing, MiB", nameLocation: "middle", nameGap: 30 }),
      yAxis: valueAxis("KiB for each GiB of plain bytes, log scale", { type: "log", nameGap: 48, min: 10 }),
      series: STRATEGY_NAMES.map((strategy) => ({
        name: strategy,
        type: "line",
        color: STRATEGY_COLOURS[strategy],
        symbol: "circle",
        symbolSize: 8,
        lineStyle: { width: 2 },
        data: SPACINGS_MIB.map((spacingMib) =>
          rows.find((row) => row.strategy === strategy && row.spacingMib === spacingMib)?.kibPerGib
        ),
        // Two of the four lines run close to the other two.
        ...(strategy === "exact" ? { label: { ...label(String), distance: 12 } } : {}),
        ...(strategy === "file" ? { label: label(String) } : {}),
      })),
    },
  };
}

async function drawIndexShare(): Promise<Chart | undefined> {
  const results = await readResults<IndexRow>("index");
  if (results === undefined) return undefined;
  const rows = results.rows.filter(({ compressor, spacingMib }) => compressor === "gzip -6" && spacingMib === 2);
  return {
    heightPx: 380,
    option: {
      ...frame("The whole .clip at 2 MiB spacing (shorter is better)", results, { legend: true }),
      xAxis: categoryAxis(MEASURED_CONTENTS.map((content) => CONTENTS[content]!.title)),
      yAxis: valueAxis("% of the compressed layer", { nameGap: 44 }),
      series: STRATEGY_NAMES.map((strategy) => ({
        name: strategy,
        type: "bar",
        color: STRATEGY_COLOURS[strategy],
        barGap: "15%",
        data: MEASURED_CONTENTS.map((content) =>
          rows.find((row) => row.strategy === strategy && row.content === content)?.percent
        ),
        label: label((value) => value.toFixed(2)),
      })),
    },
  };
}

async function debianReads(): Promise<Results<ReadRow> | undefined> {
  const results = await readResults<ReadRow>("reads");
  if (results === undefined) return undefined;
  return {
    ...results,
    rows: results.rows.filter(({ content, compressor }) => content === "debian" && compressor === "gzip -6"),
  };
}

async function drawReadLatency(): Promise<Chart | undefined> {
  const results = await debianReads();
  if (results === undefined) return undefined;
  const value = (strategy: string, name: "p50Ms" | "p99Ms") =>
    READ_KINDS.map((kind) => results.rows.find((row) => row.strategy === strategy && row.kind === kind)?.[name]);
  // The bars end at p50, the paler ones behind them at p99.
  const bars = (name: "p50Ms" | "p99Ms") =>
    STRATEGY_NAMES.map((strategy) => ({
      name: name === "p50Ms" ? strategy : `${strategy}, p99`,
      type: "bar",
      color: `${STRATEGY_COLOURS[strategy]}${name === "p50Ms" ? "" : "59"}`,
      xAxisIndex: name === "p50Ms" ? 0 : 1,
      z: name === "p50Ms" ? 2 : 1,
      barWidth: 38,
      barGap: "15%",
      data: value(strategy, name),
      label: label((ms) => ms.toFixed(1)),
    }));
  return {
    heightPx: 380,
    option: {
      ...frame("Cold read of 4 KiB, Debian root, local blob: p50, and p99 paler (shorter is better)", results, {
        legend: true,
      }),
      xAxis: [categoryAxis(READ_KINDS), categoryAxis(READ_KINDS, { show: false })],
      yAxis: valueAxis("milliseconds", { nameGap: 44 }),
      series: [...bars("p99Ms"), ...bars("p50Ms")],
    },
  };
}

async function drawReadDecoded(): Promise<Chart | undefined> {
  const results = await debianReads();
  if (results === undefined) return undefined;
  return {
    heightPx: 380,
    option: {
      ...frame("Decoded before the first byte asked for, Debian root (shorter is better)", results, { legend: true }),
      xAxis: categoryAxis(READ_KINDS),
      yAxis: valueAxis("KiB, mean", { nameGap: 48 }),
      series: STRATEGY_NAMES.map((strategy) => ({
        name: strategy,
        type: "bar",
        color: STRATEGY_COLOURS[strategy],
        barGap: "15%",
        data: READ_KINDS.map((kind) => {
          const row = results.rows.find((each) => each.strategy === strategy && each.kind === kind);
          return row === undefined ? undefined : Math.round(row.meanDecodedBeforeBytes / KIB);
        }),
        label: label((value) => String(value)),
      })),
    },
  };
}
