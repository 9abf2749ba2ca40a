/** Contents when all goes well: the right bytes, no more fetched than needed, nothing fetched twice. */
import assert from "node:assert/strict";
import { equalBytes, sleep, SpanState } from "../../src/base/mod.ts";
import { planRun } from "../../src/content/read_plan.ts";
import type { Content } from "../../src/content/mod.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";
import { archiveOf, SMALL_SPANS } from "../indexer/memory_image.ts";
import { makeOneBlockSample, makeSample, NO_CACHE, openSample, readFile, withCacheFolder } from "./sample.ts";

const { test } = Deno;

async function compareRandomReads(content: Content, files: ReadonlyMap<string, Uint8Array>, rounds: number) {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const paths = [...files.keys()];
  for (let round = 0; round < rounds; round++) {
    const path = paths[random.below(paths.length)]!;
    const expected = files.get(path)!;
    const offset = random.below(expected.length + 2);
    const length = random.below(round % 3 === 0 ? 400_000 : 5000);
    const actual = await readFile(content, path, offset, length);
    const what = `${path} at ${offset}, ${length} bytes, CLIP_TEST_SEED=${seed}`;
    assert(equalBytes(actual, expected.subarray(offset, offset + length)), what);
  }
}

test("reads at random give the files' bytes, with a cache and without", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const contents = [{ cache, decodeWorkers: 2 }, { cache: NO_CACHE, decodeWorkers: 1 }, { cache: undefined }];
    for (const content of contents.map((options) => openSample(sample, options))) {
      await compareRandomReads(content, sample.files, 300);
      for (const [path, bytes] of sample.files) assert(equalBytes(await readFile(content, path), bytes), path);
      content.close();
    }
  });
});

test("reads of nothing, at the end and past it make no request and write nothing", async () => {
  const sample = await makeSample();
  const content = openSample(sample, { cache: NO_CACHE });
  for (
    const [path, offset, length] of [["/large", 0, 0], ["/large", 1_100_000, 10], ["/large", 2e9, 10], [
      "/empty",
      0,
      9,
    ]] as const
  ) {
    assert.equal((await readFile(content, path, offset, length)).length, 0);
  }
  assert.equal((await readFile(content, "/large", 1_099_999, 4096)).length, 1);
  assert.equal((await readFile(content, "/sparse", 1000, 50_000)).length, 50_000, "a hole");
  assert.deepEqual(sample.sources.map(({ requests }) => requests.length), [1, 0, 0]);
  content.close();
});

test("one read asks for the compressed bytes of its span, and no others", async () => {
  const sample = await makeSample();
  const { archive, sources } = sample;
  const content = openSample(sample, { cache: NO_CACHE });
  const inode = archive.tree.find("/upper")!;
  await readFile(content, "/upper", 300_000, 100);
  const span = archive.layers.spanAt(2, archive.tree.plainOffset(inode) + 300_000);
  const run = planRun(archive.layers, 2, span, false);
  assert.deepEqual(sources[2]!.requests, [{ offset: run.compressedOffset, endExclusive: run.compressedEndExclusive }]);
  assert(sources[2]!.requestedBytes < sources[2]!.sizeBytes / 2);
  assert.equal(content.counters.requests, 1);
  assert.equal(content.counters.fetchedBytes, sources[2]!.requestedBytes);
  assert.equal(content.counters.decodedSpans, 1);
  assert.equal(content.counters.servedBytes, 100);
  content.close();
});

test("50 readers at once share one fetch a span", async () => {
  for (const useCheckpoints of [true, false]) {
    const sample = await makeSample();
    const { archive, sources, files } = sample;
    const content = openSample(sample, { cache: NO_CACHE, useCheckpoints, decodeWorkers: 2 });
    const reads = Array.from({ length: 50 }, () => readFile(content, "/large"));
    for (const bytes of await Promise.all(reads)) assert(equalBytes(bytes, files.get("/large")!));
    const { requests } = sources[0]!;
    const inode = archive.tree.find("/large")!;
    const start = archive.tree.plainOffset(inode);
    const spans = archive.layers.spanAt(0, start + 1_099_999) - archive.layers.spanAt(0, start) + 1;
    assert(spans > 3);
    assert.equal(new Set(requests.map(({ offset }) => offset)).size, requests.length, "no range twice");
    assert.equal(requests.length, 1, "neighbours are asked for together");
    assert.equal(content.counters.decodedSpans, useCheckpoints ? spans : archive.layers.firstSpan[1]);
    content.close();
  }
});

