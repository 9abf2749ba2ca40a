/** clip cache: ls, stat, gc, rm and verify. */
import assert from "node:assert/strict";
import { type CachedLayer, diskSpanCache, listLayers } from "../../src/cache/mod.ts";
import { clip, fail, type FakeIo, inWorkplace, succeed, type Workplace } from "./fake_io.ts";

const { test } = Deno;

interface CachedPlace extends Workplace {
  readonly cacheDir: string;
  /** Gives commands the cache. */
  readonly prepare: (io: FakeIo) => void;
  /** The layers in it, those with more bytes first. */
  readonly layers: () => CachedLayer[];
}

/** Runs `work` where both layers of the sample have been read. */
function withCache(work: (place: CachedPlace) => Promise<void>): Promise<void> {
  return inWorkplace(async (place) => {
    const cacheDir = `${place.folder}/cache`;
    const prepare = (io: FakeIo) => {
      io.variables.CLIP_CACHE_DIR = cacheDir;
    };
    await succeed(["cat", place.archive, "/etc/passwd", "/tmp/tagged"], prepare);
    const layers = () => listLayers(cacheDir).sort((a, b) => b.plainBytes - a.plainBytes);
    assert.equal(layers().length, 2);
    await work({ ...place, cacheDir, prepare, layers });
  });
}

/** Holds a layer open, as a mount does. */
function hold(cacheDir: string, { diffId, plainBytes, maps }: CachedLayer): { close(): void } {
  return diskSpanCache(cacheDir).openLayer({
    diffId,
    plainBytes,
    spans: maps[0]!.spans,
    partition: maps[0]!.partition,
  });
}

test("cache ls: a line a layer, the one used last first; --json has it all", () =>
  withCache(async ({ cacheDir, prepare, layers }) => {
    const [first, second] = layers() as [CachedLayer, CachedLayer];
    Deno.utimeSync(first.dataPath, 1000, 2_000_000_000);
    const held = hold(cacheDir, second);
    try {
      const lines = (await succeed(["cache", "ls"], prepare)).split("\n");
      assert.equal(lines.length, 3);
      assert.match(lines[0]!, /^ *\S+ KiB {2}of +\S+ KiB {2}1\/1 {2}2033-05-18 03:33:20 {2}- {7}sha256:[0-9a-f]{64}$/);
      assert(lines[0]!.endsWith(first.diffId));
      assert.match(lines[1]!, / {2}in use {2}sha256:[0-9a-f]{64}$/);
      const json = JSON.parse(await succeed(["cache", "ls", "--json"], prepare));
      assert.equal(json.length, 2);
      assert.deepEqual(json[0], {
        diffId: first.diffId,
        plainBytes: first.plainBytes,
        cachedBytes: first.allocatedBytes,
        lastUse: "2033-05-18T03:33:20.000Z",
        inUse: false,
        maps: [{ partition: first.maps[0]!.partition, spans: 1, present: 1 }],
      });
      assert.equal(json[1].inUse, true);
    } finally {
      held.close();
    }
  }));

test("cache stat: totals and limits, from options or the environment", () =>
  withCache(async ({ cacheDir, prepare, layers }) => {
    const held = hold(cacheDir, layers()[0]!);
    const text = await succeed(["cache", "stat", "--cache-size", "3GiB", "--cache-reserve", "1MiB"], prepare);
    assert.match(
      text,
      /^folder {3}\/.*\/cache\nlayers {3}2, 1 in use\ncached {3}\S+ KiB, limit 3.00 GiB\ndisk .* free of .*, 1.00 MiB are/,
    );
    held.close();
    const json = JSON.parse(
      await succeed(["cache", "stat", "--json"], (io) => {
        prepare(io);
        io.variables.CLIP_CACHE_SIZE = "5M";
      }),
    );
    assert.equal(json.limitBytes, 5 * 1024 * 1024);
    assert.equal(json.layersInUse, 0);
    assert.equal(json.cachedBytes, layers().reduce((sum, layer) => sum + layer.allocatedBytes, 0));
    const message = await fail(["cache", "stat"], 2, (io) => {
      prepare(io);
      io.variables.CLIP_CACHE_SIZE = "much";
    });
    assert.match(message, /CLIP_CACHE_SIZE: "much" is not a size/);
  }));

test("cache gc: what was used longest ago goes, what is in use stays", () =>
  withCache(async ({ cacheDir, prepare, layers }) => {
    const [first, second] = layers() as [CachedLayer, CachedLayer];
    assert.match(await succeed(["cache", "gc", "--cache-reserve", "0"], prepare), /^removed 0 layers of 0 B; /);
    Deno.utimeSync(first.dataPath, 1000, 1000);
    for (const { path } of first.maps) Deno.utimeSync(path, 1000, 1000);
    const limit = String(second.allocatedBytes);
    assert.match(
      await succeed(["cache", "gc", "--cache-size", limit, "--cache-reserve", "0"], prepare),
      /^removed 1 layer of [^;]+; \S+ KiB cached\n$/,
    );
    assert.deepEqual(layers().map(({ diffId }) => diffId), [second.diffId]);
    const held = hold(cacheDir, second);
    assert.match(
      await succeed(["cache", "gc", "--cache-size", "0", "--cache-reserve", "0"], prepare),
      /^removed 0 layers .*\n\S+ KiB over the limits: the rest is in use/,
    );
    assert.match(await succeed(["cache", "gc", "--all-unused"], prepare), /^removed 0 layers/);
    held.close();
    assert.match(await succeed(["cache", "gc", "--all-unused"], prepare), /^removed 1 layer .*; 0 B cached\n$/);
    assert.equal(await succeed(["cache", "gc"], prepare), "nothing is cached\n");
  }));

