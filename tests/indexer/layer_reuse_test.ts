/** The second image on a base: what it costs, and that nobody can tell from its archive. */
import assert from "node:assert/strict";
import { ClipError, createLogger, equalBytes, type Logger, SILENT, UsageError } from "../../src/base/mod.ts";
import { openArchive } from "../../src/archive/mod.ts";
import { IndexCache, indexImage, type IndexImageOptions, type LayerProgress } from "../../src/indexer/mod.ts";
import { parseImageReference, resolveImage } from "../../src/oci/mod.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { startFakeRegistry } from "../oci/fake_registry.ts";
import { quickOptions } from "../oci/test_support.ts";
import { join } from "../tar/tar_builder.ts";
import {
  archiveOf,
  descriptorOf,
  gzipLayer,
  indexInMemory,
  type MemoryImage,
  memoryImage,
  type MemoryLayer,
  programLike,
  SMALL_SPANS,
  tarLayer,
} from "./memory_image.ts";
import { WatchedSource } from "./watched_source.ts";

const { test } = Deno;
const OPTIONS = { ...SMALL_SPANS, jobs: 2, log: SILENT };

const random = new SeededRandom(21);
const BASE: readonly MemoryLayer[] = [
  gzipLayer({ path: "bin/", type: "5" }, { path: "bin/tool", data: programLike(500_000, random) }),
  tarLayer({ path: "etc/conf", data: "base" }, { path: "odd", type: "9" }),
];
const OWN = [
  gzipLayer({ path: "app/first", data: programLike(200_000, random) }),
  gzipLayer({ path: "bin/.wh.tool" }, { path: "app/second", data: programLike(200_000, random) }),
];

