/** Wrong command lines: status 2 and a way out. */
import assert from "node:assert/strict";
import { expectFailure } from "./expect_failure.ts";
import { e2eTest } from "./workbench.ts";

const WRONG: readonly [args: string[], message: RegExp][] = [
  [["indx", "oci:x"], /no command "indx"; did you mean `clip index`\?/],
  [["frobnicate"], /no command "frobnicate"; `clip help` lists the commands/],
  [["mount", "--cache-dri", "x", "a.clip", "d"], /--cache-dri.*did you mean.*--cache-dir/i],
  [["index", "oci:x", "--check-mib", "2"], /--check-mib/],
  [["index", "oci:x", "--checkpoint-mib", "0"], /equal to 1, but got "0"/],
  [["index", "oci:x", "--checkpoint-mib", "two"], /two/],
  [["index", "oci:x", "--jobs", "0"], /\b0\b/],
  [["index", "oci:x", "--use-case", "fast"], /fast-index/],
  [["index", "oci:x", "--file-checkpoints", "many"], /"many" is not a size/],
  [["index", "oci:x", "--platform", "linux"], /linux/],
  [["index"], /IMAGE/],
  [["index", "one", "two"], /two/],
  [["index", "UPPER:CASE:!"], /UPPER/],
  [["mount", "a.clip"], /DIR/],
  [["mount", "a.clip", "d", "--log-level", "loud"], /loud/],
  [["cat", "a.clip"], /PATH/],
  // Of a variable that is not set: it would be the folder `/`.
  [["cat", "--cache-dir", "", "a.clip", "/f"], /`--cache-dir`: it is empty/],
  [["index", "oci:x", "-o", ""], /`--output`: it is empty/],
];

e2eTest("usage errors: one line, a hint, status 2", [], async (bench) => {
  for (const [args, message] of WRONG) await expectFailure(bench, args, { code: 2, message });
});

e2eTest("usage: no arguments and help", [], async (bench) => {
  const nothing = await bench.clip([]);
  assert.equal(nothing.code, 2);
  assert.equal(nothing.stdout, "");
  assert.match(nothing.stderr, /^Usage: clip COMMAND/m);
  const help = await bench.clip(["help"]);
  assert.equal(help.code, 0);
  assert.equal(help.stdout, nothing.stderr);
  for (const [, command] of help.stdout.matchAll(/^ {2}(\w+) {2}/gm)) {
    if (command === "help") continue;
    const { code, stdout, stderr } = await bench.clip(["help", command!]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`Usage: clip ${command}`, "i"));
  }
});
