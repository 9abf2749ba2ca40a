/** The folder of layer indexes: what is kept, found, left alone and removed. */
import assert from "node:assert/strict";
import { createLogger, type Digest, SILENT } from "../../src/base/mod.ts";
import {
  encodeLayerIndex,
  IndexCache,
  layerIndexKey,
  type LayerScan,
  LayerScanner,
  type ScanLayerOptions,
} from "../../src/indexer/mod.ts";
import type { LayerDescriptor } from "../../src/oci/mod.ts";
import { descriptorOf, GZIP_LAYER, gzipLayer, type MemoryLayer, SMALL_SPANS, tarLayer } from "./memory_image.ts";

const { test } = Deno;
const MAX_BYTES = 2 ** 30;

/** A layer, what a scan finds in it, and that encoded. */
interface Scanned {
  readonly layer: LayerDescriptor;
  readonly scan: LayerScan;
  readonly index: Uint8Array;
}

function scanned(source: MemoryLayer, options: ScanLayerOptions = SMALL_SPANS): Scanned {
  const layer = descriptorOf(source);
  const scanner = new LayerScanner(layer.mediaType, options);
  scanner.push(source.blob);
  const scan = scanner.finish();
  return { layer, scan, index: encodeLayerIndex(scan, layerIndexKey(layer, options)) };
}

