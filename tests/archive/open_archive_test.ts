import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteString, displayByteString, fromByteString, sha256 } from "../../src/base/mod.ts";
import {
  type Archive,
  type Extent,
  openArchive,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  SPARSE_LAYER,
  type Tree,
  type TreeNode,
} from "../../src/archive/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import {
  anyTree,
  archiveBytes,
  childrenOf,
  contents,
  directory,
  file,
  layer,
  layerBytes,
  openTree,
  sampleArchive,
  sampleLayers,
  sampleTree,
} from "./model_builder.ts";

/** Fails unless `tree` says just what the model under `root` says. */
function expectTree(tree: Tree, root: TreeNode): void {
  const inodes = new Map<TreeNode, number>();
  const names = new Map<TreeNode, number>();
  let entries = 0;
  const visit = (node: TreeNode, inode: number, parent: number) => {
    const known = inodes.get(node);
    names.set(node, (names.get(node) ?? 0) + 1);
    if (known !== undefined) return assert.equal(inode, known, "hard links share an inode");
    inodes.set(node, inode);
    if (node.children !== undefined) assert.equal(tree.columns.parent[inode], parent);
    expectFields(tree, inode, node);
    if (node.children === undefined) return;
    const children = [...tree.children(inode)];
    const sorted = [...node.children.keys()].sort((a, b) => compareBytes(fromByteString(a), fromByteString(b)));
    assert.deepEqual(children.map(({ name }) => name), sorted);
    for (const { name, inode: child } of children) {
      const bytes = fromByteString(`/${name}/`);
      assert.equal(tree.lookup(inode, bytes, 1, bytes.length - 1), child);
      visit(node.children.get(name)!, child, inode);
      entries++;
    }
  };
  visit(root, 1, 1);
  assert.equal(tree.inodeCount, inodes.size);
  assert.equal(tree.direntCount, entries);
  for (const [node, inode] of inodes) {
    const folders = (node.children === undefined ? [] : [...childrenOf(node).values()]).filter((child) =>
      child.children !== undefined
    ).length;
    assert.equal(tree.columns.nlink[inode], node.children === undefined ? names.get(node) : 2 + folders);
    const path = tree.path(inode);
    assert.equal(tree.find(path, { followLast: false }), inode, displayByteString(path));
  }
}

