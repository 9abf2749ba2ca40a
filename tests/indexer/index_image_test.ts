import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { ClipError, DigestMismatchError, equalBytes, sha256, SILENT, sleep } from "../../src/base/mod.ts";
import { openArchive } from "../../src/archive/mod.ts";
import { indexImage, type LayerProgress } from "../../src/indexer/mod.ts";
import type { LayerDescriptor } from "../../src/oci/mod.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import {
  archiveOf,
  descriptorOf,
  GZIP_LAYER,
  gzipLayer,
  indexInMemory,
  memoryImage,
  type MemoryLayer,
  programLike,
  SMALL_SPANS,
  tarLayer,
} from "./memory_image.ts";
import { WatchedSource } from "./watched_source.ts";

const { test } = Deno;
const OPTIONS = { ...SMALL_SPANS, jobs: 2, log: SILENT };

function sampleLayers(): MemoryLayer[] {
  const random = new SeededRandom(11);
  const data = (length: number) => programLike(length, random);
  return [
    gzipLayer({ path: "bin/", type: "5" }, { path: "bin/tool", data: data(900_000) }, { path: "etc", type: "5" }),
    tarLayer({ path: "etc/conf", data: data(3000) }, { path: "etc/link", type: "2", linkName: "conf" }),
    gzipLayer({ path: "bin/.wh.tool" }, { path: "bin/other", data: data(400_000) }),
  ];
}

/** The layers, with a wrong word about one of them. */
function lying(layers: MemoryLayer[], number: number, lie: Partial<LayerDescriptor>): LayerDescriptor[] {
  return layers.map((layer, i) => i === number ? { ...descriptorOf(layer), ...lie } : descriptorOf(layer));
}

async function failureOf(work: Promise<unknown>): Promise<ClipError> {
  const error = await work.then(() => assert.fail("no failure"), (error) => error);
  assert(error instanceof ClipError, error?.stack ?? String(error));
  return error;
}

test("an image becomes the archive that its scans and its tree make, whatever the number of jobs", async () => {
  const layers = sampleLayers();
  const expected = (await archiveOf(layers)).bytes;
  for (const jobs of [1, 2, 5]) {
    const made = memoryImage(layers);
    const bytes = await indexInMemory(made, { ...OPTIONS, jobs });
    assert(equalBytes(bytes, expected), `${jobs} jobs`);
    const requests = [...made.sources.values()].map((source) => source.requests);
    assert.deepEqual(requests, layers.map(({ blob }) => [{ offset: 0, endExclusive: blob.length }]), "each read once");
  }
});

test("the archive says what the image is", async () => {
  const made = memoryImage(sampleLayers());
  const { archive: pieces, archiveBytes } = await indexImage(made.image, made.blobs, OPTIONS);
  const bytes = new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
  assert.equal(bytes.length, archiveBytes);
  const archive = await openArchive(new WatchedSource(bytes, "x.clip"));
  await archive.verify();
  assert.equal(archive.image.source, "docker://registry.test/app:v1");
  assert.deepEqual(archive.image.layers.map(({ diffId }) => diffId), made.image.layers.map(({ diffId }) => diffId));
  assert.deepEqual(await archive.config(), made.image.configBytes);
  assert.equal(archive.tree.find("/bin/tool"), undefined);
  assert.equal(archive.tree.sizeBytes(archive.tree.find("/etc/link")!), 3000);
});

test("an image without layers is an empty root", async () => {
  const bytes = await indexInMemory(memoryImage([]), OPTIONS);
  const archive = await openArchive(new WatchedSource(bytes, "x.clip"));
  await archive.verify();
  assert.equal(archive.tree.inodeCount, 1);
});

test("a layer that occurs twice is read once, and applied twice", async () => {
  const [first, second] = [
    gzipLayer({ path: "a", data: "one" }),
    gzipLayer({ path: ".wh.a" }, { path: "b", data: "2" }),
  ];
  const made = memoryImage([first, second, first]);
  const archive = await openArchive(new WatchedSource(await indexInMemory(made, OPTIONS), "x.clip"));
  assert.equal(archive.image.layers.length, 3);
  assert.deepEqual([...archive.tree.children(1)].map(({ name }) => name), ["a", "b"]);
  assert.equal(archive.tree.columns.layer[archive.tree.find("a")!], 2);
  assert.equal([...made.sources.values()].reduce((sum, { requests }) => sum + requests.length, 0), 2);
});

