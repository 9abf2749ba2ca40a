/** The limits of the disk cache, held while mounts read, and what others do to its files meanwhile. */
import assert from "node:assert/strict";
import { SeededRandom } from "../codec/seeded_random.ts";
import { ARCHITECTURE, digestOf, writeImage, writeLayer } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { type DaemonMount, e2eTest, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root"];
const FILES = 14;
/** Large enough for a span of its own. */
const FILE_BYTES = 600_000;
const LIMIT_BYTES = 3 << 20;
const READERS = [1, 2, 3, 4];
/** A mount's: the blocks that neighbouring spans share, maps, and what one look at the folder lets pass. */
const SLACK_BYTES = 1 << 20;
/** The spans that are being written, one a reader. */
const WRITTEN_BYTES = READERS.length * FILE_BYTES;

interface Image {
  /** The archive. */
  readonly file: string;
  /** Files by number: the sha256 in hex. */
  readonly digests: readonly string[];
}

/** An image of 8 MB in one layer, indexed. */
async function image(bench: Workbench, name: string, seed: number): Promise<Image> {
  const random = new SeededRandom(seed);
  const members = Array.from({ length: FILES }, (_, number) => {
    const data = Uint8Array.from({ length: FILE_BYTES }, () => 97 + random.below(16));
    return { path: `file-${number}`, data };
  });
  const layout = bench.path(name);
  writeImage(layout, [writeLayer(layout, members)], ARCHITECTURE);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", `${name}.clip`]);
  return { file: bench.path(`${name}.clip`), digests: members.map(({ data }) => digestOf(data).slice(7)) };
}

/** What data files and maps in the cache take of the disk. */
function cachedBytes(folder: string): number {
  let bytes = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.startsWith("sha256_")) continue;
    try {
      bytes += Deno.lstatSync(`${folder}/${name}`).blocks! * 512;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return bytes;
}

/** Reads a file of a mount past the kernel's own cache, so that the server is asked, and compares. */
async function readDirect({ directory, log }: DaemonMount, { digests }: Image, number: number): Promise<void> {
  const command = `dd if=${directory}/file-${number} bs=128k iflag=direct status=none | sha256sum`;
  const { stdout, stderr } = await runProgram(["sh", "-c", command]);
  assert.equal(stdout.slice(0, 64), digests[number], `file-${number}: ${stderr} ${log()}`);
}

/** Four readers in random order, favouring some files; the most that the cache took meanwhile. */
async function readMuch(mounts: readonly (readonly [DaemonMount, Image])[], folder: string, reads: number) {
  let mostBytes = 0;
  const timer = setInterval(() => mostBytes = Math.max(mostBytes, cachedBytes(folder)), 20);
  try {
    await Promise.all(READERS.map(async (seed) => {
      const random = new SeededRandom(seed);
      for (let i = 0; i < reads; i++) {
        const [mount, image] = mounts[(seed + i) % mounts.length]!;
        await readDirect(mount, image, random.below(2) === 0 ? random.below(4) : random.below(FILES));
      }
    }));
  } finally {
    clearInterval(timer);
  }
  return Math.max(mostBytes, cachedBytes(folder));
}

e2eTest(
  "cache limit: an image larger than the limit is read right, and the cache stays below it",
  NEEDS,
  async (bench) => {
    const one = await image(bench, "one", 1);
    const mount = await bench.mount(one.file, "mnt", ["--cache-size", String(LIMIT_BYTES), "--cache-reserve", "0"]);
    const mostBytes = await readMuch([[mount, one]], bench.cacheDir, 12);
    assert.ok(mostBytes > LIMIT_BYTES / 2, `only ${mostBytes} bytes were cached`);
    assert.ok(mostBytes <= LIMIT_BYTES + SLACK_BYTES + WRITTEN_BYTES, `${mostBytes} bytes were cached`);
    assert.match(mount.log(), /made room in the cache/);
    assert.doesNotMatch(mount.log(), /damaged|cannot read|the cache is full/);
    // What the files in the cache are said to hold, they hold: another mount finds nothing damaged.
    await bench.mustClip(["unmount", mount.directory]);
    const again = await bench.mount(one.file, "again", ["--cache-size", String(LIMIT_BYTES), "--cache-reserve", "0"]);
    await readMuch([[again, one]], bench.cacheDir, 4);
    assert.doesNotMatch(again.log(), /damaged|cannot read/);
  },
);

e2eTest("cache limit: mounts that share a cache leave each other's layers alone", NEEDS, async (bench) => {
  const [one, two, old] = await Promise.all(["one", "two", "old"].map((name, seed) => image(bench, name, seed + 1)));
  const limits = ["--cache-size", String(2 * LIMIT_BYTES), "--cache-reserve", "0"];
  await bench.mustClip(["cat", ...limits, old.file, "/file-0", "/file-1", "/file-2"]);
  assert.ok(cachedBytes(bench.cacheDir) > 3 * FILE_BYTES);
  const mounts = await Promise.all(
    ([["a", one], ["b", one], ["c", two]] as const).map(async ([name, image]) =>
      [await bench.mount(image.file, name, limits), image] as const
    ),
  );
  const mostBytes = await readMuch(mounts, bench.cacheDir, 12);
  assert.ok(
    mostBytes <= 2 * LIMIT_BYTES + mounts.length * SLACK_BYTES + WRITTEN_BYTES,
    `${mostBytes} bytes were cached`,
  );
  for (const [{ log }] of mounts) assert.doesNotMatch(log(), /damaged|cannot read/);
  const logs = mounts.map(([{ log }]) => log()).join("");
  assert.match(logs, /evicted a layer from the cache layer=sha256:/);
  assert.equal(logs.split("evicted a layer").length - 1, 1, "the one that nobody used");
});

e2eTest(
  "cache limit: a disk that is full is told of once, and a mount alone makes room on it",
  NEEDS,
  async (bench) => {
    const one = await image(bench, "one", 1);
    const disk = bench.directory("disk");
    await mustRun(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]);
    bench.defer(() => runProgram(["umount", "-l", disk]));
    const args = ["--cache-dir", disk, "--cache-size", "1GiB", "--cache-reserve", "0"];
    const mount = await bench.mount(one.file, "mnt", args);
    // A second mount of the image: what both use is not punched.
    await bench.mount(one.file, "second", args);
    const all = Array.from({ length: FILES }, (_, number) => number);
    for (const number of all) await readDirect(mount, one, number);
    assert.equal(
      mount.log().match(/clip: warn: (the cache is full|going on without the cache)/g)?.length,
      1,
      mount.log(),
    );
    assert.doesNotMatch(mount.log(), /damaged|cannot read/);
    for (const name of ["mnt", "second"]) await bench.mustClip(["unmount", name]);
    // Alone with the layer, a mount makes room out of it.
    const alone = await bench.mount(one.file, "alone", args);
    for (const number of [...all, ...all]) await readDirect(alone, one, number);
    assert.match(alone.log(), /made room in the cache[^\n]*freedBytes=[1-9]/);
    assert.doesNotMatch(alone.log(), /damaged|cannot read|the cache is full/);
  },
);

