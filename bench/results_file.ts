import { cpus, loadavg, release, totalmem } from "node:os";
import { formatBytes } from "../src/base/mod.ts";
import { runShell } from "./run_shell.ts";

/** Figures with what is needed to judge them. */
export interface Results<Row> {
  /** In a sentence, with the command that makes it. */
  readonly about: string;
  readonly machine: string;
  /** Of the source, where git knows. */
  readonly commit: string;
  /** Of the end. */
  readonly date: string;
  /** The average load of a minute, before and after: what others did at the time adds to it, and so do the parts. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly rows: readonly Row[];
}

/** Where results are written and read: a `file:` URL that ends in a slash. */
export const RESULTS_FOLDER: URL = new URL("./results/", import.meta.url);

/** Processor, memory, kernel and Deno of this machine. */
export function describeMachine(): string {
  const all = cpus();
  const model = all[0]?.model.trim() ?? "unknown processor";
  const memory = formatBytes(totalmem());
  return `${all.length} × ${model}, ${memory}, Linux ${release().replace(/-.*/, "")}, Deno ${Deno.version.deno}`;
}

/** Runs `measure` and writes what it returns to `<name>.json`. */
export async function writeResults<Row>(
  name: string,
  about: string,
  measure: () => Promise<readonly Row[]>,
): Promise<void> {
  const loadBefore = loadavg()[0]!;
  const rows = await measure();
  const results: Results<Row> = {
    about: `${about} Command: deno task bench:report ${name}`,
    machine: describeMachine(),
    commit: Deno.env.get("CLIP_BENCH_COMMIT") ?? await currentCommit(),
    date: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
    loadBefore,
    loadAfter: loadavg()[0]!,
    rows,
  };
  await Deno.mkdir(RESULTS_FOLDER, { recursive: true });
  // One row a line: they are compared with `git diff`.
  const { rows: _rows, ...head } = results;
  const lines = rows.map((row) => `    ${JSON.stringify(row)}`).join(",\n");
  const text = `${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  "rows": [\n${lines}\n  ]\n}\n`;
  await Deno.writeTextFile(new URL(`${name}.json`, RESULTS_FOLDER), text);
}

async function currentCommit(): Promise<string> {
  const here = new URL(".", import.meta.url).pathname;
  return await runShell(`cd "$1" && git describe --always --dirty`, [here]).then(
    (line) => line.trim(),
    () => "unknown",
  );
}

/** The results that were written last; undefined where there are none. */
export async function readResults<Row>(name: string): Promise<Results<Row> | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(new URL(`${name}.json`, RESULTS_FOLDER)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
