/** The tables in docs/strategies.md, docs/reading.md and docs/performance.md, made from the results that were written last. */
import { formatBytes } from "../src/base/mod.ts";
import { STRATEGY_NAMES } from "../src/codec/mod.ts";
import { COMPRESSORS } from "./corpus.ts";
import { CONTENTS } from "./corpus_contents.ts";
import { MEASURED_CONTENTS, SPACINGS_MIB } from "./index_cases.ts";
import { READ_KINDS } from "./measure_reads.ts";
import type { AdaptiveRow } from "./report_adaptive.ts";
import type { IndexRow } from "./report_index.ts";
import type { ReadRow } from "./report_reads.ts";
import { measuredRatios } from "./measured_ratios.ts";
import { markdownTable } from "./markdown_table.ts";
import { readingTables } from "./reading_tables.ts";
import { readResults } from "./results_file.ts";

/** A table of a document. */
export interface Table {
  /** Names of the results that it is made from. */
  readonly from: readonly string[];
  /** Lines of Markdown; undefined where there are no results. */
  readonly make: () => Promise<string[] | undefined>;
}

const PLACES = ["docs/strategies.md", "docs/reading.md", "docs/performance.md"];
const ROOT = new URL("../", import.meta.url);

/** By the name of their place. */
const TABLES: Readonly<Record<string, Table>> = {
  ratios: { from: ["engines", "image", "index", "reads", "memory"], make: ratiosTable },
  sizes: { from: ["index"], make: sizesTable },
  spacings: { from: ["index"], make: spacingsTable },
  compressors: { from: ["index"], make: compressorsTable },
  reads: { from: ["reads"], make: readsTable },
  adaptive: { from: ["adaptive"], make: adaptiveTable },
  ...readingTables,
};

/**
 * Writes each table, and of when and of which commit it is, between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; the
 * names of those written.
 */
export async function writeTables(): Promise<string[]> {
  const written: string[] = [];
  for (const path of PLACES) {
    let text = await Deno.readTextFile(new URL(path, ROOT));
    for (const [name, { from, make }] of Object.entries(TABLES)) {
      const pattern = new RegExp(`(<!-- bench:${name} -->\n)[^]*?(<!-- /bench:${name} -->)`);
      if (!pattern.test(text)) continue;
      const lines = await make();
      if (lines === undefined) continue;
      const block = [...lines, "", await whenMeasured(from)].join("\n");
      text = text.replace(pattern, (_all, start, end) => `${start}\n${block}\n\n${end}`);
      written.push(`${path}: ${name}`);
    }
    await Deno.writeTextFile(new URL(path, ROOT), text);
    await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", new URL(path, ROOT).pathname] }).output();
  }
  return written;
}

/** Of which commits and days these results are, in a line. */
async function whenMeasured(names: readonly string[]): Promise<string> {
  const results = new Map<string, string[]>();
  for (const name of names) {
    const found = await readResults(name);
    if (found === undefined) continue;
    const when = `${found.commit}, ${found.date.slice(0, "YYYY-MM-DD".length)}`;
    results.set(when, [...results.get(when) ?? [], name]);
  }
  const parts = [...results].map(([when, of]) => results.size === 1 ? when : `${when} (${of.join(", ")})`);
  return `Measured at commit ${parts.join("; ")}.`;
}

async function ratiosTable(): Promise<string[] | undefined> {
  const ratios = await measuredRatios();
  if (ratios.length === 0) return undefined;
  const runtimes = [...new Set(ratios.flatMap(({ measured }) => Object.keys(measured)))];
  return markdownTable(
    ["", "aim", ...runtimes],
    ratios.map(({ what, aim, measured }) => {
      return [what, aim, ...runtimes.map((runtime) => measured[runtime] ?? "")];
    }),
  );
}

