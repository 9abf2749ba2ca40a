import assert from "node:assert/strict";
import { equalBytes, RangesIgnoredError, type RangeSource } from "../../src/base/mod.ts";
import { verifyLayers } from "../../src/content/mod.ts";
import { makeSample, openSample, readFile, withCacheFolder } from "./sample.ts";

/** The source as a registry serves it that ignores Range: from the first byte on, or not at all. */
function rangeless(source: RangeSource): RangeSource {
  const refuse = (offset: number) => {
    if (offset > 0) throw new RangesIgnoredError(source.description);
  };
  return {
    description: source.description,
    sizeBytes: source.sizeBytes,
    async readRange(range, signal) {
      refuse(range.offset);
      return await source.readRange(range, signal);
    },
    async *stream(options = {}) {
      refuse(options.offset ?? 0);
      yield* source.stream(options);
    },
  };
}

Deno.test("a source without ranges: every layer is read once, whoever asks for what", async () => {
  await withCacheFolder(async (_, cache) => {
    const sample = await makeSample();
    const content = openSample(sample, { cache, blob: (layer) => rangeless(sample.sources[layer]!) });
    const reads = [...sample.files].flatMap(([path, bytes]) =>
      [bytes.length >> 1, bytes.length - 10, 0].filter((offset) => offset >= 0).map(async (offset) => {
        const actual = await readFile(content, path, offset);
        assert(equalBytes(actual, bytes.subarray(offset)), `${path} from ${offset}`);
      })
    );
    await Promise.all(reads);
    content.close();
    for (const { requests } of sample.sources) {
      const long = requests.filter(({ endExclusive }) => endExclusive > 100_000);
      assert(long.length <= 1, JSON.stringify(requests));
    }
  });
});

Deno.test("verifying reads each layer with one request, so that ranges are not missed", async () => {
  const { archive, sources } = await makeSample();
  const { spans } = await verifyLayers(archive, { blob: (layer) => rangeless(sources[layer]!) });
  assert.equal(spans, archive.layers.firstSpan[archive.layers.layerCount]);
  assert.deepEqual(sources.map(({ requests }) => requests.length), [1, 1, 1]);
});