/** A cache in a folder of its own that does not exist yet, and the lines it logs from level info on. */
async function withCache(
  work: (place: { cache: IndexCache; folder: string; lines: string[] }) => Promise<void>,
  maxBytes: number = MAX_BYTES,
): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "clip-index-cache-" });
  const lines: string[] = [];
  const log = createLogger({ level: "info", write: (line) => lines.push(line) });
  const folder = `${parent}/new/folder`;
  try {
    await work({ cache: new IndexCache(folder, { maxBytes, log }), folder, lines });
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** The one file in `folder`. */
function onlyFile(folder: string): string {
  const names = namesIn(folder);
  assert.equal(names.length, 1, names.join());
  return `${folder}/${names[0]}`;
}

function write(cache: IndexCache, { layer, scan, index }: Scanned, options = SMALL_SPANS): Promise<void> {
  return cache.write(layer, options, scan, index);
}

const GZIP = scanned(gzipLayer({ path: "a", data: "a".repeat(3000) }, { path: "b", type: "5" }));
const PLAIN = scanned(tarLayer({ path: "c", data: "c" }));

test("what was written is read, by the same process and by another cache on the folder", () =>
  withCache(async ({ cache, folder, lines }) => {
    assert.equal(await cache.read(GZIP.layer, SMALL_SPANS), undefined);
    for (const one of [GZIP, PLAIN]) await write(cache, one);
    const other = new IndexCache(folder, { maxBytes: MAX_BYTES, log: SILENT });
    for (const each of [cache, other]) {
      assert.deepEqual(await each.read(GZIP.layer, SMALL_SPANS), GZIP.scan);
      assert.deepEqual(await each.read(PLAIN.layer, SMALL_SPANS), PLAIN.scan);
    }
    assert.deepEqual(lines, []);
  }));

test("files are named by digest and options, in a folder for the user alone", () =>
  withCache(async ({ cache, folder }) => {
    await write(cache, GZIP);
    const name = namesIn(folder)[0]!;
    assert.match(name, /^sha256_[0-9a-f]{64}-[0-9a-f]{8}\.clipl$/);
    assert.equal(name.slice(7, 71), GZIP.layer.digest.slice(7));
    assert.equal(Deno.statSync(folder).mode! & 0o777, 0o700);
    assert.deepEqual(Deno.readFileSync(`${folder}/${name}`), GZIP.index);
  }));

test("other options are another scan", () =>
  withCache(async ({ cache, folder }) => {
    await write(cache, GZIP);
    for (const change of [{ spacingBytes: 1 }, { fileCheckpointBytes: null }, { fileCheckpointBytes: 0 }]) {
      const options = { ...SMALL_SPANS, ...change };
      assert.equal(await cache.read(GZIP.layer, options), undefined);
      await write(
        cache,
        scanned(gzipLayer({ path: "a", data: "a".repeat(3000) }, { path: "b", type: "5" }), options),
        options,
      );
      assert.notEqual(await cache.read(GZIP.layer, options), undefined);
    }
    assert.equal(namesIn(folder).length, 4);
  }));

test("a damaged file is told of, removed and written anew", () =>
  withCache(async ({ cache, folder, lines }) => {
    for (const damage of ["flip", "cut", "empty"] as const) {
      await write(cache, GZIP);
      const path = onlyFile(folder);
      const bytes = Deno.readFileSync(path);
      if (damage === "flip") bytes[60]! ^= 1;
      Deno.writeFileSync(path, damage === "flip" ? bytes : bytes.subarray(0, damage === "cut" ? bytes.length - 1 : 0));
      assert.equal(await cache.read(GZIP.layer, SMALL_SPANS), undefined);
      assert.deepEqual(namesIn(folder), []);
      const line = lines.pop()!;
      assert(line.startsWith("clip: warn: cannot reuse") && line.includes(path), line);
    }
    await write(cache, GZIP);
    assert.deepEqual(await cache.read(GZIP.layer, SMALL_SPANS), GZIP.scan);
    assert.deepEqual(lines, []);
  }));

test("a file under another's name is not believed", () =>
  withCache(async ({ cache, folder, lines }) => {
    await write(cache, GZIP);
    const path = onlyFile(folder);
    await Deno.rename(path, path.replace(GZIP.layer.digest.slice(7), PLAIN.layer.digest.slice(7)));
    assert.equal(await cache.read(PLAIN.layer, SMALL_SPANS), undefined);
    assert.match(lines.join(), /the layer index of another layer/);
    assert.deepEqual(namesIn(folder), []);
  }));

test("what is not so in the image's own words is not reused, and stays for others", () =>
  withCache(async ({ cache, folder, lines }) => {
    await write(cache, GZIP);
    const lies: Partial<LayerDescriptor>[] = [
      { sizeBytes: GZIP.layer.sizeBytes + 1 },
      { diffId: PLAIN.layer.diffId },
      { mediaType: "application/vnd.oci.image.layer.v1.tar" },
      { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip+encrypted" },
      { mediaType: "text/plain" },
      { diffId: GZIP.layer.digest },
    ];
    for (const lie of lies) {
      assert.equal(await cache.read({ ...GZIP.layer, ...lie }, SMALL_SPANS), undefined, JSON.stringify(lie));
    }
    const docker = { ...GZIP.layer, mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip" };
    assert.deepEqual(await cache.read(docker, SMALL_SPANS), GZIP.scan, "another name of the same format");
    assert.deepEqual([namesIn(folder).length, lines], [1, []]);
  }));

test("layers whose digest nobody knows, or whose media type is wrong, are not kept", () =>
  withCache(async ({ cache, folder, lines }) => {
    // As a docker archive has it: the diffId in the digest's place, the blob compressed.
    const { diffId } = GZIP.layer;
    await cache.write({ ...GZIP.layer, digest: diffId }, SMALL_SPANS, GZIP.scan, GZIP.index);
    await cache.write({ ...PLAIN.layer, mediaType: GZIP_LAYER }, SMALL_SPANS, PLAIN.scan, PLAIN.index);
    assert.throws(() => namesIn(folder), Deno.errors.NotFound);
    assert.deepEqual(lines, []);
  }));

test("beyond the cap the files used longest ago go, and reading is using", async () => {
  const layers = [1, 2, 3, 4].map((n) => scanned(tarLayer({ path: `file-${n}`, data: "x" })));
  const bytes = layers[0]!.index.length;
  await withCache(async ({ cache, folder, lines }) => {
    const present = async () => {
      const scans = await Promise.all(layers.map(async ({ layer }) => {
        const name = namesIn(folder).find((name) => name.includes(layer.digest.slice(7)));
        return name !== undefined && await Deno.stat(`${folder}/${name}`) !== undefined;
      }));
      return scans.map((here, i) => here ? i + 1 : 0).filter((n) => n > 0);
    };
    // Written an hour ago, in this order.
    for (const [i, one] of layers.slice(0, 3).entries()) {
      await write(cache, one);
      const name = namesIn(folder).find((name) => name.includes(one.layer.digest.slice(7)))!;
      const time = new Date(Date.now() - 3_600_000 + i * 1000);
      await Deno.utime(`${folder}/${name}`, time, time);
    }
    assert.deepEqual(await present(), [1, 2, 3]);
    await cache.read(layers[0]!.layer, SMALL_SPANS);
    await write(cache, layers[3]!);
    assert.deepEqual(await present(), [1, 3, 4], "the second was used longest ago");
    await write(cache, layers[1]!);
    assert.deepEqual(await present(), [1, 2, 4]);
    assert.deepEqual(lines, []);
  }, 3 * bytes + bytes / 2);
});

test("what is larger than the cap is not kept, and drives nothing out", () =>
  withCache(async ({ folder }) => {
    await write(new IndexCache(folder, { maxBytes: MAX_BYTES, log: SILENT }), PLAIN);
    await write(new IndexCache(folder, { maxBytes: GZIP.index.length - 1, log: SILENT }), GZIP);
    assert.match(onlyFile(folder), new RegExp(PLAIN.layer.digest.slice(7)));
    await write(new IndexCache(folder, { maxBytes: 0, log: SILENT }), GZIP);
    assert.match(onlyFile(folder), new RegExp(PLAIN.layer.digest.slice(7)));
  }));

test("only layer indexes are counted and removed, and what killed writers left behind", () =>
  withCache(async ({ cache, folder }) => {
    await write(cache, PLAIN);
    await Deno.mkdir(`${folder}/x.clipl`);
    for (const name of ["notes", ".old.tmp", ".new.tmp"]) {
      await Deno.writeFile(`${folder}/${name}`, new Uint8Array(9999));
    }
    const old = new Date(Date.now() - 7_200_000);
    for (const name of ["notes", ".old.tmp"]) await Deno.utime(`${folder}/${name}`, old, old);
    await write(new IndexCache(folder, { maxBytes: GZIP.index.length, log: SILENT }), GZIP);
    const names = namesIn(folder);
    assert.deepEqual(names.filter((name) => !name.startsWith("sha256_")), [".new.tmp", "notes", "x.clipl"]);
    assert.match(names.find((name) => name.startsWith("sha256_"))!, new RegExp(GZIP.layer.digest.slice(7)));
  }));

test("a folder that cannot be used costs a warning and nothing else", () =>
  withCache(async ({ cache, folder, lines }) => {
    await Deno.mkdir(folder.slice(0, folder.lastIndexOf("/")));
    await Deno.writeTextFile(folder, "a file where the folder should be");
    assert.equal(await cache.read(GZIP.layer, SMALL_SPANS), undefined);
    await write(cache, GZIP);
    assert.equal(lines.length, 2);
    assert.match(lines[0]!, /^clip: warn: cannot read what is kept of a layer: /);
    assert.match(lines[1]!, /^clip: warn: cannot keep what was learnt of layer sha256:/);
    assert.equal(await Deno.readTextFile(folder), "a file where the folder should be");
  }));

test("a folder in a file's place is not read", () =>
  withCache(async ({ cache, folder, lines }) => {
    await write(cache, GZIP);
    const path = onlyFile(folder);
    await Deno.remove(path);
    await Deno.mkdir(path);
    assert.equal(await cache.read(GZIP.layer, SMALL_SPANS), undefined);
    await write(cache, GZIP);
    assert.equal(lines.length, 2);
  }));

test("writers, readers and removers at the same time: every read is whole or absent", () =>
  withCache(async ({ folder, lines }) => {
    const layers = Array.from({ length: 6 }, (_, n) => scanned(tarLayer({ path: `file-${n}`, data: "x" })));
    const log = createLogger({ level: "info", write: (line) => lines.push(line) });
    const maxBytes = 3.5 * layers[0]!.index.length;
    let found = 0;
    const work = async (first: number) => {
      const cache = new IndexCache(folder, { maxBytes, log });
      for (let round = 0; round < 30; round++) {
        const one = layers[(first + round) % layers.length]!;
        const scan = await cache.read(one.layer, SMALL_SPANS);
        if (scan === undefined) await write(cache, one);
        else {
          assert.deepEqual(scan, one.scan);
          found++;
        }
      }
    };
    await Promise.all([0, 1, 2, 3].map(work));
    assert(found > 0, "nothing was ever found");
    assert.deepEqual(lines, []);
    assert.deepEqual(namesIn(folder).filter((name) => name.startsWith(".")), []);
  }));

test("digests of both algorithms name files", () =>
  withCache(async ({ cache, folder }) => {
    const layer = { ...GZIP.layer, digest: `sha512:${"ab".repeat(64)}` as Digest };
    const index = encodeLayerIndex(GZIP.scan, layerIndexKey(layer, SMALL_SPANS));
    await cache.write(layer, SMALL_SPANS, GZIP.scan, index);
    assert.match(onlyFile(folder), /\/sha512_(ab){64}-[0-9a-f]{8}\.clipl$/);
    assert.deepEqual(await cache.read(layer, SMALL_SPANS), GZIP.scan);
  }));