test("cache rm: by the beginning of a digest, or all; what is in use only by force", () =>
  withCache(async ({ cacheDir, prepare, layers }) => {
    const [first, second] = layers() as [CachedLayer, CachedLayer];
    assert.match(await fail(["cache", "rm"], 2, prepare), /--all/);
    assert.match(await fail(["cache", "rm", "--all", first.diffId], 2, prepare), /--all/);
    assert.match(await fail(["cache", "rm", "sha256:12"], 2, prepare), /at least 6 digits/);
    assert.match(await fail(["cache", "rm", "0".repeat(64)], 1, prepare), /there is no layer 0000/);
    const held = hold(cacheDir, first);
    const refused = await clip(["cache", "rm", "--all"], prepare);
    assert.equal(refused.status, 1);
    assert.equal(refused.err, `clip: ${first.diffId} is in use; --force removes it all the same\n`);
    assert.match(refused.out, /^removed 1 layer of/);
    assert.deepEqual(layers().map(({ diffId }) => diffId), [first.diffId]);
    const digits = first.diffId.slice("sha256:".length, "sha256:".length + 10);
    assert.equal((await clip(["cache", "rm", digits], prepare)).status, 1);
    assert.match(await succeed(["cache", "rm", "--force", digits], prepare), /^removed 1 layer of/);
    assert.deepEqual(layers(), []);
    held.close();
    assert.equal(second.diffId === first.diffId, false);
  }));

test("cache verify: right, damaged, forgotten and fetched again, and what nobody knows", () =>
  withCache(async ({ archive, cacheDir, prepare, layers }) => {
    const nothing = await succeed(["cache", "verify"], prepare);
    assert.equal(nothing.match(/1 span not checked: no archive/g)?.length, 2);
    const before = layers().map(({ usedMs }) => usedMs);
    const right = await succeed(["cache", "verify", archive], prepare);
    assert.equal(right.match(/^sha256:[0-9a-f]{64}: 1 span of \S+ KiB: all right$/gm)?.length, 2);
    assert.deepEqual(layers().map(({ usedMs }) => usedMs), before, "to verify is not to use");
    const [first] = layers() as [CachedLayer, CachedLayer];
    const bytes = Deno.readFileSync(first.dataPath);
    bytes[700]! ^= 1;
    Deno.writeFileSync(first.dataPath, bytes);
    // Archives in the cache folder are used without being named; what is none is passed over.
    Deno.mkdirSync(`${cacheDir}/archives`);
    Deno.copyFileSync(archive, `${cacheDir}/archives/one.clip`);
    Deno.writeTextFileSync(`${cacheDir}/archives/bad.clip`, "no archive");
    const damaged = await clip(["cache", "verify"], prepare);
    assert.equal(damaged.status, 1);
    assert(damaged.out.includes(`${first.diffId}: 1 span of`) && damaged.out.includes(": 1 damaged, and forgotten"));
    assert.match(damaged.err, /cannot use an archive in the cache folder: .*bad\.clip/);
    assert.match(damaged.err, /a cached span is damaged layer=0 span=0/);
    const again = await clip(["cache", "verify"], prepare);
    assert.equal(again.status, 0);
    assert(again.out.includes(`${first.diffId}: 0 spans of 0 B: all right`), again.out);
    assert.equal(await succeed(["cat", archive, "/etc/passwd"], prepare), "root:x:0:0\n");
    assert.equal((await clip(["cache", "verify"], prepare)).status, 0);
    assert.match(await fail(["cache", "verify", `${cacheDir}/archives/bad.clip`], 1, prepare), /bad\.clip/);
  }));

test("cache: what is not clip's own in the folder is neither shown nor touched", () =>
  withCache(async ({ cacheDir, folder, prepare }) => {
    Deno.writeTextFileSync(`${folder}/mine`, "mine");
    const names = ["1", "2", "3"].map((digit) => `${cacheDir}/sha256_${digit.repeat(64)}`);
    Deno.symlinkSync(`${folder}/mine`, names[0]!);
    Deno.mkdirSync(names[1]!);
    Deno.writeTextFileSync(`${names[2]!}x`, "mine");
    // A map that claims more than there can be, of a layer whose data somebody removed.
    const map = Deno.openSync(`${names[2]!}.0011223344556677.map`, { write: true, create: true });
    map.truncateSync(2 ** 40);
    map.close();
    const json = JSON.parse(await succeed(["cache", "ls", "--json"], prepare));
    assert.equal(json.length, 3);
    assert.match(await succeed(["cache", "ls"], prepare), new RegExp(` \\?/${2 ** 40} `));
    assert.match(await succeed(["cache", "rm", "--all"], prepare), /^removed 3 layers/);
    const left = [...Deno.readDirSync(cacheDir)].map(({ name }) => `${cacheDir}/${name}`).sort();
    assert.deepEqual(left, [names[0], names[1], `${names[2]}x`]);
    assert.equal(Deno.readTextFileSync(`${folder}/mine`), "mine");
  }));

test("cache: an action that is missing or unknown, a folder that is none", async () => {
  assert.match(await fail(["cache"], 2), /one of ls, stat, gc, rm, verify is missing/);
  assert.match(await fail(["cache", "purge"], 2), /purge/);
  assert.equal(await succeed(["cache", "ls", "--cache-dir", "/no/such/folder"]), "");
  assert.match(await fail(["cache", "ls", "--cache-dir", "/dev/null"], 1), /cannot read the cache folder \/dev\/null/);
});
