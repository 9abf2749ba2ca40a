/** Help, usage errors and exit statuses. */
import assert from "node:assert/strict";
import { object } from "@optique/core/constructs";
import { parseSync } from "@optique/core/parser";
import { COMMANDS } from "../../src/cli/commands.ts";
import { logOptions } from "../../src/cli/basic_options.ts";
import { clip, fail, succeed } from "./fake_io.ts";

const { test } = Deno;

/** The `clip` command lines of an example, which may be joined by the shell. */
function commandLines(example: string): string[][] {
  const parts = example.split(/ && | \| /).map((part) => part.replace(/ >\S+$/, "").trim().split(/\s+/));
  return parts.filter(([program]) => program === "clip");
}

for (const entry of COMMANDS) {
  test(`clip ${entry.name} --help shows the summary, the usage and the examples, which parse`, async () => {
    const command = await entry.load();
    const help = await succeed([entry.name, "--help"]);
    const unwrapped = help.replace(/\s+/g, " ");
    assert.equal(command.summary, entry.summary);
    assert(unwrapped.includes(command.summary), help);
    assert(help.includes(`clip ${entry.name}`));
    assert.equal(await succeed([entry.name, "-h"]), help);
    assert.equal(await succeed(["help", entry.name]), help);
    assert(command.examples.length >= 1);
    for (const example of command.examples) {
      assert(unwrapped.includes(example), `${example} in ${help}`);
      for (const [, name, ...args] of commandLines(example)) {
        const parser = object({
          command: (await COMMANDS.find((other) => other.name === name)!.load()).parser,
          log: logOptions,
        });
        const result = parseSync(parser, args);
        assert(result.success, `${example}: ${JSON.stringify(result)}`);
      }
    }
    for (const line of help.split("\n")) assert(line.length <= 100, `${line.length} columns: ${line}`);
  });

  test(`clip ${entry.name}: an unknown option is one line and a hint, status 2`, async () => {
    const message = await fail([entry.name, "--no-such-option"], 2);
    assert.match(message, /no-such-option/);
    assert(message.endsWith(`clip: \`clip ${entry.name} --help\` tells more\n`), message);
  });
}

test("an error is one line, with single spaces, in a narrow terminal too", async () => {
  const { err } = await clip(["run", "--rw", "image"], (io) => io.terminal = { columns: 40 });
  assert.match(err, /^clip: error: Unexpected option or argument: "--rw"\. Did you mean .*\nclip: .*\n$/);
  assert.doesNotMatch(err, / {2}/);
});

test("the examples of the overview parse too", async () => {
  const overview = await succeed(["help"]);
  const lines = overview.split("\n").filter((line) => /^ {2}clip (?!help)/.test(line));
  assert(lines.length >= 2);
  for (const [, name, ...args] of lines.flatMap(commandLines)) {
    const { parser } = await COMMANDS.find((entry) => entry.name === name)!.load();
    assert(parseSync(parser, args).success, `${name} ${args.join(" ")}`);
  }
});

test("help lists every command; without a command it goes to standard error with status 2", async () => {
  const overview = await succeed(["help"]);
  for (const { name, summary } of COMMANDS) assert(overview.includes(`  ${name}`) && overview.includes(summary));
  assert.equal(await succeed(["--help"]), overview);
  assert.equal(await succeed(["-h"]), overview);
  assert.deepEqual(await clip([]), { status: 2, out: "", err: overview, bytes: new Uint8Array(0) });
});

test("help of help ends", async () => {
  const overview = await succeed(["help"]);
  for (const args of [["help", "help"], ["help", "--help"], ["--help", "-h"], ["-h", "help"]]) {
    assert.equal(await succeed(args), overview, args.join(" "));
  }
});

test("a misspelt command is told of, with what may have been meant", async () => {
  assert.match(await fail(["mont"], 2), /there is no command "mont"; did you mean .*`clip mount`/);
  assert.match(await fail(["indx", "x"], 2), /did you mean `clip index`/);
  assert.match(await fail(["xyzzyx"], 2), /there is no command "xyzzyx"; `clip help` lists the commands/);
  assert.match(await fail(["help", "mont"], 2), /there is no command "mont"/);
  assert.match(await fail(["\x1b[31m"], 2), /no command "\\u001b\[31m"/);
});

test("a misspelt option is told of, with what may have been meant", async () => {
  assert.match(await fail(["index", "x", "--use-cas", "balanced"], 2), /--use-cas.*--use-case/);
  assert.match(await fail(["ls", "x.clip", "--jsn"], 2), /--jsn.*--json/);
});

test("missing and surplus arguments, and values out of range", async () => {
  assert.match(await fail(["ls"], 2), /FILE\.clip/);
  assert.match(await fail(["cat", "x.clip"], 2), /PATH|missing/i);
  assert.match(await fail(["mount", "x.clip"], 2), /missing|DIR/i);
  await fail(["inspect", "a.clip", "b.clip"], 2);
  await fail(["version", "1"], 2);
  assert.match(await fail(["index", "x", "--checkpoint-mib", "0"], 2), /--checkpoint-mib|0/);
  assert.match(await fail(["index", "x", "--checkpoint-mib", "65"], 2), /65|64/);
  assert.match(await fail(["index", "x", "--jobs", "many"], 2), /many/);
  assert.match(await fail(["index", "x", "--file-checkpoints", "lots"], 2), /"lots" is not a size/);
  assert.match(await fail(["index", "x", "--use-case", "slow"], 2), /balanced.*slow/);
  assert.match(await fail(["index", "x", "--platform", "linux"], 2), /linux/);
  assert.match(await fail(["ls", "x.clip", "--log-level", "loud"], 2), /debug.*loud/);
  assert.match(await fail(["index", "UPPER/Case"], 2), /not an image reference/);
});

test("the version, in text and as JSON, by each of its names", async () => {
  const text = await succeed(["version"]);
  assert.match(
    text,
    /^clip \d+\.\d+\.\d+ \(commit (\w{12}|unknown), format 1, Deno \d.*, V8 \d.*, \w+-\w+-\w+(-\w+)?\)\n$/,
  );
  assert.equal(await succeed(["--version"]), text);
  assert.equal(await succeed(["-V"]), text);
  const facts = JSON.parse(await succeed(["version", "--json"]));
  assert.equal(facts.format, 1);
  assert(text.includes(facts.clip) && text.includes(facts.deno));
});

test("--debug adds the stack of an error; without it there is none", async () => {
  const { status, err } = await clip(["ls", "/nonexistent.clip", "--debug"]);
  assert.equal(status, 1);
  assert.match(err, /^clip: error: cannot read \/nonexistent\.clip: it does not exist\n.*ClipError.*\n\s+at /s);
  assert.match(await fail(["ls", "/nonexistent.clip"], 1), /it does not exist\n$/);
});
