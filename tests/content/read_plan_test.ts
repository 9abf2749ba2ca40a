import assert from "node:assert/strict";
import fc from "fast-check";
import { planRead, planRun } from "../../src/content/read_plan.ts";
import { equalBytes } from "../../src/base/mod.ts";
import { testSeed } from "../codec/seeded_random.ts";
import { makeOneBlockSample, makeSample, type Sample } from "./sample.ts";

const { test } = Deno;
const SAMPLE = await makeSample();
const ONE_BLOCK = await makeOneBlockSample();

test("the pieces of a read, put together, are the file's bytes; what no piece covers is zeros", () => {
  const { archive, files, layers } = SAMPLE;
  const places = fc.tuple(fc.constantFrom(...files.keys()), fc.nat(), fc.nat(), fc.boolean());
  fc.assert(
    fc.property(places, ([path, a, b, isShort]) => {
      const expected = files.get(path)!;
      const inode = archive.tree.find(path)!;
      const offset = a % (expected.length + 1);
      const length = Math.min(b % (isShort ? 5000 : 1e9), expected.length - offset);
      const out = new Uint8Array(length);
      let reached = 0;
      for (const { layer, plainOffset, lengthBytes, targetOffset } of planRead(archive.tree, inode, offset, length)) {
        assert(lengthBytes > 0 && targetOffset >= reached, "pieces ascend and do not overlap");
        reached = targetOffset + lengthBytes;
        out.set(layers[layer]!.plain.subarray(plainOffset, plainOffset + lengthBytes), targetOffset);
      }
      assert(reached <= length);
      assert(equalBytes(out, expected.subarray(offset, offset + length)), `${path} at ${offset}, ${length} bytes`);
    }),
    { seed: testSeed() | 0, numRuns: 500 },
  );
});

test("a read of nothing has no pieces, a read in a hole has none either", () => {
  const { tree } = SAMPLE.archive;
  assert.deepEqual(planRead(tree, tree.find("/large")!, 5, 0), []);
  assert.deepEqual(planRead(tree, tree.find("/empty")!, 0, 0), []);
  assert.deepEqual(planRead(tree, tree.find("/sparse")!, 700, 99_300), []);
  const [piece, ...more] = planRead(tree, tree.find("/sparse")!, 699, 99_302);
  assert.deepEqual([piece!.lengthBytes, piece!.targetOffset], [1, 0]);
  assert.deepEqual(more.map(({ lengthBytes, targetOffset }) => [lengthBytes, targetOffset]), [[1, 99_301]]);
});

/** Every span of a sample: its layer and its archive-wide number. */
function* spansOf({ archive: { layers } }: Sample): Generator<{ layer: number; span: number }> {
  for (let layer = 0; layer < layers.layerCount; layer++) {
    for (let span = layers.firstSpan[layer]!; span < layers.firstSpan[layer + 1]!; span++) yield { layer, span };
  }
}

for (const [name, sample] of Object.entries({ "many checkpoints": SAMPLE, "one block": ONE_BLOCK })) {
  for (const wholeLayer of [false, true]) {
    test(`${name}, ${wholeLayer ? "whole layers" : "runs"}: a run covers its span, its own checkpoint's spans, and no more`, () => {
      const { layers, image } = sample.archive;
      for (const { layer, span } of spansOf(sample)) {
        const run = planRun(layers, layer, span, wholeLayer);
        assert(run.layer === layer && run.firstSpan <= span && span < run.endSpan);
        const start = layers.checkpoint(run.checkpoint).plainOffset;
        assert(start <= layers.spanOffsets[run.firstSpan]!);
        assert.equal(run.plainBytes, layers.spanEnd(layer, run.endSpan - 1) - start);
        const { compressedOffset, compressedEndExclusive } = run;
        assert(0 <= compressedOffset && compressedOffset < compressedEndExclusive);
        assert(compressedEndExclusive <= image.layers[layer]!.compressedBytes);
        if (wholeLayer) {
          assert.deepEqual([run.firstSpan, run.endSpan], [layers.firstSpan[layer], layers.firstSpan[layer + 1]]);
        } else {for (let other = layers.firstSpan[layer]!; other < layers.firstSpan[layer + 1]!; other++) {
            const belongs = layers.spanCheckpoint(layer, other) === run.checkpoint;
            assert.equal(belongs, other >= run.firstSpan && other < run.endSpan);
          }}
      }
    });
  }
}

test("the runs of a layer ask for adjoining ranges: hardly a byte is asked for twice", () => {
  const { layers } = SAMPLE.archive;
  for (let layer = 0; layer < layers.layerCount; layer++) {
    let end = 0;
    let runs = 0;
    for (let span = layers.firstSpan[layer]!; span < layers.firstSpan[layer + 1]!; runs++) {
      const run = planRun(layers, layer, span, false);
      assert(
        run.compressedOffset === end || run.compressedOffset === end - 1,
        "one byte may hold the bits of two runs",
      );
      end = run.compressedEndExclusive;
      span = run.endSpan;
    }
    assert(runs >= 3, `${runs} runs in layer ${layer}`);
  }
});
