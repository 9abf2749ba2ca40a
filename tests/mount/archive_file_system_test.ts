import assert from "node:assert/strict";
import { equalBytes, fromByteString, LocalReaders, SpanState, toByteString } from "../../src/base/mod.ts";
import { type Archive, S_IFDIR, S_IFLNK, type Tree } from "../../src/archive/mod.ts";
import { Errno, type NodeAttributes, READ_DEFERRED } from "../../src/fuse/mod.ts";
import { ArchiveFileSystem } from "../../src/mount/mod.ts";
import { SeededRandom, withSeed } from "../codec/seeded_random.ts";
import { archiveOf, gzipLayer, type MemoryLayer, programLike, tarLayer } from "../indexer/memory_image.ts";
import { join, paxHeader, tarEntry } from "../tar/tar_builder.ts";

const { test } = Deno;

/** A layer with a node of every kind. */
function specialLayer(): MemoryLayer {
  const sparse = paxHeader({
    "GNU.sparse.major": "0",
    "GNU.sparse.minor": "1",
    "GNU.sparse.size": "100000",
    "GNU.sparse.numblocks": "2",
    "GNU.sparse.map": "0,600,50000,424",
  });
  return tarLayer(
    { path: "./", type: "5", mode: 0o1755, uid: 3 },
    { path: "null", type: "3", major: 1, minor: 3, mode: 0o666 },
    { path: "big-minor", type: "4", major: 4095, minor: 1_048_575, mode: 0o600 },
    { path: "minor-256", type: "3", major: 259, minor: 256 },
    { path: "fifo", type: "6" },
    { path: "link", type: "2", linkName: "dir/caf\xe9" },
    { path: "dir/caf\xe9", data: "hello\n", mode: 0o4755, uid: 1000, gid: 2 ** 21, mtime: -100 },
    { path: "hard", type: "1", linkName: "dir/caf\xe9" },
    paxHeader({ "SCHILY.xattr.user.b": "two", "SCHILY.xattr.security.capability": "\x01\x00\x02", mtime: "5.25" }),
    { path: "tagged", data: "x" },
    join(sparse, tarEntry({ path: "sparse", data: "s".repeat(1024) })),
    { path: "dir/empty" },
    ...Array.from({ length: 300 }, (_, i) => ({ path: `many/${(i * 7919) % 1000}` })),
  );
}

/** A file system over local bytes, of which only the spans marked in `states` count. */
function open(archive: Archive, plains: readonly Uint8Array[]) {
  const { firstSpan, spanOffsets, layerCount } = archive.layers;
  const readers = new LocalReaders(firstSpan[layerCount]!);
  const { spanStates } = readers;
  const touched: { inode: number; layer: number; span: number }[] = [];
  const reads: { layer: number; plainOffset: number; bytes: number }[] = [];
  const local = {
    /** How far each layer's file reaches. */
    sizes: plains.map((plain) => plain.length),
    /** The most that one read gives. */
    pieceBytes: Infinity,
    /** Returned in place of any read. */
    failure: 0,
  };
  const fileSystem = new ArchiveFileSystem(archive.tree, {
    firstSpan,
    spanOffsets,
    readers,
    onTouched: (inode, layer, span) => void touched.push({ inode, layer, span }),
    read(layer, plainOffset, bytes, target, at) {
      if (local.failure !== 0) return local.failure;
      const end = Math.min(plainOffset + Math.min(bytes, local.pieceBytes), local.sizes[layer]!);
      const part = plains[layer]!.subarray(plainOffset, Math.max(end, plainOffset));
      target.set(part, at);
      reads.push({ layer, plainOffset, bytes: part.length });
      return part.length;
    },
  });
  return { fileSystem, readers, spanStates, reads, touched, local };
}

const SPECIAL = specialLayer();
const ARCHIVE = (await archiveOf([SPECIAL])).archive;
const NO_INODES = [0, -1, ARCHIVE.tree.inodeCount + 1, 2 ** 32 - 1];

function attributesOf(fileSystem: ArchiveFileSystem, inode: number): NodeAttributes {
  const attributes = {} as NodeAttributes;
  assert.equal(fileSystem.attributes(inode, attributes), 0);
  return attributes;
}

function lookup(fileSystem: ArchiveFileSystem, parent: number, name: string): number {
  const bytes = fromByteString(`??${name}!`);
  return fileSystem.lookup(parent, bytes, 2, bytes.length - 1);
}

