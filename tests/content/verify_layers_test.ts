import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import { openArchive } from "../../src/archive/mod.ts";
import { verifyLayers } from "../../src/content/mod.ts";
import { archiveOf } from "../indexer/memory_image.ts";
import { WatchedSource } from "../indexer/watched_source.ts";
import { makeOneBlockSample, makeSample, type Sample } from "./sample.ts";

const { test } = Deno;

const blobOf = ({ sources }: Sample) => (layer: number) => sources[layer]!;

test("good layers are fetched once, all of them, and every span counted", async () => {
  for (const sample of [await makeSample(), await makeOneBlockSample()]) {
    const { spans, plainBytes } = await verifyLayers(sample.archive, { blob: blobOf(sample) });
    assert.equal(spans, sample.archive.layers.spanOffsets.length);
    assert.equal(plainBytes, sample.layers.reduce((sum, layer) => sum + layer.plain.length, 0));
    for (const source of sample.sources) assert(source.requestedBytes <= source.sizeBytes + source.requests.length);
  }
});

test("one flipped bit anywhere in the compressed data is found, with layer and place", async () => {
  const sample = await makeSample();
  for (let layer = 0; layer < 3; layer++) {
    const source = sample.sources[layer]!;
    for (const share of [0.01, 0.5, 0.97]) {
      const at = Math.floor(source.sizeBytes * share);
      source.onPiece = (piece, { offset, endExclusive }) => {
        if (offset <= at && at < endExclusive) piece[at - offset]! ^= 4;
      };
      await assert.rejects(verifyLayers(sample.archive, { blob: blobOf(sample) }), (error) => {
        assert(error instanceof ClipError && (error.code === "corrupt" || error.code === "digest_mismatch"));
        return true;
      }, `layer ${layer} at ${at}`);
    }
    source.onPiece = () => {};
  }
});

test("a layer that the image has twice is read once", async () => {
  const { layers } = await makeSample();
  const twice = { ...await archiveOf([layers[1]!, layers[2]!, layers[1]!]), layers, files: new Map() };
  const { spans } = await verifyLayers(twice.archive, { blob: blobOf(twice) });
  assert(spans < twice.archive.layers.spanOffsets.length);
  assert.equal(twice.sources[2]!.requests.length, 0);
});

test("a damaged window is found although another checkpoint could have served", async () => {
  const { layers } = await makeSample();
  const { bytes, archive, sources } = await archiveOf(layers);
  bytes[archive.table.sections.windows.offset + 40]! ^= 1;
  const damaged = await openArchive(new WatchedSource(bytes, "damaged.clip"));
  await assert.rejects(verifyLayers(damaged, { blob: (layer) => sources[layer]! }), /window of checkpoint/);
});

test("a signal stops it, a failing source is its error", async () => {
  const sample = await makeSample();
  const stop = new AbortController();
  sample.sources[0]!.onPiece = () => stop.abort(new Error("stopped"));
  await assert.rejects(verifyLayers(sample.archive, { blob: blobOf(sample), signal: stop.signal }), /^Error: stopped$/);
  assert.equal(sample.sources[0]!.requests.length, 1);
  sample.sources[0]!.onPiece = () => {
    throw new ClipError("denied", "blob 0: 403");
  };
  await assert.rejects(verifyLayers(sample.archive, { blob: blobOf(sample) }), /blob 0: 403/);
});
