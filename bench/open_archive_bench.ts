/**
 * What opening an archive costs: `deno bench -A bench/open_archive_bench.ts`. The tree is made up: 100,000 nodes, 9,000
 * of them directories, with names and sizes like those of a distribution's files.
 */
import { childrenOf, contents, directory, file, join, layer, symlink } from "../tests/archive/model_builder.ts";
import { encodeArchive, openArchive, type TreeNode } from "../src/archive/mod.ts";
import { memoryRangeSource } from "../tests/memory_range_source.ts";

const NODES = 100_000;
const LAYER_BYTES = 1 << 20;

/** A tree of `nodes` nodes, the root included. */
function wideTree(nodes: number): TreeNode {
  const root = directory();
  const folders = [root];
  for (let made = 1; made < nodes; made++) {
    const parent = folders[(made * 7919) % folders.length]!;
    const name = `${["lib", "python3-", "LICENSE.", "index_of_"][made % 4]}${made.toString(36)}.so`;
    if (made % 11 === 0) {
      const folder = directory();
      folders.push(folder);
      childrenOf(parent).set(name, folder);
    } else if (made % 17 === 0) childrenOf(parent).set(name, symlink(`../${name}.1`));
    else {
      const plainOffset = (made * 512) % (LAYER_BYTES - 40_000);
      childrenOf(parent).set(name, file(1 + (made * 31) % 40_000, { layer: 0, plainOffset }));
    }
  }
  return root;
}

const model = contents(wideTree(NODES), [layer(0, LAYER_BYTES, { spanBytes: 4096 })]);
const bytes = join(encodeArchive(model));
const source = memoryRangeSource(bytes);
const { tree } = await openArchive(source);
const name = new TextEncoder().encode("usr");

Deno.bench(`open an archive of ${NODES} nodes (${bytes.length} bytes)`, { warmup: 3, n: 20 }, async () => {
  await openArchive(source);
});

Deno.bench(`write an archive of ${NODES} nodes`, { warmup: 1, n: 5 }, () => {
  encodeArchive(model);
});

Deno.bench("look up a name that is not there, in the root", () => {
  tree.lookup(1, name, 0, name.length);
});

Deno.bench("find a path of the last inode", { n: 1000 }, () => {
  tree.path(tree.inodeCount);
});
