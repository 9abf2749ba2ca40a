import { BenchMount, dropPageCache, timeShell } from "./bench_mount.ts";
import { writeManyFilesImage } from "./many_files_image.ts";
import { indexInOwnProcess } from "./measure_process.ts";
import type { OpeningTimes } from "./open_archive_main.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { runShell } from "./run_shell.ts";
import { median } from "./statistics.ts";

const FILES = [10_000, 100_000, 1_000_000];

/** What an image of many files costs. */
export interface FilesRow {
  readonly files: number;
  readonly archiveBytes: number;
  readonly bytesAFile: number;
  /** `clip index`, as a whole process, nothing known from before. */
  readonly indexMs: number;
  readonly indexPeakMib: number;
  /** Opening the archive in a process that has just started. */
  readonly openMs: number;
  readonly openProcessorMs: number;
  /** `clip mount --daemon`, as a whole process: until the mount can be used. */
  readonly mountMs: number;
  readonly mountedMib: number;
  /** `find` over all of it with types and sizes, the kernel knowing nothing, and its number of lines. */
  readonly findMs: number;
  readonly found: number;
  /** Resident after it. */
  readonly foundMib: number;
}

/** Measures images of ten thousand to a million small files; takes root and /dev/fuse. */
export async function measureFilesPart({ rounds, folder, say }: ReportOptions): Promise<FilesRow[]> {
  const rows: FilesRow[] = [];
  for (const files of FILES) {
    const row = await measureFiles(files, `${folder}/${files}`, rounds);
    say(JSON.stringify(row));
    rows.push(row);
  }
  return rows;
}

async function measureFiles(files: number, folder: string, rounds: number): Promise<FilesRow> {
  await writeManyFilesImage(`${folder}/layout`, files);
  const source = `oci:${folder}/layout:latest`;
  const archive = `${folder}/image.clip`;
  const index = await indexInOwnProcess(source, archive);
  const archiveBytes = Deno.statSync(archive).size;
  const opens: OpeningTimes[] = [];
  const mounts: number[] = [];
  const finds: number[] = [];
  let mountedMib = 0;
  let foundMib = 0;
  let found = 0;
  for (let i = 0; i < rounds; i++) {
    const main = new URL("open_archive_main.ts", import.meta.url).pathname;
    opens.push(JSON.parse(await runShell(`"$1" run -A --quiet "$2" "$3"`, [Deno.execPath(), main, archive])));
    const started = performance.now();
    const mount = await BenchMount.open(archive, `${folder}/mount`, { source, cacheDir: `${folder}/cache` });
    mounts.push(performance.now() - started);
    mountedMib = mount.residentMib();
    await dropPageCache();
    const list = `find "$1" -printf '%y %s %p\\n' | wc -l > "$2"`;
    finds.push(await timeShell(list, [mount.directory, `${folder}/found`]));
    found = Number(await Deno.readTextFile(`${folder}/found`));
    foundMib = mount.residentMib();
    await mount.close();
  }
  return {
    files,
    archiveBytes,
    bytesAFile: round(archiveBytes / files, 1),
    indexMs: Math.round(index.wallMs),
    indexPeakMib: Math.round(index.peakBytes / 2 ** 20),
    openMs: Math.round(median(opens.map(({ ms }) => ms))),
    openProcessorMs: Math.round(median(opens.map(({ processorMs }) => processorMs))),
    mountMs: Math.round(median(mounts)),
    mountedMib: Math.round(mountedMib),
    findMs: Math.round(median(finds)),
    found,
    foundMib: Math.round(foundMib),
  };
}