async function sizesTable(): Promise<string[] | undefined> {
  const results = await readResults<IndexRow>("index");
  if (results === undefined) return undefined;
  const rows = MEASURED_CONTENTS.flatMap((content) =>
    STRATEGY_NAMES.map((strategy) => {
      const row = results.rows.find((each) =>
        each.content === content && each.compressor === "gzip -6" && each.strategy === strategy && each.spacingMib === 2
      );
      if (row === undefined) return [];
      const { kinds, indexMs, kibPerGib, archiveBytes, percent } = row;
      const title = `${CONTENTS[content]!.title}, ${formatBytes(row.compressedBytes)}`;
      const points = `${kinds["interval"] ?? 0} + ${kinds["file"] ?? 0}`;
      return [
        title,
        strategy,
        `${indexMs} ms`,
        points,
        kibPerGib,
        formatBytes(archiveBytes),
        `${percent.toFixed(2)} %`,
      ];
    })
  );
  const head = ["layer", "strategy", "time", "interval + file points", "KiB/GiB", ".clip", "of the layer"];
  return markdownTable(head, rows.filter((row) => row.length > 0));
}

async function spacingsTable(): Promise<string[] | undefined> {
  const results = await readResults<IndexRow>("index");
  if (results === undefined) return undefined;
  return markdownTable(
    ["Debian root, KiB/GiB", ...SPACINGS_MIB.map((spacing) => `${spacing} MiB`)],
    STRATEGY_NAMES.map((strategy) => [
      strategy,
      ...SPACINGS_MIB.map((spacingMib) =>
        results.rows.find((row) =>
          row.content === "debian" && row.compressor === "gzip -6" && row.strategy === strategy &&
          row.spacingMib === spacingMib
        )?.kibPerGib ?? ""
      ),
    ]),
  );
}

async function compressorsTable(): Promise<string[] | undefined> {
  const results = await readResults<IndexRow>("index");
  if (results === undefined) return undefined;
  const find = (content: string, compressor: string) =>
    results.rows.find((row) =>
      row.content === content && row.compressor === compressor && row.strategy === "exact" && row.spacingMib === 2
    );
  const compressors = Object.keys(COMPRESSORS).filter((name) => find("debian", name) !== undefined);
  const cell = (row: IndexRow | undefined) =>
    row === undefined ? "" : `${row.kibPerGib} · ${row.percent.toFixed(2)} % · ${formatBytes(row.longestBytes)}`;
  return markdownTable(
    ["exact, 2 MiB: KiB/GiB · .clip · longest stretch", ...compressors],
    MEASURED_CONTENTS.map((content) => [
      CONTENTS[content]!.title,
      ...compressors.map((compressor) => cell(find(content, compressor))),
    ]),
  );
}

async function readsTable(): Promise<string[] | undefined> {
  const results = await readResults<ReadRow>("reads");
  if (results === undefined) return undefined;
  const layers = [...new Set(results.rows.map(({ content, compressor }) => `${content}|${compressor}`))];
  const rows = layers.flatMap((layer) =>
    READ_KINDS.flatMap((kind) =>
      results.rows.filter((row) => `${row.content}|${row.compressor}` === layer && row.kind === kind).map((row) => [
        `${CONTENTS[row.content]!.title}, ${row.compressor}`,
        kind,
        row.strategy,
        row.p50Ms.toFixed(1),
        row.p99Ms.toFixed(1),
        formatBytes(row.meanFetchedBytes),
        formatBytes(row.meanDecodedBytes),
        formatBytes(row.meanDecodedBeforeBytes),
        formatBytes(row.maxDecodedBeforeBytes),
      ])
    )
  );
  const head = ["layer", "read", "strategy", "p50 ms", "p99 ms", "fetched", "decoded", "before", "before, most"];
  return markdownTable(head, rows);
}

async function adaptiveTable(): Promise<string[] | undefined> {
  const results = await readResults<AdaptiveRow>("adaptive");
  if (results === undefined) return undefined;
  const networks = [...new Set(results.rows.map(({ network }) => network))];
  const find = (content: string, rule: string, network: string) =>
    results.rows.find((row) => row.content === content && row.rule === rule && row.network === network)!;
  const rows = [...new Set(results.rows.map(({ content }) => content))].flatMap((content) =>
    [...new Set(results.rows.map(({ rule }) => rule))].map((rule) => [
      CONTENTS[content]!.title,
      rule,
      ...networks.flatMap((network) => {
        const { meanMs, p99Ms } = find(content, rule, network);
        return [meanMs.toFixed(1), p99Ms.toFixed(1)];
      }),
    ])
  );
  return markdownTable(["layer", "rule", ...networks.flatMap((name) => [`${name}: mean ms`, "p99 ms"])], rows);
}
