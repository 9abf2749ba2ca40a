import assert from "node:assert/strict";
import fc from "fast-check";
import { SPAN_BYTES, SpanList, SpanListWriter } from "../../src/archive/mod.ts";
import { testSeed } from "../codec/seeded_random.ts";

Deno.test("spans come back from a list, however many, and share nothing with what was added", () => {
  const span = fc.record({
    plainOffset: fc.maxSafeNat(),
    checkpoint: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    compressedBytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(span, { maxLength: 800, size: "max" }), (spans) => {
      const writer = new SpanListWriter();
      const lent = new Uint8Array(32);
      for (const each of spans) {
        lent.set(each.digest);
        writer.add({ ...each, digest: lent });
      }
      assert.equal(writer.length, spans.length);
      const list = writer.finish();
      assert.equal(list.length, spans.length);
      assert.equal(list.bytes.buffer.byteLength, spans.length * SPAN_BYTES);
      assert.deepEqual([...list], spans);
      assert.deepEqual(SpanList.of(list), list);
    }),
    { seed: testSeed() | 0, numRuns: 30 },
  );
});
