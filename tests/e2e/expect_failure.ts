/** What every failure of clip has in common. */
import assert from "node:assert/strict";
import type { ProgramOptions } from "./programs.ts";
import { until, type Workbench } from "./workbench.ts";

/** How clip is to fail. */
export interface ExpectedFailure {
  /** 1: it could not be done; 2: the command line is wrong. */
  readonly code: 1 | 2;
  /** Of the message, without `clip: error: `. */
  readonly message: RegExp;
}

/**
 * Runs clip and asserts that it fails as it should: the status, one line `clip: error: …` (for a usage error a second
 * that says where to read more), no stack, nothing on standard output, and no file, mount or process left behind.
 */
export async function expectFailure(
  bench: Workbench,
  args: readonly string[],
  expected: ExpectedFailure,
  options: ProgramOptions = {},
): Promise<void> {
  const before = { names: bench.names(), mounts: bench.mounts(), processes: bench.processes() };
  const { code, stdout, stderr } = await bench.clip(args, options);
  const what = `clip ${args.join(" ")}: status ${code}: ${stderr}`;
  assert.equal(code, expected.code, what);
  assert.equal(stdout, "", what);
  const hint = expected.code === 2 ? "(clip: [^\\n]*\\n)?" : "";
  const line = new RegExp(`^clip: error: ([^\\n]+)\\n${hint}$`).exec(stderr);
  assert.ok(line !== null, `not one line of error: ${what}`);
  assert.match(line[1]!, expected.message, what);
  assert.doesNotMatch(stderr, /\bat \S+ \(|\.ts:\d+|undefined|\[object/, what);
  assert.deepEqual(bench.names().filter((name) => name !== "cache"), before.names.filter((name) => name !== "cache"));
  assert.deepEqual(bench.mounts(), before.mounts);
  const left = () => bench.processes().filter((pid) => !before.processes.includes(pid));
  assert.ok(await until(() => left().length === 0, 3000), `processes left: ${left()}: ${what}`);
}