/** What somebody may do to a data file that a mount has open. */
const INTERFERENCES: readonly ((path: string) => void)[] = [
  (path) => Deno.truncateSync(path, 0),
  (path) => {
    // Another file of that name and length, full of what nobody has verified.
    Deno.writeFileSync(`${path}.new`, new Uint8Array(Deno.lstatSync(path).size).fill(0x55));
    Deno.renameSync(`${path}.new`, path);
  },
  (path) => Deno.removeSync(path),
];

e2eTest(
  "cache: a file that is cut, replaced or removed under readers costs them nothing but time",
  NEEDS,
  async (bench) => {
    const one = await image(bench, "one", 1);
    for (const [number, interfere] of INTERFERENCES.entries()) {
      const cacheDir = bench.path(`cache-${number}`);
      const mount = await bench.mount(one.file, `mnt-${number}`, ["--cache-dir", cacheDir]);
      await readDirect(mount, one, 0);
      const path = `${cacheDir}/${
        [...Deno.readDirSync(cacheDir)].find(({ name }) => /^sha256_[0-9a-f]+$/.test(name))!.name
      }`;
      await Promise.all([
        ...[1, 2, 3].map(async (seed) => {
          const random = new SeededRandom(seed);
          for (let i = 0; i < 6; i++) await readDirect(mount, one, random.below(FILES));
        }),
        (async () => {
          for (let i = 0; i < 8; i++) {
            await new Promise((resolve) => setTimeout(resolve, 40));
            try {
              interfere(path);
            } catch (error) {
              if (!(error instanceof Deno.errors.NotFound)) throw error;
            }
          }
        })(),
      ]);
      for (let file = 0; file < FILES; file++) await readDirect(mount, one, file);
      assert.doesNotMatch(mount.log(), /cannot read/);
      await bench.mustClip(["unmount", mount.directory]);
      const again = await bench.mount(one.file, `again-${number}`, ["--cache-dir", cacheDir]);
      for (let file = 0; file < 4; file++) await readDirect(again, one, file);
      assert.doesNotMatch(again.log(), /cannot read/);
      await bench.mustClip(["unmount", again.directory]);
    }
  },
);
