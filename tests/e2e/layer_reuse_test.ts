/** A second image on a base, from a real registry: what it costs, and whether it can be told from its archive. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { compareTrees, listTree } from "./compare_trees.ts";
import { ARCHITECTURE, type LayoutLayer, writeImage, writeLayer } from "./oci_layout.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

const text = (content: string) => new TextEncoder().encode(content);

/** A layout with a base of two layers and one of its own; the layers, lowest first. */
function writeOnBase(layout: string, own: string): LayoutLayer[] {
  const numbers = Array.from({ length: 100_000 }, (_, i) => `${i * i}\n`).join("");
  const layers = [
    writeLayer(layout, [{ path: "etc/", type: "5", mode: 0o755 }, { path: "squares", data: text(numbers) }]),
    writeLayer(layout, [{ path: "etc/hostname", data: text("base\n"), xattrs: { "user.kind": "name" } }]),
    writeLayer(layout, [{ path: `opt/${own}`, data: text(own) }, { path: "etc/.wh.hostname" }]),
  ];
  writeImage(layout, layers, ARCHITECTURE);
  return layers;
}

async function index(bench: Workbench, name: string, ...args: string[]): Promise<Uint8Array> {
  await bench.mustClip(["index", ...args, "-o", name]);
  return Deno.readFileSync(bench.path(name));
}

e2eTest("index: a second image on a base asks for its own layers alone", REGISTRY_NEEDS, async (bench) => {
  writeOnBase(bench.path("first"), "first");
  const layers = writeOnBase(bench.path("second"), "second");
  await index(bench, "first.clip", `oci:${bench.path("first")}:latest`);
  const { proxy, reference } = await publish(bench, `oci:${bench.path("second")}:latest`);
  const summary = await bench.mustClip(["index", "--plain-http", reference, "-o", "second.clip"]);
  assert.match(summary, /; 2 of 3 layers reused\n/);
  const asked = layers.map(({ digest }) => proxy.blobRequests.filter(({ path }) => path.endsWith(digest)).length);
  assert.deepEqual(asked, [0, 0, 1]);
  assert.equal(proxy.blobRequests.length, 2, "the config and one layer");
  const afresh = await index(bench, "afresh.clip", "--plain-http", "--index-cache", "none", reference);
  assert.ok(Buffer.from(afresh).equals(Deno.readFileSync(bench.path("second.clip"))), "the archive is another");
});

e2eTest("index --layers: the lowest layers, mounted", ["/dev/fuse", "root"], async (bench) => {
  const layers = writeOnBase(bench.path("layout"), "own");
  const image = `oci:${bench.path("layout")}:latest`;
  await index(bench, "base.clip", "--layers", "2", image);
  // An image that has no more than those.
  writeImage(bench.path("layout"), layers.slice(0, 2), ARCHITECTURE);
  await index(bench, "whole.clip", image);
  const base = await bench.mount(bench.path("base.clip"), "base");
  const whole = await bench.mount(bench.path("whole.clip"), "whole");
  assert.equal(await Deno.readTextFile(`${base.directory}/etc/hostname`), "base\n");
  assert.deepEqual(compareTrees(await listTree(base.directory), await listTree(whole.directory)), []);
  await bench.mustClip(["verify", "--layers", "base.clip"]);
});
