/**
 * The corpus again: what clip extract writes, and what GNU tar makes of clip export, have to be the tree that a mount
 * shows, which layer_application_test.ts holds against umoci.
 */
import assert from "node:assert/strict";
import { fileCalls } from "../../src/extract/file_calls.ts";
import { succeed } from "../cli/fake_io.ts";
import { compareTrees, listTree, type TreeListing } from "../e2e/compare_trees.ts";
import { mustRun, runProgram } from "../e2e/programs.ts";
import { e2eTest, type Workbench } from "../e2e/workbench.ts";
import { ATTRIBUTE_CASES, REFUSED_CASES } from "./attribute_cases.ts";
import type { Case } from "./case.ts";
import { file } from "./entries.ts";
import { writeOwnImage, writeSharedImage } from "./image_of_cases.ts";
import { LINK_CASES } from "./link_cases.ts";
import { ROOT_CASES, WHITEOUT_CASES } from "./whiteout_cases.ts";

const NEEDS = ["root", "getfattr", "tar"] as const;
// For good: a library that is opened during a test counts as a leak of it.
fileCalls();
const QUIET = ["--progress", "none"] as const;

/** What GNU tar makes of an archive's stream. */
async function untar(bench: Workbench, name: string): Promise<TreeListing> {
  const folder = bench.directory(`${name}-untarred`);
  const untar = ["tar", "-xpf", bench.path(`${name}.tar`), "--xattrs", "--xattrs-include=*", "--numeric-owner"];
  const { code, stderr } = await runProgram([...untar, "-C", folder], { env: { LC_ALL: "C" } });
  assert.equal(code, 0, stderr);
  return await listTree(folder);
}

e2eTest("extraction: all cases that can share an image", ["/dev/fuse", ...NEEDS], async (bench) => {
  bench.directory("shared");
  writeSharedImage(bench.path("shared"), [...WHITEOUT_CASES, ...LINK_CASES, ...ATTRIBUTE_CASES]);
  await bench.mustClip(["index", `oci:${bench.path("shared")}:latest`, "-o", "shared.clip", ...QUIET]);
  const expected = await listTree((await bench.mount(bench.path("shared.clip"), "mount")).directory);
  assert.ok(expected.size > 250, `${expected.size} nodes`);
  await bench.mustClip(["extract", "shared.clip", "shared-extracted", ...QUIET]);
  assert.deepEqual(compareTrees(await listTree(bench.path("shared-extracted")), expected), []);
  await bench.mustClip(["export", "shared.clip", "-o", "shared.tar", ...QUIET]);
  assert.deepEqual(compareTrees(await untar(bench, "shared"), expected), []);
  // And packed again, data and all.
  await bench.mustClip(["create", bench.path("shared-extracted"), "-o", "packed.clip"]);
  await bench.mustClip(["extract", "packed.clip", "again", "--offline", ...QUIET]);
  assert.deepEqual(compareTrees(await listTree(bench.path("again")), expected), []);
  // Holes are holes, in both.
  const find = ["find", "-name", "all-hole", "-size", "+500k", "-printf", "%b\n"];
  for (const way of ["shared-extracted", "shared-untarred", "again"]) {
    assert.equal(await mustRun(find, { cwd: bench.path(way) }), "0\n", way);
  }
});

e2eTest("extraction: cases of their own, extracted and through tar", NEEDS, async (bench) => {
  const cache = ["--cache-dir", bench.cacheDir, ...QUIET];
  const prepare = async (one: Case) => {
    bench.directory(one.name);
    writeOwnImage(bench.path(one.name), one);
    const archive = bench.path(`${one.name}.clip`);
    await succeed([
      "index",
      `oci:${bench.path(one.name)}:latest`,
      "-o",
      archive,
      ...cache.slice(2),
      "--index-cache",
      "none",
    ]);
    await succeed(["extract", archive, bench.path(`${one.name}-extracted`), ...cache]);
    return archive;
  };
  for (const one of [...ROOT_CASES, ...REFUSED_CASES]) {
    const archive = await prepare(one);
    await succeed(["export", archive, "-o", bench.path(`${one.name}.tar`), ...cache]);
    const [extracted, untarred] = [await listTree(bench.path(`${one.name}-extracted`)), await untar(bench, one.name)];
    assert.deepEqual(compareTrees(extracted, untarred), [], one.name);
  }
  // Longer than any system call takes: find goes there a directory at a time.
  const folders = Array.from({ length: 40 }, (_, i) => `${i}${"p".repeat(200)}`);
  await prepare({ name: "long", layers: () => [[file(`${folders.join("/")}/file`, "at the end")]] });
  const find = ["find", ".", "-name", "file", "-printf", "%d\n", "-execdir", "cat", "{}", ";"];
  assert.equal(await mustRun(find, { cwd: bench.path("long-extracted") }), "41\nat the end");
});