test("what the file system says of every node is what the tree says", () => {
  const { tree } = ARCHIVE;
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    const { columns } = tree;
    const attributes = attributesOf(fileSystem, inode);
    assert.equal(attributes.inode, inode);
    assert.equal(attributes.mode, columns.mode[inode]);
    assert.equal(attributes.nlink, columns.nlink[inode]);
    assert.deepEqual([attributes.uid, attributes.gid], [columns.uid[inode], columns.gid[inode]]);
    assert.equal(attributes.mtimeSeconds, tree.mtimeSeconds(inode));
    assert.equal(attributes.mtimeNanoseconds, columns.mtimeNanoseconds[inode]);
    assert.equal(fileSystem.parent(inode), columns.parent[inode]);
    if (tree.type(inode) === S_IFDIR) checkDirectory(fileSystem, tree, inode);
    else assert.equal(fileSystem.childCount(inode), -Errno.ENOTDIR);
  }
});

function checkDirectory(fileSystem: ArchiveFileSystem, tree: Tree, inode: number): void {
  const children = [...tree.children(inode)];
  assert.equal(fileSystem.childCount(inode), children.length);
  children.forEach((child, index) => {
    assert.equal(fileSystem.childInode(inode, index), child.inode);
    const target = new Uint8Array(300).fill(0xa5);
    const length = fileSystem.childName(inode, index, target, 7);
    assert.equal(toByteString(target.slice(7, 7 + length)), child.name);
    assert.deepEqual([target[6], target[7 + length]], [0xa5, 0xa5]);
    assert.equal(lookup(fileSystem, inode, child.name), child.inode);
    for (const other of [`${child.name}x`, child.name.slice(0, -1), `\x00${child.name}`, `${child.name}\xff`]) {
      const there = children.find(({ name }) => name === other);
      assert.equal(lookup(fileSystem, inode, other), there?.inode ?? 0, other);
    }
  });
}

test("lookup knows bytes, not text; of files and of nothing it says so", () => {
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  const dir = lookup(fileSystem, 1, "dir");
  assert.equal(lookup(fileSystem, dir, "caf\xe9"), lookup(fileSystem, 1, "hard"));
  assert.equal(lookup(fileSystem, dir, "caf\xc3\xa9"), 0, "the same in UTF-8 is another name");
  assert.equal(lookup(fileSystem, dir, ""), 0);
  assert.equal(lookup(fileSystem, lookup(fileSystem, 1, "hard"), "x"), -Errno.ENOTDIR);
  for (const inode of NO_INODES) assert.equal(lookup(fileSystem, inode, "x"), -Errno.ENOENT);
});

test("sizes, blocks and link counts", () => {
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  const of = (path: string) => attributesOf(fileSystem, ARCHIVE.tree.find(path, { followLast: false })!);
  assert.deepEqual([of("/hard").sizeBytes, of("/hard").blocks512, of("/hard").nlink], [6, 1, 2]);
  assert.deepEqual([of("/dir/empty").sizeBytes, of("/dir/empty").blocks512], [0, 0]);
  assert.deepEqual([of("/sparse").sizeBytes, of("/sparse").blocks512], [100_000, 2], "a hole takes no blocks");
  assert.deepEqual([of("/link").sizeBytes, of("/link").mode], [8, S_IFLNK | 0o777]);
  assert.equal(of("/").nlink, 4);
  assert.equal(of("/many").sizeBytes, 4096);
  assert.deepEqual([of("/hard").mtimeSeconds, of("/tagged").mtimeNanoseconds], [-100, 250_000_000]);
  for (const inode of NO_INODES) assert.equal(fileSystem.attributes(inode, {} as NodeAttributes), -Errno.ENOENT);
});

test("device numbers are encoded as the kernel decodes them, up to the largest", () => {
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  // As in the kernel's include/linux/kdev_t.h, new_decode_dev.
  const decode = (rdev: number) => [(rdev & 0xfff00) >>> 8, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)];
  const of = (path: string) => attributesOf(fileSystem, ARCHIVE.tree.find(path)!).rdev;
  assert.equal(of("/null"), 0x103);
  for (
    const [path, device] of [["/null", [1, 3]], ["/big-minor", [4095, 1_048_575]], ["/minor-256", [259, 256]]] as const
  ) {
    assert(of(path) >= 0);
    assert.deepEqual(decode(of(path)), device, path);
  }
  assert.equal(of("/fifo"), 0);
  assert.equal(of("/hard"), 0);
});

