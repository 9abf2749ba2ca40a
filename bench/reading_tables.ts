import { formatBytes } from "../src/base/mod.ts";
import { markdownTable } from "./markdown_table.ts";
import type { ColdReadsRow, ColdRow, ColdSequentialRow } from "./report_cold.ts";
import type { CreateRow } from "./report_create.ts";
import type { SharedRow } from "./report_shared.ts";
import type { StartRow } from "./report_start.ts";
import type { WarmRow } from "./report_warm.ts";
import { readResults } from "./results_file.ts";
import type { Table } from "./tables.ts";

/** A figure of reading that the project has an aim for. */
type Aimed = readonly [what: string, aim: string, measured: string];

/** By the name of their place. */
export const readingTables: Readonly<Record<string, Table>> = {
  reading: { from: ["cold", "warm", "start", "shared"], make: readingTable },
  cold: { from: ["cold"], make: coldTable },
  warm: { from: ["warm"], make: warmTable },
  start: { from: ["start"], make: startTable },
  create: { from: ["create"], make: createTable },
  packed: { from: ["create"], make: packedTable },
};

async function readingTable(): Promise<string[] | undefined> {
  const rows = [...await ofCold(), ...await ofWarm(), ...await ofStart(), ...await ofShared()];
  return rows.length === 0 ? undefined : markdownTable(["", "aim", "measured"], rows);
}

async function ofCold(): Promise<Aimed[]> {
  const rows = (await readResults<ColdRow>("cold"))?.rows ?? [];
  const aims: Record<string, { p50: string; p99?: string; sequential: string }> = {
    "loopback": { p50: "≤ 6", p99: "≤ 20", sequential: "≥ 1.5" },
    "20 ms, 1 Gbit/s": { p50: "≤ 28", sequential: "≥ 0.8" },
  };
  return Object.entries(aims).flatMap(([network, aim]) => {
    const random = coldReads(rows).find((row) => row.network === network && row.reads === "all");
    const first = coldReads(rows).find((row) => row.network === network && row.reads === "first of a run");
    const sequential = coldSequential(rows).find((row) => row.network === network);
    const found: Aimed[] = [];
    if (random !== undefined) {
      const what = `cold random 4 KiB read, ${network}`;
      found.push([`${what}: p50, ms`, aim.p50, random.p50Ms.toFixed(1)]);
      if (aim.p99 !== undefined) found.push([`${what}: p99, ms`, aim.p99, random.p99Ms.toFixed(1)]);
      if (random.requests > 0) {
        const times = (random.fetchedBytes / random.touchedBytes).toFixed(2);
        found.push([`${what}: bytes fetched by those of the spans touched`, "≤ 1.1", times]);
      }
    }
    if (first !== undefined) {
      const what = `of them, those that are the first of their run, ${network}`;
      found.push([`${what}: p50, ms`, aim.p50, first.p50Ms.toFixed(1)]);
    }
    if (sequential !== undefined) {
      const what = `cold sequential read, ${network}: times as fast as \`curl \\| gzip -dc\``;
      found.push([what, aim.sequential, sequential.ratio.toFixed(2)]);
    }
    return found;
  });
}

async function ofWarm(): Promise<Aimed[]> {
  const rows = (await readResults<WarmRow>("warm"))?.rows ?? [];
  return warmTasks(rows).map(([task, clip, squashfuse]) => [
    `warm, ${task}: times as fast as squashfuse`,
    "≥ 1",
    (squashfuse.ms / clip.ms).toFixed(2),
  ]);
}

async function ofStart(): Promise<Aimed[]> {
  const rows = (await readResults<StartRow>("start"))?.rows ?? [];
  const find = (way: StartRow["way"]) => rows.find((row) => row.way === way);
  const [plain, profile] = [find("clip mount"), find("clip mount, indexed for it")];
  const found: Aimed[] = [];
  if (plain !== undefined) {
    found.push(["start of Python: times as fast as skopeo and umoci", "≥ 8", plain.ratio.toFixed(1)]);
    const share = (100 * plain.fetchedBytes / plain.imageBytes).toFixed(1);
    found.push(["start of Python: bytes fetched, of the image", "", `${share} %`]);
  }
  if (plain !== undefined && profile !== undefined) {
    const times = (plain.ms / profile.ms).toFixed(2);
    found.push(["start of Python: times as fast indexed for its profile as without", "≥ 1.5", times]);
  }
  return found;
}