/** Options with a cache in a folder of their own. */
async function withCache(work: (options: IndexImageOptions, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip-reuse-" });
  try {
    await work({ ...OPTIONS, cache: new IndexCache(folder, { maxBytes: 2 ** 30, log: SILENT }) }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Which layers of the image were opened, and were read, by number. */
function watch(made: MemoryImage): { image: MemoryImage; opened: number[]; read: () => number[] } {
  const opened: number[] = [];
  const number = (digest: string) => made.image.layers.findIndex((layer) => layer.digest === digest);
  const blobs = {
    ...made.blobs,
    layer: (layer: Parameters<MemoryImage["blobs"]["layer"]>[0]) => {
      opened.push(number(layer.digest));
      return made.blobs.layer(layer);
    },
  };
  const read = () =>
    made.image.layers.flatMap(({ digest }, i) => made.sources.get(digest)!.requests.length > 0 ? [i] : []);
  return { image: { ...made, blobs }, opened, read };
}

test("a second image on a base opens none of the base's layers, and its archive is the same", () =>
  withCache(async (options) => {
    const first = await indexImage(...parts(memoryImage([...BASE, OWN[0]!])), options);
    assert.deepEqual(first.reused, [false, false, false]);
    const layers = [...BASE, OWN[1]!];
    const { image, opened, read } = watch(memoryImage(layers));
    const second = await indexImage(...parts(image), options);
    assert.deepEqual([opened, read()], [[2], [2]]);
    assert.deepEqual(second.reused, [true, true, false]);
    const expected = (await archiveOf(layers)).bytes;
    assert(equalBytes(join(...second.archive), expected), "the archive without any cache");
    const again = watch(memoryImage(layers));
    assert(equalBytes(await indexInMemory(again.image, options), expected), "all of it from the cache");
    assert.deepEqual(again.opened, []);
  }));

test("without a cache, with other options, or where the file is damaged, layers are read", () =>
  withCache(async (options, folder) => {
    const layers = [...BASE, OWN[0]!];
    const expected = await indexInMemory(memoryImage(layers), options);
    const opened = async (other: IndexImageOptions) => {
      const watched = watch(memoryImage(layers));
      const bytes = await indexInMemory(watched.image, other);
      return { opened: watched.opened.sort(), same: equalBytes(bytes, expected) };
    };
    assert.deepEqual(await opened(OPTIONS), { opened: [0, 1, 2], same: true });
    assert.deepEqual(await opened({ ...options, spacingBytes: 256 * 1024 }), { opened: [0, 1, 2], same: false });
    assert.deepEqual(await opened(options), { opened: [], same: true });
    const hex = descriptorOf(layers[1]!).digest.slice(7);
    for (const { name } of Deno.readDirSync(folder)) {
      if (name.includes(hex)) await Deno.truncate(`${folder}/${name}`, 100);
    }
    assert.deepEqual(await opened(options), { opened: [1], same: true });
    assert.deepEqual(await opened(options), { opened: [], same: true });
  }));

test("a reused layer is told of once, as done; warnings are told again", () =>
  withCache(async (options) => {
    const lines: string[] = [];
    const log: Logger = createLogger({ level: "warn", write: (line) => lines.push(line) });
    await indexInMemory(memoryImage(BASE), { ...options, log });
    assert.equal(lines.length, 1);
    const told: LayerProgress[] = [];
    await indexInMemory(memoryImage([...BASE, OWN[0]!]), {
      ...options,
      log,
      onProgress: (progress) => told.push(progress),
    });
    const reused = told.filter((progress) => progress.reused);
    assert.deepEqual(
      reused,
      BASE.map((layer, number) => {
        const { digest, sizeBytes } = descriptorOf(layer);
        const plainBytes = layer.plain.length;
        return {
          layer: number,
          digest,
          compressedBytes: 0,
          totalBytes: sizeBytes,
          plainBytes,
          done: true,
          reused: true,
        };
      }),
    );
    assert.deepEqual([...new Set(told.filter((progress) => !progress.reused).map(({ layer }) => layer))], [2]);
    assert.equal(lines.length, 2);
    assert.equal(lines[0], lines[1]);
  }));

test("a layer that fails its checks is not kept", () =>
  withCache(async (options, folder) => {
    const good = descriptorOf(BASE[0]!);
    const other = descriptorOf(BASE[1]!);
    for (const lie of [{ digest: other.digest }, { diffId: other.diffId }, { sizeBytes: good.sizeBytes + 1 }]) {
      const image = memoryImage([BASE[0]!], [{ ...good, ...lie }]);
      await assert.rejects(indexInMemory(image, options), ClipError);
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

test("a layer kept of one image is not believed where another says otherwise of it", () =>
  withCache(async (options) => {
    await indexInMemory(memoryImage([BASE[0]!]), options);
    const good = descriptorOf(BASE[0]!);
    const lying = memoryImage([BASE[0]!], [{ ...good, diffId: descriptorOf(BASE[1]!).diffId }]);
    await assert.rejects(indexInMemory(lying, options), { code: "digest_mismatch" });
    const twice = memoryImage([BASE[0]!, BASE[0]!], [good, { ...good, sizeBytes: good.sizeBytes + 1 }]);
    await assert.rejects(indexInMemory(twice, options), /^CorruptError: layer 1 .*size/);
  }));

test("an aborted indexing reads nothing, not even the cache", () =>
  withCache(async (options) => {
    await indexInMemory(memoryImage(BASE), options);
    const stop = new AbortController();
    const reason = new Error("enough");
    stop.abort(reason);
    const told: LayerProgress[] = [];
    const work = indexInMemory(memoryImage(BASE), { ...options, signal: stop.signal, onProgress: (p) => told.push(p) });
    await assert.rejects(work, (error) => error === reason);
    assert.deepEqual(told, []);
  }));

test("the lowest layers alone: their tree, the image's own manifest and config", () =>
  withCache(async (options) => {
    const layers = [...BASE, OWN[1]!];
    for (const count of [1, 2, 3]) {
      const { image, opened } = watch(memoryImage(layers));
      const bytes = await indexInMemory(image, { ...OPTIONS, layerCount: count });
      assert.deepEqual(opened.sort(), [0, 1, 2].slice(0, count));
      const archive = await openArchive(new WatchedSource(bytes, "part.clip"));
      await archive.verify();
      assert.deepEqual(
        archive.image.layers.map(({ digest }) => digest),
        layers.slice(0, count).map((layer) => descriptorOf(layer).digest),
      );
      assert.equal(archive.image.manifestDigest, image.image.manifestDigest);
      assert.deepEqual(await archive.config(), image.image.configBytes);
      assert.equal(archive.tree.find("/bin/tool") !== undefined, count < 3, "the third layer hides it");
      assert.equal(archive.tree.find("/etc/conf") !== undefined, count > 1);
    }
    const all = await indexInMemory(memoryImage(layers), { ...options, layerCount: 3 });
    assert(equalBytes(all, (await archiveOf(layers)).bytes));
    for (const layerCount of [0, -1, 1.5, 4]) {
      await assert.rejects(
        indexInMemory(memoryImage(layers), { ...options, layerCount }),
        (error) =>
          error instanceof UsageError && error.message.includes(`${layerCount} layers`) && / 3;/.test(error.message),
      );
    }
  }));

test("from a registry: the base's layers cost no request but the manifest", () =>
  withCache(async (options) => {
    const registry = startFakeRegistry();
    try {
      const push = (tag: string, layers: readonly MemoryLayer[]) => {
        const descriptors = layers.map(({ blob, mediaType }) => {
          return { mediaType, digest: registry.addBlob(new Uint8Array(blob)), size: blob.length };
        });
        const diffIds = layers.map((layer) => descriptorOf(layer).diffId);
        const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: diffIds } };
        const bytes = new Uint8Array(new TextEncoder().encode(JSON.stringify(config)));
        const mediaType = "application/vnd.oci.image.manifest.v1+json";
        registry.addManifest(
          {
            schemaVersion: 2,
            mediaType,
            config: {
              mediaType: "application/vnd.oci.image.config.v1+json",
              digest: registry.addBlob(bytes),
              size: bytes.length,
            },
            layers: descriptors,
          },
          mediaType,
          tag,
        );
      };
      push("first", [...BASE, OWN[0]!]);
      push("second", [...BASE, OWN[1]!]);
      const index = async (tag: string) => {
        registry.seen.length = 0;
        const reference = parseImageReference(`${registry.host}/test/app:${tag}`);
        const platform = { os: "linux", architecture: "amd64" };
        const { image, blobs } = await resolveImage(reference, { ...quickOptions(), platform });
        try {
          return (await indexImage(image, blobs, options)).reused;
        } finally {
          blobs.close();
        }
      };
      const asked = (layer: MemoryLayer) =>
        registry.seen.filter(({ path }) => path.endsWith(descriptorOf(layer).digest));
      assert.deepEqual(await index("first"), [false, false, false]);
      for (const layer of [...BASE, OWN[0]!]) assert.equal(asked(layer).length, 1);
      assert.deepEqual(await index("second"), [true, true, false]);
      for (const layer of BASE) assert.deepEqual(asked(layer), []);
      assert.equal(asked(OWN[1]!).length, 1);
      // Manifest, config and the one layer; a ping for the login may come before.
      const content = registry.seen.filter(({ path }) => path !== "/v2/");
      assert.equal(content.length, 3, content.map(({ method, path }) => `${method} ${path}`).join());
    } finally {
      await registry.stop();
    }
  }));

function parts({ image, blobs }: MemoryImage): [MemoryImage["image"], MemoryImage["blobs"]] {
  return [image, blobs];
}