test("symlinks", () => {
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  const target = new Uint8Array(20);
  assert.equal(fileSystem.readLink(ARCHIVE.tree.find("/link", { followLast: false })!, target, 3), 8);
  assert.equal(toByteString(target.slice(3, 11)), "dir/caf\xe9");
  assert.equal(fileSystem.readLink(ARCHIVE.tree.find("/hard")!, target, 0), -Errno.EINVAL);
  assert.equal(fileSystem.readLink(1, target, 0), -Errno.EINVAL);
  for (const inode of NO_INODES) assert.equal(fileSystem.readLink(inode, target, 0), -Errno.ENOENT);
});

test("extended attributes: lengths, values, and ERANGE where there is too little room", () => {
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  assert.equal(fileSystem.hasXattrs, true);
  const tagged = ARCHIVE.tree.find("/tagged")!;
  const target = new Uint8Array(100).fill(0xa5);
  const list = "security.capability\0user.b\0";
  assert.equal(fileSystem.listXattrs(tagged, target, 5, 0), list.length);
  assert.equal(target[5], 0xa5, "asked for the length only");
  assert.equal(fileSystem.listXattrs(tagged, target, 5, list.length - 1), -Errno.ERANGE);
  assert.equal(fileSystem.listXattrs(tagged, target, 5, list.length), list.length);
  assert.equal(toByteString(target.slice(5, 5 + list.length)), list);
  assert.equal(target[5 + list.length], 0xa5);
  const bare = ARCHIVE.tree.find("/hard")!;
  assert.equal(fileSystem.listXattrs(bare, target, 0, 50), 0);
  assert.equal(fileSystem.listXattrs(tagged, target, 0, 50), list.length, "another inode in between");
  const get = (inode: number, name: string, room: number) => {
    const bytes = fromByteString(`<${name}>`);
    return fileSystem.getXattr(inode, bytes, 1, bytes.length - 1, target, 10, room);
  };
  assert.equal(get(tagged, "user.b", 0), 3);
  assert.equal(get(tagged, "user.b", 2), -Errno.ERANGE);
  assert.equal(get(tagged, "user.b", 3), 3);
  assert.equal(toByteString(target.slice(10, 13)), "two");
  assert.equal(get(tagged, "security.capability", 100), 3);
  assert.deepEqual([...target.slice(10, 13)], [1, 0, 2]);
  for (const name of ["user.", "user.bb", "user.c", "", "security"]) {
    assert.equal(get(tagged, name, 9), -Errno.ENODATA, name);
  }
  assert.equal(get(bare, "user.b", 9), -Errno.ENODATA);
  for (const inode of NO_INODES) {
    assert.equal(get(inode, "user.b", 9), -Errno.ENOENT);
    assert.equal(fileSystem.listXattrs(inode, target, 0, 9), -Errno.ENOENT);
  }
});

test("an image without extended attributes says so", async () => {
  const layer = gzipLayer({ path: "a", data: "x" });
  const { archive } = await archiveOf([layer]);
  assert.equal(open(archive, [layer.plain]).fileSystem.hasXattrs, false);
});

test("statistics count every file once, at its size", () => {
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  const statistics = { totalBytes: 0, inodes: 0 };
  fileSystem.statistics(statistics);
  assert.deepEqual(statistics, { totalBytes: 6 + 1 + 100_000, inodes: ARCHIVE.tree.inodeCount });
});

test("what cannot be read as a file", () => {
  const { fileSystem } = open(ARCHIVE, [SPECIAL.plain]);
  const target = new Uint8Array(10);
  const read = (path: string) => {
    return fileSystem.read(ARCHIVE.tree.find(path, { followLast: false })!, 0, 10, target, 0);
  };
  assert.equal(read("/dir"), -Errno.EISDIR);
  assert.equal(read("/link"), -Errno.EINVAL);
  assert.equal(read("/fifo"), -Errno.EINVAL);
  assert.equal(read("/null"), -Errno.EINVAL);
  assert.equal(read("/dir/empty"), 0);
  for (const inode of NO_INODES) assert.equal(fileSystem.read(inode, 0, 10, target, 0), -Errno.ENOENT);
});

