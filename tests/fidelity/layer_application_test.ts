/**
 * The corpus: for every corner of layer application an image, whose mount has to be the tree that another program
 * unpacks. Where it is not, the case says in what, and docs/layer-application.md says why.
 */
import assert from "node:assert/strict";
import { compareTrees, listTree, type TreeListing } from "../e2e/compare_trees.ts";
import { mustRun, runProgram } from "../e2e/programs.ts";
import { e2eTest, type Workbench } from "../e2e/workbench.ts";
import { tar } from "../tar/tar_builder.ts";
import { ATTRIBUTE_CASES, REFUSED_CASES } from "./attribute_cases.ts";
import type { Case } from "./case.ts";
import { file } from "./entries.ts";
import { writeOwnImage, writeSharedImage } from "./image_of_cases.ts";
import { LINK_CASES } from "./link_cases.ts";
import { ROOT_CASES, WHITEOUT_CASES } from "./whiteout_cases.ts";

const SHARED_CASES = [...WHITEOUT_CASES, ...LINK_CASES, ...ATTRIBUTE_CASES];
const NEEDS = ["/dev/fuse", "root", "umoci", "getfattr", "tar"] as const;
const DOCUMENT = new URL("../../docs/layer-application.md", import.meta.url);

/** Indexes and mounts the image in `bench`'s folder `name`. */
async function mountedTree(bench: Workbench, name: string): Promise<{ directory: string; tree: TreeListing }> {
  await bench.mustClip(["index", `oci:${bench.path(name)}:latest`, "-o", `${name}.clip`, "--progress", "none"]);
  const { directory } = await bench.mount(bench.path(`${name}.clip`), `${name}-mount`);
  return { directory, tree: await listTree(directory) };
}

function unpack(bench: Workbench, name: string) {
  return runProgram(["umoci", "unpack", "--image", `${bench.path(name)}:latest`, bench.path(`${name}-bundle`)]);
}

/** The tree that umoci unpacks. */
async function unpackedTree(bench: Workbench, name: string): Promise<TreeListing> {
  const { code, stderr } = await unpack(bench, name);
  assert.equal(code, 0, stderr);
  return await listTree(bench.path(`${name}-bundle/rootfs`));
}

/** The tree that GNU tar makes of an image's one layer, which umoci is seen to refuse. */
async function untarredTree(bench: Workbench, { name, layers, umociRefuses }: Case): Promise<TreeListing> {
  const { code, stderr } = await unpack(bench, name);
  assert.equal(code, 1, `umoci unpacks ${name}`);
  assert.match(stderr, umociRefuses!.message);
  const [entries, ...more] = layers("");
  assert.equal(more.length, 0, "tar knows nothing of layers");
  const folder = bench.directory(`${name}-untarred`);
  await mustRun(["tar", "-xpf", "-", "--numeric-owner", "-C", folder], { stdin: tar(...entries!) });
  return await listTree(folder);
}

/** Differences as a case writes them: times of today, which no two runs share, are T. */
function withoutToday(lines: readonly string[]): string[] {
  const now = Date.now() / 1000;
  return lines.map((line) =>
    line.replace(/(?<=expected )(\d+)\.\d+$/, (time, seconds) => Math.abs(now - Number(seconds)) < 86_400 ? "T" : time)
  );
}

/** The part of a tree in a directory, which becomes the empty path. */
function below(tree: TreeListing, name: string): TreeListing {
  const part: TreeListing = new Map();
  for (const [path, node] of tree) {
    if (path === name || path.startsWith(`${name}/`)) part.set(path.slice(name.length), node);
  }
  return part;
}

/** A directory has a link for its name, one for its `.`, and one for `..` of each directory in it. */
async function checkDirectoryLinks(directory: string): Promise<void> {
  const text = await mustRun(["find", ".", "-xdev", "-type", "d", "-printf", "%p\\0%n\\0"], { cwd: directory });
  const fields = text.split("\0");
  const expected = new Map<string, number>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const path = fields[at]!;
    expected.set(path, 2);
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (path !== ".") expected.set(parent, expected.get(parent)! + 1);
  }
  for (let at = 0; at + 1 < fields.length; at += 2) {
    assert.equal(Number(fields[at + 1]), expected.get(fields[at]!), `links of ${JSON.stringify(fields[at])}`);
  }
}

e2eTest("layer application: all cases that can share an image", NEEDS, async (bench) => {
  bench.directory("shared");
  writeSharedImage(bench.path("shared"), SHARED_CASES);
  const [{ directory, tree }, expected] = await Promise.all([
    mountedTree(bench, "shared"),
    unpackedTree(bench, "shared"),
  ]);
  await checkDirectoryLinks(directory);
  const nodes = [...tree.keys()].length;
  assert.ok(nodes > 250, `${nodes} nodes`);
  for (const { name, differences } of SHARED_CASES) {
    const part = below(tree, name);
    assert.ok(part.size > 1, name);
    const lines = withoutToday(compareTrees(part, below(expected, name))).map((line) => line.replace(/^"\/\//, '"/'));
    assert.deepEqual(lines, differences?.lines ?? [], name);
  }
});

for (const one of [...ROOT_CASES, ...REFUSED_CASES]) {
  e2eTest(`layer application: ${one.name.replaceAll("-", " ")}`, NEEDS, async (bench) => {
    bench.directory(one.name);
    writeOwnImage(bench.path(one.name), one);
    const [{ tree }, expected] = await Promise.all([
      mountedTree(bench, one.name),
      one.umociRefuses === undefined ? unpackedTree(bench, one.name) : untarredTree(bench, one),
    ]);
    const lines = withoutToday(compareTrees(tree, expected));
    assert.deepEqual(lines, one.differences?.lines ?? []);
  });
}

e2eTest("layer application: a path longer than any system call takes", NEEDS, async (bench) => {
  const folders = Array.from({ length: 40 }, (_, i) => `${i}${"p".repeat(200)}`);
  bench.directory("long");
  writeOwnImage(bench.path("long"), {
    name: "long",
    layers: () => [[file(`${folders.join("/")}/file`, "at the end")]],
  });
  await bench.mustClip(["index", `oci:${bench.path("long")}:latest`, "-o", "long.clip", "--progress", "none"]);
  const { directory } = await bench.mount(bench.path("long.clip"), "long-mount");
  const find = ["find", directory, "-name", "file", "-printf", "%d\n", "-execdir", "cat", "{}", ";"];
  assert.equal(await mustRun(find), `${folders.length + 1}\nat the end`);
});

Deno.test("layer application: every difference has its reason in the document", () => {
  const reasons = new Set<number>();
  for (const [, number] of Deno.readTextFileSync(DOCUMENT).matchAll(/^(\d+)\. /gm)) reasons.add(Number(number));
  const used = [...SHARED_CASES, ...ROOT_CASES, ...REFUSED_CASES].flatMap(({ differences, umociRefuses }) =>
    [differences?.reason, umociRefuses?.reason].filter((reason) => reason !== undefined)
  );
  for (const reason of used) assert.ok(reasons.has(reason), `reason ${reason} is not in docs/layer-application.md`);
});
