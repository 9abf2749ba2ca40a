/**
 * Times the opening of an archive in a process that has just started: `deno run -A bench/open_archive_main.ts FILE`.
 * Prints a JSON object of milliseconds: by the clock, and of processors, which others on the machine make no longer.
 */
import process from "node:process";
import { openBenchArchive } from "./bench_mount.ts";

/** What it prints. */
export interface OpeningTimes {
  readonly ms: number;
  readonly processorMs: number;
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

if (import.meta.main) {
  const processorBefore = processorMs();
  const before = performance.now();
  await openBenchArchive(Deno.args[0]!);
  const times: OpeningTimes = { ms: performance.now() - before, processorMs: processorMs() - processorBefore };
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(times)));
}