test("what was cached is read again without a request, by another content and for another archive of the same cut", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const first = openSample(sample, { cache });
    for (const path of sample.files.keys()) await readFile(first, path);
    first.close();
    const again = await makeSample();
    const second = openSample(again, { cache });
    for (const [path, bytes] of again.files) assert(equalBytes(await readFile(second, path), bytes), path);
    assert.deepEqual(again.sources.map(({ requests }) => requests.length), [0, 0, 0]);
    assert.equal(second.counters.requests, 0);
    assert(second.counters.cachedSpans > 10);
    assert(again.archive.layers.spanOffsets.length > 10);
    second.close();
  });
});

test("archives that cut a layer differently share its file in the cache without harm", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const other = await makeSample({ ...SMALL_SPANS, spacingBytes: 300_000 });
    assert.notDeepEqual([...other.archive.layers.spanOffsets], [...sample.archive.layers.spanOffsets]);
    const contents = [sample, other].map((each) => openSample(each, { cache }));
    for (const content of contents) await compareRandomReads(content, sample.files, 60);
    for (const content of contents) content.close();
  });
});

test("a span is marked as verified once the file in the cache holds it, and not without a cache", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const content = openSample(sample, { cache });
    await readFile(content, "/small/3", 0, 10);
    // The reader is answered before the file is written.
    const deadline = Date.now() + 10_000;
    while (content.localReaders.spanStates.every((state) => state === SpanState.unknown) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const marked = [...content.localReaders.spanStates].flatMap((state, span) =>
      state === SpanState.verified ? [span] : []
    );
    assert.equal(marked.length, 1);
    const { layers } = sample.archive;
    const start = layers.spanOffsets[marked[0]!]!;
    const file = await Deno.readFile(content.layerCache(0)!.dataPath!);
    assert.equal(file.length, sample.layers[0]!.plain.length);
    const end = layers.spanEnd(0, marked[0]!);
    assert(equalBytes(file.subarray(start, end), sample.layers[0]!.plain.subarray(start, end)));
    content.close();
    const without = openSample(sample, { cache: NO_CACHE });
    await readFile(without, "/small/3", 0, 10);
    assert(without.localReaders.spanStates.every((state) => state === SpanState.unknown));
    without.close();
  });
});

test("what was prefetched is read without a request", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const content = openSample(sample, { cache });
    const { firstSpan } = sample.archive.layers;
    await readFile(content, "/small/0", 0, 1);
    const progress: [number, number][] = [];
    const ranges = [
      { layer: 2, firstSpan: firstSpan[2]!, endSpan: firstSpan[3]! },
      { layer: 0, firstSpan: firstSpan[0]!, endSpan: firstSpan[1]! },
    ];
    await content.prefetch(ranges, { onProgress: (done, spans) => progress.push([done, spans]) });
    const spans = firstSpan[3]! - firstSpan[2]! + firstSpan[1]!;
    assert.deepEqual(progress.at(-1), [spans, spans]);
    const requests = content.counters.requests;
    for (const path of ["/large", "/upper", "/small/7"]) {
      assert(equalBytes(await readFile(content, path), sample.files.get(path)!), path);
    }
    assert.equal(content.counters.requests, requests);
    assert(sample.sources[0]!.requestedBytes <= sample.sources[0]!.sizeBytes + requests, "nothing twice");
    content.close();
  });
});