/** Two layers with a file of several spans each. */
async function largeFiles() {
  const random = new SeededRandom(31);
  const data = [programLike(700_000, random), programLike(500_000, random)];
  const layers = [gzipLayer({ path: "a", data: data[0]! }), tarLayer({ path: "b", data: data[1]! })];
  const { archive } = await archiveOf(layers);
  return { archive, data, ...open(archive, layers.map(({ plain }) => plain)) };
}

test("a read is deferred until every span it needs is verified, and then served from the file", async () => {
  const { archive, data, fileSystem, spanStates, reads } = await largeFiles();
  withSeed((random) => {
    const { layers, tree } = archive;
    const target = new Uint8Array(400_000);
    for (let round = 0; round < 400; round++) {
      const layer = random.below(2);
      const inode = tree.find(layer === 0 ? "/a" : "/b")!;
      const bytes = data[layer]!;
      const offset = random.below(bytes.length + 10);
      const length = random.below(round % 2 === 0 ? 300_000 : 4096);
      const at = random.below(100);
      for (let span = 0; span < spanStates.length; span++) spanStates[span] = random.below(8) === 0 ? 0 : 1;
      const expected = bytes.subarray(offset, offset + length);
      const first = layers.spanAt(layer, tree.plainOffset(inode) + Math.min(offset, bytes.length - 1));
      const last = layers.spanAt(layer, tree.plainOffset(inode) + offset + Math.max(expected.length - 1, 0));
      const ready = expected.length === 0 ||
        spanStates.subarray(first, last + 1).every((state) => state === SpanState.verified);
      reads.length = 0;
      const result = fileSystem.read(inode, offset, length, target, at);
      if (!ready) assert.deepEqual([result, reads.length], [READ_DEFERRED, 0]);
      else {
        assert.equal(result, expected.length);
        assert(equalBytes(target.subarray(at, at + result), expected));
      }
    }
  });
});

test("short reads are continued; a file that ends too early, or fails, makes the read a deferred one", async () => {
  const { archive, data, fileSystem, spanStates, reads, local } = await largeFiles();
  const inode = archive.tree.find("/a")!;
  spanStates.fill(SpanState.verified);
  const target = new Uint8Array(5000);
  local.pieceBytes = 1000;
  assert.equal(fileSystem.read(inode, 100_000, 4500, target, 10), 4500);
  assert(equalBytes(target.subarray(10, 4510), data[0]!.subarray(100_000, 104_500)));
  assert.deepEqual(reads.map(({ bytes }) => bytes), [1000, 1000, 1000, 1000, 500]);
  local.sizes[0] = archive.tree.plainOffset(inode) + 101_500;
  assert.equal(fileSystem.read(inode, 100_000, 4500, target, 10), READ_DEFERRED);
  local.failure = -Errno.ENOENT;
  assert.equal(fileSystem.read(inode, 0, 10, target, 0), READ_DEFERRED);
});

test("a span that is to be told of is told of once, by who reads it; without the mark nothing is told", async () => {
  const { archive, fileSystem, readers, spanStates, touched } = await largeFiles();
  const inode = archive.tree.find("/a")!;
  const { layers } = archive;
  const start = archive.tree.plainOffset(inode);
  const span = layers.spanAt(0, start) + 1;
  const offset = layers.spanOffsets[span]! - start;
  const target = new Uint8Array(5000);
  readers.setNotify(span);
  assert.equal(fileSystem.read(inode, offset, 10, target, 0), READ_DEFERRED);
  assert.deepEqual(touched, [], "the thread that gets it tells of it");
  for (let other = 0; other < spanStates.length; other++) readers.setVerified(other);
  assert.equal(fileSystem.read(inode, offset - 5, 10, target, 0), 10);
  assert.deepEqual(touched, [{ inode, layer: 0, span }]);
  assert.equal(fileSystem.read(inode, offset, 10, target, 0), 10);
  assert.equal(touched.length, 1);
  assert(spanStates.every((state) => state === SpanState.verified));
});

test("sparse files are always deferred, except where there is nothing to read", () => {
  const { fileSystem, spanStates } = open(ARCHIVE, [SPECIAL.plain]);
  spanStates.fill(SpanState.verified);
  const inode = ARCHIVE.tree.find("/sparse")!;
  const target = new Uint8Array(10);
  assert.equal(fileSystem.read(inode, 10, 10, target, 0), READ_DEFERRED);
  assert.equal(fileSystem.read(inode, 100_000, 10, target, 0), 0);
});