test("a layer that occurs twice under two diffIds or sizes is refused", async () => {
  const layers = [gzipLayer({ path: "a", data: "one" }), gzipLayer({ path: "b" })];
  const twice = [...layers, layers[0]!];
  const diffId = sha256(new Uint8Array(1));
  const error = await failureOf(indexInMemory(memoryImage(twice, lying(twice, 2, { diffId })), OPTIONS));
  assert.equal(error.code, "digest_mismatch");
  assert.match(error.message, /^layer 2 \(sha256:/);
  const sizeBytes = layers[0]!.blob.length + 1;
  assert.match(
    (await failureOf(indexInMemory(memoryImage(twice, lying(twice, 2, { sizeBytes })), OPTIONS))).message,
    /^layer 2 .*size/,
  );
});

test("bytes that are not the digest's are refused, naming the layer and both digests", async () => {
  const layers = sampleLayers();
  const digest = sha256(new Uint8Array(3));
  const error = await failureOf(indexInMemory(memoryImage(layers, lying(layers, 1, { digest })), OPTIONS));
  assert(error instanceof DigestMismatchError);
  assert(error.message.startsWith(`layer 1 (${digest})`), error.message);
  assert.equal(error.actual, sha256(layers[1]!.blob));
});

test("a wrong diffId and a wrong size are refused, naming the layer", async () => {
  const layers = sampleLayers();
  const diffId = sha256(new Uint8Array(3));
  const wrongDiffId = await failureOf(indexInMemory(memoryImage(layers, lying(layers, 2, { diffId })), OPTIONS));
  assert.match(wrongDiffId.message, /^layer 2 \(sha256:.*\): uncompressed layer: digest mismatch/);
  const wrongSize = memoryImage(layers, lying(layers, 0, { sizeBytes: layers[0]!.blob.length - 1 }));
  assert.match((await failureOf(indexInMemory(wrongSize, OPTIONS))).message, /^layer 0 .*bad size/);
});

test("a blob whose digest is not known (the diffId stands for it) is checked by its diffId", async () => {
  const layer = gzipLayer({ path: "a", data: "one" });
  const diffId = descriptorOf(layer).diffId;
  await indexInMemory(memoryImage([layer], lying([layer], 0, { digest: diffId })), OPTIONS);
  const other = sha256(new Uint8Array(3));
  const wrong = memoryImage([layer], lying([layer], 0, { digest: other, diffId: other }));
  assert.equal((await failureOf(indexInMemory(wrong, OPTIONS))).code, "digest_mismatch");
});

test("a layer that ends too early, is no tar, or is of an unknown format", async () => {
  const good = sampleLayers()[0]!;
  const bad: Record<string, Uint8Array> = {
    gzip: good.blob.subarray(0, good.blob.length >> 1),
    tar: gzipSync(good.plain.subarray(0, 100_000)),
    "not supported": Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, ...new Uint8Array(600)), // xz
  };
  for (const [word, blob] of Object.entries(bad)) {
    const layers = [good, { plain: good.plain, blob, mediaType: GZIP_LAYER }];
    const error = await failureOf(indexInMemory(memoryImage(layers), OPTIONS));
    assert.match(error.message, new RegExp(`^layer 1 \\(sha256:[0-9a-f]{64}\\): .*${word}`), word);
    assert(!error.message.includes("\n"));
  }
});

test("an entry that cannot be placed is an error that names layer and entry", async () => {
  const layers = [tarLayer({ path: "ok" }), tarLayer({ path: "../evil" })];
  assert.match((await failureOf(indexInMemory(memoryImage(layers), OPTIONS))).message, /layer 1, entry \.\.\/evil/);
});

test("a source that fails ends the indexing with its own kind of error; the other layers are stopped", async () => {
  const layers = sampleLayers();
  const made = memoryImage(layers);
  const [first, , third] = [...made.sources.values()];
  let stopped: unknown;
  first!.onPiece = async (_piece, _range, signal) => {
    await sleep(60_000, signal).catch((reason) => stopped = reason);
    signal?.throwIfAborted();
  };
  third!.onPiece = (_piece, { offset }) => {
    if (offset > 0) throw new ClipError("network", "connection reset", { retryable: true });
  };
  const error = await failureOf(indexInMemory(made, { ...OPTIONS, jobs: 3 }));
  assert.equal(error.code, "network");
  assert.match(error.message, /^layer 2 \(sha256:.*\): connection reset$/);
  assert.equal(stopped, error, "the layer under way was told why");
});

test("after a failure no further layer is begun", async () => {
  const layers = sampleLayers();
  const made = memoryImage(layers);
  const sources = [...made.sources.values()];
  sources[0]!.onPiece = () => {
    throw new ClipError("denied", "no");
  };
  await failureOf(indexInMemory(made, { ...OPTIONS, jobs: 1 }));
  assert.deepEqual(sources.map(({ requests }) => requests.length), [1, 0, 0], "the largest comes first");
});

test("a signal ends it with the signal's reason", async () => {
  const made = memoryImage(sampleLayers());
  const stop = new AbortController();
  const reason = new DOMException("interrupted", "AbortError");
  for (const source of made.sources.values()) {
    source.onPiece = async (_piece, _range, signal) => {
      stop.abort(reason);
      await Promise.resolve();
      signal?.throwIfAborted();
    };
  }
  await assert.rejects(indexInMemory(made, { ...OPTIONS, signal: stop.signal }), (error) => error === reason);
});

test("progress begins at nothing, never goes back and ends done", async () => {
  const layers = sampleLayers();
  const seen = new Map<number, LayerProgress[]>();
  await indexInMemory(memoryImage(layers), {
    ...OPTIONS,
    onProgress: (progress) => seen.set(progress.layer, [...seen.get(progress.layer) ?? [], progress]),
  });
  assert.equal(seen.size, 3);
  for (const [number, steps] of seen) {
    const { plain, blob } = layers[number]!;
    assert.equal(steps[0]!.compressedBytes, 0);
    steps.slice(1).forEach((step, i) => {
      assert(step.compressedBytes >= steps[i]!.compressedBytes && step.plainBytes >= steps[i]!.plainBytes);
      assert.equal(step.done, i === steps.length - 2);
    });
    const { compressedBytes, totalBytes, plainBytes } = steps.at(-1)!;
    assert.deepEqual([compressedBytes, totalBytes, plainBytes], [blob.length, blob.length, plain.length]);
  }
});

test("warnings of scan and merge reach the log with their layer", async () => {
  const lines: string[] = [];
  const log = { ...SILENT, warn: (message: string) => lines.push(message) };
  const layers = [gzipLayer({ path: "a" }), tarLayer({ path: "dev", type: "3" }, { path: "odd", type: "9" })];
  await indexInMemory(memoryImage(layers), { ...OPTIONS, log });
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /^layer 1 \(sha256:.*"odd" has the unknown type/);
  assert.match(lines[1]!, /^layer 1: dev is or has a 0:0 character device/);
});
