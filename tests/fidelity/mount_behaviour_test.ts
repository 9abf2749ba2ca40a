/** Mounts as programs see them: copies, attributes, sizes, large directories, mappings. */
import assert from "node:assert/strict";
import { compareTrees, listTree } from "../e2e/compare_trees.ts";
import { mustRun } from "../e2e/programs.ts";
import { e2eTest, type Workbench } from "../e2e/workbench.ts";
import { programLike } from "../indexer/memory_image.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";
import { ATTRIBUTE_CASES } from "./attribute_cases.ts";
import type { Case } from "./case.ts";
import { DirectoryStream, mappedBytes } from "./directory_stream.ts";
import { directory, file } from "./entries.ts";
import { writeOwnImage, writeSharedImage } from "./image_of_cases.ts";
import { LINK_CASES } from "./link_cases.ts";

const COPIED_CASES = [...LINK_CASES, ...ATTRIBUTE_CASES];
const NAMES = 20_000;

/** Indexes and mounts the image in the bench's folder `name`. */
async function mounted(bench: Workbench, name: string): Promise<string> {
  await bench.mustClip(["index", `oci:${bench.path(name)}:latest`, "-o", `${name}.clip`, "--progress", "none"]);
  return (await bench.mount(bench.path(`${name}.clip`), `${name}-mount`)).directory;
}

async function mountedCase(bench: Workbench, one: Case): Promise<string> {
  bench.directory(one.name);
  writeOwnImage(bench.path(one.name), one);
  return await mounted(bench, one.name);
}

/** Scripts that copy `$1` to `$2`, each keeping all that it can. */
const COPIES: Readonly<Record<string, string>> = {
  cp: `cp -a "$1/." "$2"`,
  rsync: `rsync -aHAX --numeric-ids --open-noatime "$1/" "$2"`,
  tar: `tar -C "$1" --format=posix --numeric-owner --xattrs --xattrs-include='*' -cf - . |
    tar -C "$2" --numeric-owner --xattrs --xattrs-include='*' -xpf -`,
};

e2eTest(
  "mount behaviour: cp, rsync and tar copy all of it, and diff, du and getcap agree",
  ["/dev/fuse", "root", "rsync", "tar", "getfattr", "getcap", "diff"],
  async (bench) => {
    bench.directory("copied");
    writeSharedImage(bench.path("copied"), COPIED_CASES);
    const root = await mounted(bench, "copied");
    const expected = await listTree(root);
    assert.ok(expected.size > 150, `${expected.size} nodes`);
    const copied = async (program: keyof typeof COPIES, from: string, to: string) => {
      await mustRun(["bash", "-euo", "pipefail", "-c", COPIES[program]!, "bash", from, bench.directory(to)]);
      return await listTree(bench.path(to));
    };
    assert.deepEqual(compareTrees(await copied("cp", root, "cp"), expected), []);
    assert.deepEqual(compareTrees(await copied("rsync", root, "rsync"), expected), []);
    // GNU tar keeps no hard links of devices and pipes, from wherever it reads them.
    const kept = await copied("tar", bench.path("cp"), "tar-of-copy");
    assert.deepEqual(compareTrees(await copied("tar", root, "tar"), kept), []);
    const copy = bench.path("cp");
    // Devices and pipes differ from any others, to diff.
    await mustRun(["diff", "-r", "--no-dereference", "-x", "types", "-x", "fifo", "-x", "*-fifo", root, copy]);
    for (const folder of [root, copy]) {
      assert.equal(await mustRun(["getcap", "-r", "."], { cwd: folder }), "./xattrs/capability cap_net_raw=ep\n");
    }
    const sizes = "find . -type f -exec du --apparent-size --count-links -b {} + | sort";
    const sizesIn = (folder: string) => mustRun(["bash", "-euo", "pipefail", "-c", sizes], { cwd: folder });
    assert.equal(await sizesIn(root), await sizesIn(copy));
    // Holes take no room, so a sparse file of 1,000,000 bytes is not a MB.
    const [blocks] = (await mustRun(["stat", "-c", "%b", `${root}/sparse/all-hole`])).split("\n");
    assert.equal(Number(blocks), 0);
  },
);

e2eTest("mount behaviour: statfs tells of a full, read-only file system", ["/dev/fuse", "df"], async (bench) => {
  const size = 3_000_000;
  const data = programLike(size, new SeededRandom(51));
  const root = await mountedCase(bench, { name: "sizes", layers: () => [[directory("d/"), file("d/f", data)]] });
  const fields = "size,used,avail,itotal,iused,iavail";
  const [, line] = (await mustRun(["df", "-B1", `--output=${fields}`, root])).split("\n");
  const [total, used, free, inodes, inodesUsed, inodesFree] = line!.trim().split(/\s+/).map(Number);
  assert.ok(total! >= size && total! < size + 8192, `${total} bytes in all`);
  assert.deepEqual([used, free], [total, 0]);
  assert.deepEqual([inodes, inodesUsed, inodesFree], [3, 3, 0]);
  assert.match(await mustRun(["stat", "-f", "-c", "%l", root]), /^255\n/);
});

e2eTest("mount behaviour: a mapping shows the file's bytes", ["/dev/fuse"], async (bench) => {
  const data = programLike(2_500_001, new SeededRandom(52));
  const root = await mountedCase(bench, { name: "mapped", layers: () => [[file("f", data)]] });
  assert.deepEqual(mappedBytes(`${root}/f`), data);
});

e2eTest(
  `mount behaviour: a directory of ${NAMES} names, by readers that seek and that meet`,
  ["/dev/fuse"],
  async (bench) => {
    const names = Array.from({ length: NAMES }, (_, i) => `${"name".repeat(i % 9)}-${i * 7919 % 100_003}`);
    const layer = [directory("d/"), ...names.map((name) => file(`d/${name}`, ""))];
    const root = `${await mountedCase(bench, { name: "large", layers: () => [layer] })}/d`;
    const expected = [".", "..", ...names].sort();

    const listings = await Promise.all(
      Array.from({ length: 6 }, (_, i) => mustRun(["ls", i % 2 === 0 ? "-fa" : "-la", "--time-style=+", root])),
    );
    for (const [i, listing] of listings.entries()) {
      const lines = listing.trimEnd().split("\n");
      const found = i % 2 === 0 ? lines : lines.slice(1).map((line) => line.split(/\s+/).at(-1)!);
      assert.deepEqual(found.sort(), expected);
    }

    using stream = new DirectoryStream(root);
    const places: bigint[] = [];
    const order: string[] = [];
    for (
      let place = stream.tell(), name = stream.read();
      name !== undefined;
      place = stream.tell(), name = stream.read()
    ) {
      places.push(place);
      order.push(name);
    }
    assert.deepEqual([...order].sort(), expected);
    const seed = testSeed();
    const random = new SeededRandom(seed);
    for (let round = 0; round < 500; round++) {
      const at = random.below(order.length - 3);
      stream.seek(places[at]!);
      const found = [stream.read(), stream.read(), stream.read()];
      assert.deepEqual(found, order.slice(at, at + 3), `CLIP_TEST_SEED=${seed}`);
    }
    stream.seek(places[0]!);
    for (const name of order) assert.equal(stream.read(), name);
    assert.equal(stream.read(), undefined);
  },
);
