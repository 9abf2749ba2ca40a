import assert from "node:assert/strict";
import fc from "fast-check";
import { sha256Bytes } from "../../src/base/mod.ts";
import { SpanDigester } from "../../src/indexer/span_digester.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";

const { test } = Deno;

/** Fails unless the spans lie end to end from 0 and have the digests of the bytes they cover. */
function checkSpans(digester: SpanDigester, plain: Uint8Array, maxSpanBytes: number): void {
  const { spans } = digester;
  assert.equal(spans.length === 0, plain.length === 0);
  spans.forEach((span, i) => {
    const end = spans[i + 1]?.plainOffset ?? plain.length;
    if (i === 0) assert.equal(span.plainOffset, 0);
    assert(
      end > span.plainOffset && end - span.plainOffset <= maxSpanBytes,
      `span ${i}: ${span.plainOffset} to ${end}`,
    );
    assert.deepEqual(Uint8Array.from(span.digest), Uint8Array.from(sha256Bytes(plain.subarray(span.plainOffset, end))));
  });
}

const bytes = (length: number) => new SeededRandom(1).bytes(length);

test("spans begin at the checkpoints, in time or late", () => {
  const digester = new SpanDigester({ lagBytes: 100, maxSpanBytes: 1000 });
  const plain = bytes(900);
  assert.equal(digester.checkpoint(0), true);
  digester.write(plain.subarray(0, 300));
  assert.equal(digester.checkpoint(300), true, "in time");
  digester.write(plain.subarray(300, 650));
  assert.equal(digester.checkpoint(560), true, "90 bytes late");
  digester.write(plain.subarray(650));
  assert.equal(digester.checkpoint(900), true, "the final one");
  digester.finish();
  assert.deepEqual(digester.spans.map((span) => [span.plainOffset, span.checkpoint]), [[0, 0], [300, 1], [560, 2]]);
  checkSpans(digester, plain, 1000);
});

test("a checkpoint whose bytes have been digested is declined, and does not count", () => {
  const digester = new SpanDigester({ lagBytes: 100, maxSpanBytes: 1000 });
  const plain = bytes(800);
  digester.checkpoint(0);
  digester.write(plain.subarray(0, 500));
  assert.equal(digester.checkpoint(250), false);
  assert.equal(digester.checkpoint(450), true);
  digester.write(plain.subarray(500));
  digester.finish();
  assert.deepEqual(digester.spans.map((span) => [span.plainOffset, span.checkpoint]), [[0, 0], [450, 1]]);
  checkSpans(digester, plain, 1000);
});

test("without checkpoints spans are closed at the greatest length, all read from the checkpoint before", () => {
  const digester = new SpanDigester({ lagBytes: 64, maxSpanBytes: 256 });
  const plain = bytes(1000);
  digester.checkpoint(0);
  digester.write(plain.subarray(0, 10));
  digester.checkpoint(10);
  digester.write(plain.subarray(10));
  digester.checkpoint(1000);
  digester.finish();
  const expected = [[0, 0], [10, 1], [266, 1], [522, 1], [778, 1]];
  assert.deepEqual(digester.spans.map((span) => [span.plainOffset, span.checkpoint]), expected);
  checkSpans(digester, plain, 256);
});

test("a checkpoint at the very place of a forced split makes no empty span", () => {
  const digester = new SpanDigester({ lagBytes: 64, maxSpanBytes: 256 });
  const plain = bytes(600);
  digester.checkpoint(0);
  digester.write(plain.subarray(0, 300));
  assert.equal(digester.checkpoint(256), true);
  digester.write(plain.subarray(300));
  digester.finish();
  assert.deepEqual(digester.spans.map((span) => [span.plainOffset, span.checkpoint]), [[0, 0], [256, 1], [512, 1]]);
  checkSpans(digester, plain, 256);
});

test("an empty stream has no spans, whatever its checkpoints", () => {
  const digester = new SpanDigester({ lagBytes: 64, maxSpanBytes: 256 });
  assert.equal(digester.checkpoint(0), true);
  assert.equal(digester.checkpoint(0), true);
  digester.finish();
  assert.deepEqual(digester.spans, []);
});

test("bytes given to write may be overwritten afterwards", () => {
  const digester = new SpanDigester({ lagBytes: 64, maxSpanBytes: 256 });
  const plain = bytes(500);
  digester.checkpoint(0);
  const lent = plain.slice();
  digester.write(lent);
  lent.fill(0);
  digester.finish();
  checkSpans(digester, plain, 256);
});

test("random writes and checkpoints: every span has the digest of its bytes, and its checkpoint is the last before", () => {
  const lagBytes = 50;
  const step = fc.record({ writeBytes: fc.integer({ min: 0, max: 400 }), lateBytes: fc.integer({ min: 0, max: 120 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 100, max: 500 }), (steps, maxSpanBytes) => {
      const digester = new SpanDigester({ lagBytes, maxSpanBytes });
      const plain = bytes(steps.reduce((sum, { writeBytes }) => sum + writeBytes, 0));
      const taken = [0];
      digester.checkpoint(0);
      let written = 0;
      for (const { writeBytes, lateBytes } of steps) {
        digester.write(plain.subarray(written, written += writeBytes));
        const at = written - lateBytes;
        if (at <= taken.at(-1)!) continue;
        const accepted = digester.checkpoint(at);
        if (lateBytes <= lagBytes) assert.equal(accepted, true, `a checkpoint ${lateBytes} bytes late was declined`);
        if (accepted) taken.push(at);
      }
      digester.finish();
      checkSpans(digester, plain, maxSpanBytes);
      for (const span of digester.spans) {
        assert.equal(span.checkpoint, taken.findLastIndex((at) => at <= span.plainOffset));
      }
      for (const at of taken) {
        if (at < plain.length) {
          assert(digester.spans.some((span) => span.plainOffset === at), `no span begins at ${at}`);
        }
      }
    }),
    { seed: testSeed() | 0, numRuns: 500 },
  );
});
