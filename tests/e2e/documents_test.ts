/**
 * Every command in README.md and docs/ is run, and prints what the document shows; where one cannot be, the comment
 * before it says why (`<!-- not run: … -->`). Documents share a registry and an image; each has a folder of its own.
 */
import assert from "node:assert/strict";
import { CLIP_COMMAND, DENO_DIR } from "./clip_process.ts";
import { isInstalled, mustRun, runProgram } from "./programs.ts";
import { REGISTRY_NEEDS } from "./published.ts";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { e2eTest, type Workbench } from "./workbench.ts";
import { startRegistry } from "../real_registry.ts";
import { type Block, blocksOf, isLike, isTranscript, type Step, stepsOf } from "../docs/blocks.ts";

const { test } = Deno;
const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** The first is made of the parsers, and its examples are read by tests/cli/help_test.ts; the others have tests of their own. */
const ELSEWHERE: readonly string[] = ["docs/commands.md", "docs/library.md", "docs/distribution.md"];

/** A transcript of a document. */
interface Transcript {
  readonly block: Block;
  readonly steps: readonly Step[];
}

async function documents(): Promise<Map<string, Transcript[]>> {
  const paths = ["README.md", ...[...Deno.readDirSync(`${ROOT}/docs`)].map(({ name }) => `docs/${name}`)]
    .filter((path) => path.endsWith(".md") && !ELSEWHERE.includes(path)).sort();
  const found = new Map<string, Transcript[]>();
  for (const path of paths) {
    const blocks = blocksOf(await Deno.readTextFile(`${ROOT}/${path}`)).filter(isTranscript);
    found.set(path, blocks.map((block) => ({ block, steps: stepsOf(block) })));
  }
  return found;
}

function isRun({ block: { comment } }: Transcript): boolean {
  const reason = /^not run: (.*)$/.exec(comment)?.[1];
  assert(reason === undefined || reason.length >= 10, `no reason: ${comment}`);
  return reason === undefined;
}

test("documents: what cannot be run says why, and the marks of the runner mean what they say", async () => {
  const all = [...(await documents()).values()].flat();
  assert(all.filter(isRun).length >= 8, `${all.filter(isRun).length} transcripts are run`);
  assert(isLike("deb.clip: 157.7 KiB, 0.14 % of …, 2.00 s\n", "deb.clip: 1 MiB, 12 % of 3 layers, 0.30 s\n"));
  assert(isLike(`a@sha256:${"1a".repeat(32)}\n`, `a@sha256:${"f2".repeat(32)}\n`));
  assert(isLike("one\n…\nlast\n", "one\n2\n3\nlast\n") && isLike("…\n", ""));
  assert(!isLike("one\n", "two\n") && !isLike("one\n", "one\ntwo\n") && !isLike("0 failed\n", "no failed\n"));
  const [block] = blocksOf("text\n\n<!-- not run: because -->\n\n    $ clip ls \\\n      a\n    b\n\nmore\n");
  assert.deepEqual(block, { language: "", text: "$ clip ls \\\n  a\nb\n", line: 5, comment: "not run: because" });
  assert.deepEqual(stepsOf(block!), [{ command: "clip ls \\\n  a", output: "b\n" }]);
});

