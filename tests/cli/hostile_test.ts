/** clip index on images that mean harm: one line, status 1, and nothing left. Runs in this process; see also tests/e2e. */
import assert from "node:assert/strict";
import { DOCUMENT_CASES } from "../hostile/document_cases.ts";
import { ENTRY_CASES } from "../hostile/entry_cases.ts";
import { type HostileCase, withoutDigests } from "../hostile/hostile_case.ts";
import { STREAM_CASES } from "../hostile/stream_cases.ts";
import { mutate } from "../codec/mutate.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";
import { LayoutWriter, withFolder } from "../oci/make_layout.ts";
import { clip, writeLayout } from "./fake_io.ts";

const { test } = Deno;
const OPTIONS = ["--progress", "none", "--platform", "linux/amd64"];
/** Far more than any takes; those that take more are in tests/e2e. */
const MAX_MS = 30_000;
const MUTATED_LAYOUTS = 100;

/** Files below a folder. */
function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    return isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`];
  });
}

async function refuses({ make, message, options = [] }: HostileCase): Promise<void> {
  await withFolder(async (folder) => {
    const layout = new LayoutWriter(`${folder}/layout`);
    const reference = make(layout) ?? `oci:${folder}/layout:v1`;
    const started = performance.now();
    const cache = ["--index-cache", `${folder}/cache`];
    const { status, out, err } = await clip([
      "index",
      reference,
      "-o",
      `${folder}/o.clip`,
      ...cache,
      ...OPTIONS,
      ...options,
    ]);
    assert.equal(status, 1, err);
    assert.equal(out, "");
    assert.match(withoutDigests(err), new RegExp(`^clip: error: ${message.source}\\n$`));
    assert(err.length < 1000, `a line of ${err.length} bytes`);
    assert(performance.now() - started < MAX_MS);
    // What was learnt of a layer that is sound in itself may be kept.
    const left = filesBelow(folder).filter((path) => !path.startsWith(`${layout.path}/`) && !path.endsWith(".clipl"));
    assert.deepEqual(left, []);
  });
}

for (const hostile of [...ENTRY_CASES, ...STREAM_CASES, ...DOCUMENT_CASES]) {
  test(`hostile: ${hostile.name}`, () => refuses(hostile));
}

test(`hostile: ${MUTATED_LAYOUTS} layouts with damages anywhere are indexed, or refused in one line`, async () => {
  const seed = testSeed();
  for (let round = 0; round < MUTATED_LAYOUTS; round++) {
    const random = new SeededRandom(seed + round);
    await withFolder(async (folder) => {
      const { path } = writeLayout(`${folder}/layout`);
      const files = filesBelow(path);
      const damaged = files[random.below(files.length)]!;
      Deno.writeFileSync(damaged, mutate(Deno.readFileSync(damaged), random));
      const args = ["index", `oci:${path}:v1`, "-o", `${folder}/o.clip`, "--index-cache", "none", ...OPTIONS];
      const { status, err } = await clip(args);
      const what = `CLIP_TEST_SEED=${seed + round}: ${damaged.slice(path.length)}: status ${status}: ${err}`;
      if (status === 0) assert.doesNotMatch(err, /error/, what);
      else assert.match(err, /^(clip: warn: [^\n]+\n)*clip: error: (?!internal)[^\n]+\n$/, what);
      assert.equal(filesBelow(folder).length, files.length + (status === 0 ? 1 : 0), what);
    });
  }
});

test("no message drives a terminal: neither an error with its stack, nor what is wrong with arguments", async () => {
  for (const args of [["ls", "no\x1b[31m\u202e.clip", "--debug"], ["ls", "--no\x1b[31mne"]]) {
    const { err } = await clip(args);
    assert.match(err, /\\u001b\[31m/);
    // deno-lint-ignore no-control-regex -- those are looked for
    assert.doesNotMatch(err.replaceAll("\n", ""), /[\x00-\x1f\x7f\u202e]/);
  }
});
