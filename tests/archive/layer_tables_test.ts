/** What an archive's tables say of spans and checkpoints. */
import assert from "node:assert/strict";
import { compareArchives } from "../../src/archive/mod.ts";
import { directory, layer, type LayerModel, openTree } from "./model_builder.ts";

const { test } = Deno;

/** A layer whose spans are other ones. */
function withSpans(model: LayerModel, change: (span: LayerModel["spans"][number]) => object): LayerModel {
  return { ...model, spans: model.spans.map((span) => ({ ...span, ...change(span) })) };
}

test("the compressed end of a span is the next checkpoint behind it, from whichever it is made", async () => {
  for (const spansPerCheckpoint of [1, 3]) {
    const model = layer(0, 20_000, { spansPerCheckpoint });
    const ends = model.checkpoints.slice(1).map(({ plainOffset, compressedBitOffset }) => {
      return { plainOffset, end: Math.ceil(compressedBitOffset / 8) };
    });
    for (const spans of [model, withSpans(model, () => ({ checkpoint: 0 }))]) {
      const { layers } = await openTree(directory(), [spans]);
      for (let span = 0; span < model.spans.length; span++) {
        const expected = ends.find(({ plainOffset }) => plainOffset >= layers.spanEnd(0, span))!.end;
        assert.equal(layers.compressedEnd(0, span), expected, `span ${span}`);
      }
    }
  }
});

test("archives that say otherwise how far a span reaches in the blob differ", async () => {
  const model = layer(0, 8192, { spansPerCheckpoint: 2 });
  const reaching = (compressedBytes: number) => {
    return openTree(directory(), [
      withSpans(model, ({ plainOffset }) => plainOffset === 2048 ? { compressedBytes } : {}),
    ]);
  };
  assert.equal(await compareArchives(await reaching(300), await reaching(300)), undefined);
  assert.equal(await compareArchives(await reaching(300), await reaching(9)), "span 2 of layer 0");
});
