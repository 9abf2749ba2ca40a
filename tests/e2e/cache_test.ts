/** The cache of fetched spans: shared, checked, and done without. */
import assert from "node:assert/strict";
import { compareTrees, listTree } from "./compare_trees.ts";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { e2eTest } from "./workbench.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { ARCHITECTURE, blobPath, digestOf, writeImage, writeLayer, writeSmallImage } from "./oci_layout.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";

const NEEDS = ["/dev/fuse", "root"];

e2eTest("cache: two mounts of an image share what either has fetched", NEEDS, async (bench) => {
  const layers = writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "small.clip"]);
  const one = await bench.mount(bench.path("small.clip"), "one");
  const two = await bench.mount(bench.path("small.clip"), "two");
  const text = await Deno.readTextFile(`${one.directory}/numbers`);
  assert.match(one.log(), / fetching /);
  // Nothing is left to fetch from.
  for (const { digest } of layers) await Deno.remove(blobPath(bench.path("layout"), digest));
  assert.equal(await Deno.readTextFile(`${two.directory}/numbers`), text);
  assert.doesNotMatch(two.log(), / fetching /);
  assert.equal(await bench.mustClip(["cat", "small.clip", "/numbers"]), text);
});

e2eTest("cache: two processes that read a shared layer at once fetch each of its spans once", [
  ...NEEDS,
  ...REGISTRY_NEEDS,
], async (bench) => {
  const random = new SeededRandom(1);
  const members = Array.from({ length: 12 }, (_, number) => {
    return { path: `file-${number}`, data: Uint8Array.from({ length: 600_000 }, () => 97 + random.below(16)) };
  });
  const layout = bench.path("layout");
  const shared = writeLayer(layout, members);
  writeImage(layout, [shared, writeLayer(layout, [{ path: "own", data: new Uint8Array(10) }])], ARCHITECTURE);
  const { proxy, reference } = await publish(bench, `oci:${layout}:latest`);
  await bench.mustClip(["index", "--plain-http", reference, "-o", "both.clip"]);
  await bench.mustClip(["index", "--plain-http", "--layers", "1", reference, "-o", "lower.clip"]);
  proxy.seen.length = 0;
  // So that the readers' ways cross.
  proxy.latencyMs = 30;
  const mounts = await Promise.all(
    ["both", "lower"].map((name) => bench.mount(bench.path(`${name}.clip`), name, ["--plain-http"])),
  );
  await Promise.all(mounts.flatMap(({ directory, log }) =>
    members.map(async ({ path, data }) => {
      const bytes = await Deno.readFile(`${directory}/${path}`);
      assert.equal(digestOf(bytes), digestOf(data), `${path}: ${log()}`);
    })
  ));
  const fetched = proxy.blobRequests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
  // Ranges of neighbours share a byte or a block's header.
  assert.ok(fetched <= shared.sizeBytes * 1.02, `${fetched} bytes of a layer of ${shared.sizeBytes}`);
  for (const { log } of mounts) assert.doesNotMatch(log(), /damaged|cannot read|fetching again/);
});

e2eTest("cache: damaged bytes are found, told of and fetched again", NEEDS, async (bench) => {
  writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "small.clip"]);
  const text = await bench.mustClip(["cat", "small.clip", "/numbers"]);
  const damaged = damageCache(bench.cacheDir, new TextEncoder().encode("\n12345\n"));
  assert.equal(damaged, 1);
  const mount = await bench.mount(bench.path("small.clip"), "mnt");
  assert.equal(await Deno.readTextFile(`${mount.directory}/numbers`), text);
  assert.match(mount.log(), /clip: warn: a cached span is damaged and will be fetched again layer=0 span=0 file=/);
  await bench.mustClip(["unmount", "mnt"]);
  // What was fetched again has been kept.
  const { stderr } = await bench.clip(["cat", "--debug", "small.clip", "/numbers"]);
  assert.doesNotMatch(stderr, /damaged| fetching /);
});

/** Turns bits over in every file below `folder` that holds `text`; how many those were. */
function damageCache(folder: string, text: Uint8Array): number {
  let damaged = 0;
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) damaged += damageCache(path, text);
    else if (entry.isFile) {
      const bytes = Deno.readFileSync(path);
      const at = indexOf(bytes, text);
      if (at < 0) continue;
      bytes[at + 2]! ^= 1;
      // In place: the file may be open elsewhere.
      using file = Deno.openSync(path, { write: true });
      file.writeSync(bytes);
      damaged++;
    }
  }
  return damaged;
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) {
    if (part.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

e2eTest("cache: a folder that cannot be written is told of and done without", NEEDS, async (bench) => {
  writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "small.clip"]);
  Deno.writeTextFileSync(bench.path("file"), "in the way");
  const { code, stdout, stderr } = await bench.clip(["cat", "--cache-dir", "file/cache", "small.clip", "/etc/motd"]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "hello\n");
  assert.match(stderr, /^clip: warn: going on without the cache[^\n]*file\/cache[^\n]*\n$/);
  const mount = await bench.mount(bench.path("small.clip"), "mnt", ["--cache-dir", bench.path("file/cache")]);
  assert.equal(await Deno.readTextFile(`${mount.directory}/etc/motd`), "hello\n");
  assert.ok((await Deno.readTextFile(`${mount.directory}/numbers`)).endsWith("\n19999\n"));
  assert.match(mount.log(), /clip: warn: going on without the cache/);
});

e2eTest("--cache-dir none: spans are kept in memory, and nowhere else", NEEDS, async (bench) => {
  writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "small.clip"]);
  const mount = await bench.mount(bench.path("small.clip"), "mnt", ["--cache-dir", "none"]);
  assert.equal(await Deno.readTextFile(`${mount.directory}/etc/motd`), "hello\n");
  assert.ok((await Deno.readTextFile(`${mount.directory}/numbers`)).endsWith("\n19999\n"));
  assert.deepEqual(bench.names().filter((name) => name === "none"), []);
  const kept = [...Deno.readDirSync(bench.cacheDir)].map(({ name }) => name);
  assert.ok(!kept.some((name) => name.startsWith("sha256_")), `${kept}`);
  const { code, stderr } = await bench.clip(["warm", "--cache-dir", "none", "small.clip"]);
  assert.equal(code, 2, stderr);
});

e2eTest("--no-checkpoints: the same tree, and the log says that layers are inflated whole", [
  "/dev/fuse",
  ...IMAGE_NEEDS,
], async (bench) => {
  const image = await testImage();
  await bench.mustClip(["index", image.reference, "-o", "image.clip"]);
  const mount = await bench.mount(bench.path("image.clip"), "mnt", ["--no-checkpoints"]);
  assert.deepEqual(compareTrees(await listTree(mount.directory), await listTree(image.unpacked)), []);
  for (const layer of [0, 1, 2]) {
    assert.equal(mount.log().match(new RegExp(`inflating the whole of layer ${layer}`, "g"))?.length, 1);
  }
});