test("without checkpoints a layer is inflated once, whole, and every span of it cached", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const content = openSample(sample, { cache, useCheckpoints: false });
    await readFile(content, "/small/39", 0, 1);
    for (const [path, bytes] of sample.files) {
      const inode = sample.archive.tree.find(path)!;
      if (sample.archive.tree.columns.layer[inode] === 0) assert(equalBytes(await readFile(content, path), bytes));
    }
    const { requests } = sample.sources[0]!;
    assert.equal(requests.length, 1);
    assert.equal(requests[0]!.offset, 0);
    const spans = sample.archive.layers.firstSpan[1]!;
    assert([...content.localReaders.spanStates.subarray(0, spans)].every((state) => state === SpanState.verified));
    assert.equal(content.counters.decodedBytes, sample.layers[0]!.plain.length);
    content.close();
  });
});

test("readers of the first spans of a long run are answered before it ends", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeOneBlockSample();
    const content = openSample(sample, { cache });
    const expected = sample.files.get("/huge")!;
    const decoded: number[] = [];
    const reads = [13_000_000, 100, 5_000_000].map(async (offset) => {
      const bytes = await readFile(content, "/huge", offset, 1000);
      decoded.push(content.counters.decodedSpans);
      assert(equalBytes(bytes, expected.subarray(offset, offset + 1000)), `at ${offset}`);
    });
    await Promise.all(reads);
    assert.equal(content.counters.requests, 1, "one run for all");
    while (content.counters.decodedSpans < sample.archive.image.layers[0]!.spans) await sleep(1);
    const [first, second, last] = decoded;
    assert(first! < 10 && second! < 30 && last! > 40, `spans decoded when each was answered: ${decoded}`);
    content.close();
  });
});

test("of a run whose end nobody asked for, a prefetch takes the beginning; readers get the rest when they come", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample({ ...SMALL_SPANS, spacingBytes: 1024 * 1024 });
    const { layers } = sample.archive;
    // A run of several spans, among others: that of a large file.
    const plan = (span: number) => planRun(layers, 0, span, false);
    let run = plan(0);
    while (run.endSpan - run.firstSpan < 3) run = plan(run.endSpan);
    const content = openSample(sample, { cache });
    const [wanted, later] = [run.firstSpan + 1, run.endSpan - 1];
    await content.prefetch([{ layer: 0, firstSpan: wanted, endSpan: wanted + 1 }]);
    const { fetchedBytes } = content.counters;
    assert.equal(fetchedBytes, layers.spanCompressedEnd(0, wanted) - run.compressedOffset);
    assert(fetchedBytes < run.compressedEndExclusive - run.compressedOffset);
    assert(content.isCached(0, wanted) && !content.isCached(0, later));
    await content.prefetch([{ layer: 0, firstSpan: later, endSpan: later + 1 }]);
    assert(content.isCached(0, later));
    assert.equal(content.counters.fetchedBytes, fetchedBytes + run.compressedEndExclusive - run.compressedOffset);
    content.close();
  });
});

test("a reader who comes late to a run gets the spans that have passed, with a cache and without", async () => {
  for (const cached of [true, false]) {
    await withCacheFolder(async (_, cache) => {
      const sample = await makeOneBlockSample();
      const content = openSample(sample, { cache: cached ? cache : NO_CACHE });
      const expected = sample.files.get("/huge")!;
      const end = readFile(content, "/huge", 13_000_000, 10);
      while (content.counters.decodedSpans < 2) await new Promise((resolve) => setTimeout(resolve, 0));
      const passed = await readFile(content, "/huge", 100, 1000);
      assert(equalBytes(passed, expected.subarray(100, 1100)));
      assert(equalBytes(await end, expected.subarray(13_000_000, 13_000_010)));
      assert.equal(content.counters.requests, 1);
      content.close();
    });
  }
});

test("an archive of an empty layer and an empty file has nothing to read", async () => {
  const { plain, blob, mediaType } = { plain: new Uint8Array(0), blob: new Uint8Array(0), mediaType: "" };
  const empty = { plain, blob, mediaType: mediaType || "application/vnd.oci.image.layer.v1.tar" };
  const { archive, sources } = await archiveOf([empty]);
  const content = openSample({ archive, sources }, { cache: NO_CACHE });
  assert.equal(content.localReaders.spanStates.length, 0);
  content.close();
});
