/**
 * Times the opening of an archive in a process that has just started: `deno run -A bench/open_archive_main.ts FILE`.
 * Prints a JSON array of milliseconds: the first opening, which is what a mount waits for, and four after it.
 */
import { openBenchArchive } from "./bench_mount.ts";

if (import.meta.main) {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    await openBenchArchive(Deno.args[0]!);
    times.push(Math.round(performance.now() - started));
  }
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(times)));
}