function expectFields(tree: Tree, inode: number, node: TreeNode): void {
  const { columns } = tree;
  assert.equal(columns.mode[inode], node.mode);
  assert.equal(tree.type(inode), node.mode & S_IFMT);
  assert.equal(columns.uid[inode], node.uid);
  assert.equal(columns.gid[inode], node.gid);
  assert.equal(tree.mtimeSeconds(inode), node.mtimeSeconds);
  assert.equal(columns.mtimeNanoseconds[inode], node.mtimeNanoseconds);
  const xattrs = [...tree.xattrs(inode)].map(({ name, value }): [ByteString, Uint8Array] => [name, value.slice()]);
  assert.deepEqual(new Map(xattrs), node.xattrs ?? new Map());
  assert.deepEqual(xattrs.map(([name]) => name), [...node.xattrs?.keys() ?? []].sort(), "names of attributes ascend");
  switch (tree.type(inode)) {
    case S_IFREG:
      assert.equal(tree.sizeBytes(inode), node.sizeBytes);
      if (Array.isArray(node.data)) {
        assert.equal(columns.layer[inode], SPARSE_LAYER);
        assert.deepEqual(tree.extents(inode), node.data as Extent[]);
      } else if (node.data !== undefined) {
        assert.deepEqual({ layer: columns.layer[inode], plainOffset: tree.plainOffset(inode) }, node.data);
      }
      break;
    case S_IFLNK:
      assert.equal(tree.target(inode), node.target);
      assert.equal(tree.sizeBytes(inode), node.target.length);
      break;
    case S_IFCHR:
    case S_IFBLK:
      assert.deepEqual([columns.placeLow[inode], columns.placeHigh[inode]], [node.deviceMajor, node.deviceMinor]);
      assert.equal(tree.sizeBytes(inode), 0);
      break;
    default:
      assert.ok([S_IFDIR, S_IFIFO].includes(tree.type(inode)));
      assert.equal(tree.sizeBytes(inode), 0);
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

Deno.test("one of everything comes back as it went in", async () => {
  const root = sampleTree();
  expectTree((await openTree(root, sampleLayers())).tree, root);
});

Deno.test("random trees come back as they went in, and are sound to verify()", async () => {
  await fc.assert(
    fc.asyncProperty(anyTree, async (root) => {
      const archive = await openTree(root);
      expectTree(archive.tree, root);
      await archive.verify();
    }),
    { numRuns: 150 },
  );
});

Deno.test("an empty root, and an image without layers", async () => {
  const root = directory();
  const archive = await openTree(root, []);
  expectTree(archive.tree, root);
  assert.equal(archive.tree.inodeCount, 1);
  assert.equal(archive.tree.path(1), "/");
  assert.equal(archive.layers.layerCount, 0);
  assert.equal(archive.tree.hasXattrs, false);
  await archive.verify();
});

Deno.test("values at their limits: names of 255 bytes, targets of 4095, ids, sizes, times", async () => {
  const end = 2 ** 53 - 1;
  const root = directory({
    ["\xff".repeat(255)]: file(end, [{ layer: 0, plainOffset: 0, fileOffset: end - 900, lengthBytes: 900 }], {
      uid: 0xffffffff,
      gid: 0xffffffff,
      mtimeSeconds: end,
      mtimeNanoseconds: 999_999_999,
      mode: S_IFREG | 0o7777,
    }),
    ["\x01"]: file(0, undefined, { mtimeSeconds: -end }),
    link: { ...file(), mode: S_IFLNK | 0o777, target: "\xfe".repeat(4095) },
    attributes: file(0, undefined, { xattrs: new Map([["\xff".repeat(255), new Uint8Array(65_536).fill(7)]]) }),
    whole: file(8192, { layer: 0, plainOffset: 0 }),
  });
  expectTree((await openTree(root)).tree, root);
});

Deno.test("a file of 131,072 extents", async () => {
  const extents = Array.from({ length: 1 << 17 }, (_, i) => ({
    layer: 0,
    plainOffset: i % 8000,
    fileOffset: i * 4096,
    lengthBytes: 1 + i % 100,
  }));
  const { tree } = await openTree(directory({ "disk.img": file(extents.length * 4096, extents), z: file(5, []) }));
  assert.equal(tree.extentCount, extents.length);
  assert.deepEqual(tree.extents(2).at(-1), extents.at(-1));
  assert.deepEqual(tree.extents(3), []);
});

Deno.test("image, manifest and config come back as they went in", async () => {
  const of = contents(sampleTree(), sampleLayers());
  const archive = await openArchive(memoryRangeSource(archiveBytes(of), "some.clip"));
  const layers = of.layers.map(({ info, checkpoints, spans }) => ({
    ...info,
    checkpoints: checkpoints.length,
    spans: spans.length,
  }));
  assert.deepEqual(archive.image, { ...of.image, layers });
  assert.deepEqual(await archive.manifest(), of.manifest);
  assert.deepEqual(await archive.config(), of.config);
  assert.equal(archive.description, "some.clip");
  assert.equal(archive.sizeBytes, archiveBytes(of).length);
});

Deno.test("a platform without a variant, and no checkpoints before files", async () => {
  const of = contents(directory(), []);
  const image = { ...of.image, platform: { os: "linux", architecture: "amd64" } };
  const options = { strategy: "interval", spacingBytes: 1, fileCheckpointBytes: null };
  const archive = await openArchive(memoryRangeSource(archiveBytes({ ...of, image: { ...image, options } })));
  assert.deepEqual(archive.image.platform, { os: "linux", architecture: "amd64" });
  assert.deepEqual(archive.image.options, options);
});

Deno.test("windows come back as they went in", async () => {
  const archive = await openArchive(memoryRangeSource(sampleArchive()));
  for (const [number, plainBytes] of [8192, 5000, 0].entries()) {
    const plain = layerBytes(number, plainBytes);
    const { firstCheckpoint } = archive.layers;
    for (let index = firstCheckpoint[number]!; index < firstCheckpoint[number + 1]! - 1; index++) {
      const { plainOffset } = archive.layers.checkpoint(index);
      const { window, blockHeader } = await archive.window(index);
      assert.deepEqual(window, plain.slice(Math.max(0, plainOffset - 700), plainOffset));
      assert.equal(blockHeader.length, 0);
    }
  }
});

Deno.test("the id is the digest that the header holds, and differs where anything differs", async () => {
  const ids = new Set<string>();
  const open = async (archive: Promise<Archive>) => ids.add((await archive).id);
  await open(openTree(sampleTree(), sampleLayers()));
  await open(openTree(sampleTree(), sampleLayers()));
  assert.equal(ids.size, 1);
  const bytes = sampleArchive();
  const head = new Uint8Array([...bytes.subarray(0, 32), ...bytes.subarray(64, 64 + 12 * 64)]);
  assert.deepEqual([...ids], [sha256(head).slice("sha256:".length)]);
  const root = sampleTree();
  root.children!.get("usr")!.children!.get("empty")!.mtimeNanoseconds--;
  await open(openTree(root, sampleLayers()));
  await open(openTree(sampleTree(), [...sampleLayers(), layer(3, 1)]));
  assert.equal(ids.size, 3);
});

Deno.test("what the indexer could get wrong is refused by the writer", () => {
  const folder = directory();
  assert.throws(() => archiveBytes(contents(directory({ a: folder, b: folder }))), /a directory has two names/);
  const noData = file(1, undefined);
  noData.data = undefined;
  assert.throws(() => archiveBytes(contents(directory({ noData }))), /has a size and no data/);
  for (const [name, value] of [["", 0], ["x".repeat(256), 0], ["user.x", 65_537]] as const) {
    const xattrs = new Map([[name, new Uint8Array(value)]]);
    assert.throws(() => archiveBytes(contents(directory({}, { xattrs }))), /internal error: an attribute's/);
  }
});

Deno.test("the tree's bytes can be shared with other threads", async () => {
  const { treeBytes } = await openArchive(memoryRangeSource(sampleArchive()));
  for (const part of Object.values(treeBytes)) assert.ok(part.buffer instanceof SharedArrayBuffer);
});
