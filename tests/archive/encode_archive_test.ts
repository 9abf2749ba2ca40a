import assert from "node:assert/strict";
import fc from "fast-check";
import { INODE_COLUMNS, type TreeNode } from "../../src/archive/mod.ts";
import {
  anyTree,
  archiveBytes,
  childrenOf,
  contents,
  sampleArchive,
  sampleLayers,
  sampleTree,
} from "./model_builder.ts";
import { sectionsOf } from "./signed.ts";

/** A copy of the tree, hard links kept, with every Map filled in the opposite order. */
function reversed(root: TreeNode): TreeNode {
  const copies = new Map<TreeNode, TreeNode>();
  const copy = (node: TreeNode): TreeNode => {
    let made = copies.get(node);
    if (made === undefined) {
      copies.set(node, made = { ...node });
      made.xattrs = node.xattrs === undefined ? undefined : new Map([...node.xattrs].reverse());
      made.children = node.children === undefined
        ? undefined
        : new Map([...childrenOf(node)].reverse().map(([name, child]) => [name, copy(child)]));
    }
    return made;
  };
  return copy(root);
}

Deno.test("equal contents give equal bytes, whatever the order in which they were put together", () => {
  assert.deepEqual(archiveBytes(contents(reversed(sampleTree()), sampleLayers())), sampleArchive());
  fc.assert(
    fc.property(anyTree, (root) => {
      assert.deepEqual(archiveBytes(contents(reversed(root))), archiveBytes(contents(root)));
    }),
    { numRuns: 50 },
  );
});

Deno.test("equal contents give equal bytes, whatever the order of their fields", () => {
  const backwards = <Value extends object>(value: Value): Value =>
    Object.fromEntries(
      Object.entries(value).reverse().map(([name, of]) => [name, isPlain(of) ? backwards(of) : of]),
    ) as Value;
  const of = contents(sampleTree(), sampleLayers());
  const layers = of.layers.map((layer) => ({ ...layer, info: { ...backwards(layer.info), more: "ignored" } }));
  const image = { ...backwards(of.image), more: "ignored" };
  assert.notEqual(JSON.stringify(image.options), JSON.stringify(of.image.options));
  assert.deepEqual(archiveBytes({ ...of, image, layers }), sampleArchive());
});

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

Deno.test("writing leaves the contents as they are", () => {
  const of = contents(sampleTree(), sampleLayers());
  archiveBytes(of);
  assert.deepEqual(of, contents(sampleTree(), sampleLayers()));
});

Deno.test("equal times, owners and modes cost next to nothing", () => {
  const root = sampleTree();
  const folder = childrenOf(root.children!.get("dev")!);
  for (let i = 0; i < 10_000; i++) folder.set(`node${i}`, { ...folder.get("pipe")! });
  const archive = archiveBytes(contents(root, sampleLayers()));
  const column = 4 * 10_000;
  assert.ok(
    sectionsOf(archive).inodes.length - sectionsOf(sampleArchive()).inodes.length === INODE_COLUMNS.length * column,
  );
  const bytesEach = (archive.length - sampleArchive().length) / 10_000;
  assert.ok(bytesEach < 10, `${bytesEach} bytes a node, its name and number included`);
});