async function ofShared(): Promise<Aimed[]> {
  const rows = (await readResults<SharedRow>("shared"))?.rows ?? [];
  return rows.map((row) =>
    row.kind === "readers"
      ? [
        `${row.readers} readers on ${row.mounts} mounts: bytes fetched by distinct bytes`,
        "1",
        (row.fetchedBytes / row.distinctBytes).toFixed(2),
      ]
      : [`MiB resident at rest after reading ${(row.readBytes / 1e9).toFixed(0)} GB`, "≤ 143", row.restMib.toFixed(0)]
  );
}

async function coldTable(): Promise<string[] | undefined> {
  const results = await readResults<ColdRow>("cold");
  if (results === undefined) return undefined;
  const rows = coldReads(results.rows).map((row) => [
    row.network,
    row.reads,
    row.count,
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    row.requests || "",
    row.requests === 0 ? "" : formatBytes(row.fetchedBytes),
    formatBytes(row.touchedBytes),
  ]);
  return markdownTable(
    ["network", "reads", "number", "p50 ms", "p99 ms", "requests", "fetched", "spans touched"],
    rows,
  );
}

async function warmTable(): Promise<string[] | undefined> {
  const results = await readResults<WarmRow>("warm");
  if (results === undefined) return undefined;
  const rows = warmTasks(results.rows).map(([task, clip, squashfuse]) => [task, clip.ms, squashfuse.ms]);
  return markdownTable(["task", "clip, ms", "squashfuse, ms"], rows);
}

async function startTable(): Promise<string[] | undefined> {
  const results = await readResults<StartRow>("start");
  if (results === undefined) return undefined;
  const rows = results.rows.map(({ way, ms, ratio, requests, fetchedBytes, imageBytes }) => {
    const share = `${(100 * fetchedBytes / imageBytes).toFixed(1)} %`;
    return [way, (ms / 1000).toFixed(2), ratio.toFixed(1), requests, formatBytes(fetchedBytes), share];
  });
  return markdownTable(["way", "seconds", "times as fast", "requests", "fetched", "of the image"], rows);
}

async function createTable(): Promise<string[] | undefined> {
  const rows = (await readResults<CreateRow>("create"))?.rows.filter(({ what }) => what === "pack");
  const cells = rows?.map(({ program, seconds, processorSeconds, bytes }) => {
    return [
      `\`${program.replace("|", "\\|")}\``,
      `${(bytes! / 1e6).toFixed(0)} MB`,
      processorSeconds!.toFixed(1),
      seconds.toFixed(1),
    ];
  });
  return cells && markdownTable(["packed by", "size", "processor time, s", "by the clock, s"], cells);
}

async function packedTable(): Promise<string[] | undefined> {
  const rows = (await readResults<CreateRow>("create"))?.rows.filter(({ what }) => what !== "pack");
  if (rows === undefined) return undefined;
  const programs = [...new Set(rows.map(({ program }) => program))];
  const cells = [...new Set(rows.map(({ what }) => what))].map((task) => {
    const of = (program: string) => rows.find((row) => row.what === task && row.program === program)!;
    return [task, ...programs.map((program) => of(program).seconds.toFixed(1))];
  });
  return markdownTable(["seconds", ...programs], cells);
}

function coldReads(rows: readonly ColdRow[]): ColdReadsRow[] {
  return rows.filter((row) => row.kind === "random");
}

function coldSequential(rows: readonly ColdRow[]): ColdSequentialRow[] {
  return rows.filter((row) => row.kind === "sequential");
}

/** By task, what clip and squashfuse took. */
function warmTasks(rows: readonly WarmRow[]): [string, WarmRow, WarmRow][] {
  const find = (task: string, fileSystem: WarmRow["fileSystem"]) =>
    rows.find((row) => row.task === task && row.fileSystem === fileSystem)!;
  return [...new Set(rows.map(({ task }) => task))].map((task) => [task, find(task, "clip"), find(task, "squashfuse")]);
}