/** As GitHub makes them. */
function anchorsOf(markdown: string): Set<string> {
  const titles = [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.toLowerCase());
  return new Set(titles.map((title) => title.replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")));
}

test("documents: links between them lead somewhere", async () => {
  const paths = [
    "README.md",
    "CHANGELOG.md",
    ...[...Deno.readDirSync(`${ROOT}/docs`)].map(({ name }) => `docs/${name}`),
  ];
  const broken: string[] = [];
  for (const path of paths.filter((path) => path.endsWith(".md"))) {
    const text = (await Deno.readTextFile(`${ROOT}/${path}`)).replace(/`[^`\n]*`/g, "");
    for (const [, link] of text.matchAll(/(?:\]\(|^\[[^\]]+\]: )(?!https?:)([^)\s]+)/gm)) {
      const [target, anchor] = link!.split("#");
      const file = target === "" ? `${ROOT}/${path}` : new URL(target!, `file://${ROOT}/${path}`).pathname;
      const linked = await Deno.readTextFile(file).catch(() => undefined);
      if (linked === undefined || (anchor !== undefined && !anchorsOf(linked).has(anchor))) {
        broken.push(`${path}: ${link}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

e2eTest("docs/clip.1: nothing for man to complain of", ["mandoc"], async () => {
  const page = `${ROOT}/docs/clip.1`;
  const checks = [
    { program: "mandoc", args: ["-T", "lint", "-W", "warning", page], allowed: /missing date/ },
    { program: "man", args: ["--warnings", "-E", "UTF-8", "-l", page], allowed: /^$/ },
  ].filter(({ program }) => isInstalled(program));
  for (const { program, args, allowed } of checks) {
    const { stdout, stderr } = await runProgram([program, ...args], { env: { MANPAGER: "cat", MANWIDTH: "80" } });
    const said = `${program === "mandoc" ? stdout : ""}${stderr}`.split("\n").filter((line) => !allowed.test(line));
    assert.deepEqual(said.filter((line) => line !== ""), [], program);
  }
});

e2eTest(
  "documents: every command works and prints what is shown",
  [...IMAGE_NEEDS, ...REGISTRY_NEEDS, "/dev/fuse", "runc"],
  async (bench) => {
    const image = await testImage();
    const registry = await startRegistry();
    assert(registry !== undefined);
    bench.defer(registry.stop);
    const push = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", image.reference];
    await mustRun([...push, `docker://${registry.host}/deb:1`]);
    const words = CLIP_COMMAND.map((word) => `'${word}'`).join(" ");
    await Deno.writeTextFile(`${bench.directory("bin")}/clip`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    const faults: string[] = [];
    for (const [path, transcripts] of await documents()) {
      const run = transcripts.filter(isRun);
      if (run.length > 0) faults.push(...await runDocument(bench, registry.host, path, run));
    }
    assert(faults.length === 0, faults.join("\n"));
  },
);

/** One shell for a document: its commands build on one another. What is not as it is shown. */
async function runDocument(bench: Workbench, host: string, path: string, transcripts: Transcript[]): Promise<string[]> {
  const name = path.replace(/\W/g, "-");
  const folder = bench.directory(`${name}/srv`);
  const steps = transcripts.flatMap(({ block, steps }) => steps.map((step) => ({ ...step, line: block.line })));
  const marker = `@@${crypto.randomUUID()}`;
  const script = steps.map(({ command }, at) => {
    Deno.writeTextFileSync(bench.path(`${name}/${at}`), `${command.replaceAll("localhost:5055", host)}\n`);
    return `. '${bench.path(`${name}/${at}`)}' </dev/null 2>&1\necho "${marker} $?"\n`;
  }).join("");
  const home = bench.directory(`${name}/home`);
  const env = {
    PATH: `${bench.path("bin")}:${Deno.env.get("PATH")}`,
    HOME: home,
    DENO_DIR,
    CLIP_CACHE_DIR: `${home}/.cache/clip`,
    CLIP_RUNTIME_DIR: bench.directory(`${name}/run`),
    LC_ALL: "C",
  };
  const { stdout } = await runProgram(["timeout", "300", "bash", "-c", script], { cwd: folder, env });
  const printed = stdout.replaceAll(home, "~").replaceAll(folder, "/srv").replaceAll(host, "localhost:5055");
  const answers = printed.split(new RegExp(`${marker} (\\d+)\\n`));
  return steps.flatMap(({ command, output, line }, at) => {
    const answer = answers[2 * at] ?? "";
    const status = answers[2 * at + 1];
    const where = `${path}:${line}: $ ${command}`;
    if (output === undefined) return status === "0" ? [] : [`${where}\nends with status ${status}:\n${answer}`];
    return isLike(output, answer) ? [] : [`${where}\nis shown to print:\n${output}and prints:\n${answer}`];
  });
}
