/**
 * Times reads in a process of its own: `deno run -A bench/read_places_main.ts FILE`, where FILE holds a JSON array of
 * {@linkcode TimedPlace}. Prints a JSON array: milliseconds of open, read and close of each, in turn.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { runShell } from "./run_shell.ts";

/** What to read. */
export interface TimedPlace {
  readonly path: string;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Milliseconds of each read, in a process of its own. `folder` takes a file. */
export async function timeReads(places: readonly TimedPlace[], folder: string): Promise<number[]> {
  const file = `${folder}/places.json`;
  await Deno.writeTextFile(file, JSON.stringify(places));
  const main = new URL(import.meta.url).pathname;
  return JSON.parse(await runShell(`"$1" run -A --quiet "$2" "$3"`, [Deno.execPath(), main, file]));
}

if (import.meta.main) {
  const places: TimedPlace[] = JSON.parse(await Deno.readTextFile(Deno.args[0]!));
  const buffer = new Uint8Array(Math.max(...places.map(({ lengthBytes }) => lengthBytes)));
  const times = places.map(({ path, offset, lengthBytes }) => {
    const started = performance.now();
    const descriptor = openSync(path, "r");
    readSync(descriptor, buffer, 0, lengthBytes, offset);
    closeSync(descriptor);
    return Math.round((performance.now() - started) * 1000) / 1000;
  });
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(times)));
}
