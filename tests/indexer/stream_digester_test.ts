import assert from "node:assert/strict";
import fc from "fast-check";
import { sha256, sha256Bytes } from "../../src/base/mod.ts";
import { InlineDigester } from "../../src/indexer/plain_digester.ts";
import type { PlainDigests, SpanLimits } from "../../src/indexer/mod.ts";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";

const { test } = Deno;

/** Fails unless the digests are of those bytes, and the spans lie end to end from 0. */
function checkDigests({ diffId, spans }: PlainDigests, plain: Uint8Array, maxSpanBytes: number): void {
  assert.equal(diffId, sha256(plain));
  assert.equal(spans.length === 0, plain.length === 0);
  [...spans].forEach((span, i, all) => {
    const end = all[i + 1]?.plainOffset ?? plain.length;
    if (i === 0) assert.equal(span.plainOffset, 0);
    assert(
      end > span.plainOffset && end - span.plainOffset <= maxSpanBytes,
      `span ${i}: ${span.plainOffset} to ${end}`,
    );
    assert.deepEqual(Uint8Array.from(span.digest), Uint8Array.from(sha256Bytes(plain.subarray(span.plainOffset, end))));
  });
}

const bytes = (length: number) => new SeededRandom(1).bytes(length);

/** Digests `plain`: numbers are how much to write next, below zero cuts, in lists checkpoints. */
function digests(
  plain: Uint8Array,
  steps: readonly (number | [checkpoint: number])[],
  limits: SpanLimits,
): PlainDigests {
  const digester = new InlineDigester(limits);
  let written = 0;
  for (const step of steps) {
    if (typeof step === "number" && step < 0) digester.cut(-step);
    else if (typeof step === "number") digester.write(plain.subarray(written, written += step));
    else digester.checkpoint(step[0]);
  }
  assert.equal(written, plain.length);
  return digester.finish();
}

const places = ({ spans }: PlainDigests) => [...spans].map((span) => [span.plainOffset, span.checkpoint]);

test("spans begin at the checkpoints, in time or late", () => {
  const plain = bytes(900);
  const found = digests(plain, [[0], 300, [300], 350, [560], 250, [900]], {
    lagBytes: 100,
    minSpanBytes: 50,
    maxSpanBytes: 1000,
  });
  assert.deepEqual(places(found), [[0, 0], [300, 1], [560, 2]]);
  checkDigests(found, plain, 1000);
});

test("a cut ends a span where that leaves both sides long enough, however late a checkpoint is told of", () => {
  const plain = bytes(1000);
  const limits = { lagBytes: 100, minSpanBytes: 50, maxSpanBytes: 1000 };
  // Too near to the start; good; too near to the one before; too near to a checkpoint; good; too near to the end.
  const cuts = [40, 100, 149, 270, 400, 960].map((at) => -at);
  const found = [[[0], ...cuts.slice(0, 4), 300, [300], ...cuts.slice(4), 700, [1000]], [
    [0],
    100,
    ...cuts.slice(0, 2),
    170,
    ...cuts.slice(2, 4),
    130,
    [300],
    ...cuts.slice(4, 5),
    560,
    ...cuts.slice(5),
    40,
    [1000],
  ]].map((steps) => digests(plain, steps as (number | [number])[], limits));
  for (const each of found) {
    assert.deepEqual(places(each), [[0, 0], [100, 0], [300, 1], [400, 1]]);
    checkDigests(each, plain, 1000);
  }
});

test("without checkpoints spans are closed at the greatest length, all read from the checkpoint before", () => {
  const plain = bytes(1000);
  const found = digests(plain, [[0], 10, [10], 990, [1000]], { lagBytes: 64, minSpanBytes: 50, maxSpanBytes: 256 });
  assert.deepEqual(places(found), [[0, 0], [10, 1], [266, 1], [522, 1], [778, 1]]);
  checkDigests(found, plain, 256);
});

test("a checkpoint at the very place of a forced split makes no empty span", () => {
  const plain = bytes(600);
  const found = digests(plain, [[0], 300, [256], 300], { lagBytes: 64, minSpanBytes: 50, maxSpanBytes: 256 });
  assert.deepEqual(places(found), [[0, 0], [256, 1], [512, 1]]);
  checkDigests(found, plain, 256);
});

test("an empty stream has no spans, whatever its checkpoints", () => {
  const limits = { lagBytes: 64, minSpanBytes: 50, maxSpanBytes: 256 };
  assert.equal(digests(bytes(0), [[0], [0]], limits).spans.length, 0);
});

test("bytes given to write may be overwritten afterwards", () => {
  const digester = new InlineDigester({ lagBytes: 64, minSpanBytes: 50, maxSpanBytes: 256 });
  const plain = bytes(500);
  digester.checkpoint(0);
  const lent = plain.slice();
  digester.write(lent);
  lent.fill(0);
  checkDigests(digester.finish(), plain, 256);
});

test("random writes and checkpoints: every span has the digest of its bytes, and its checkpoint is the last before", () => {
  const lagBytes = 50;
  const step = fc.record({ writeBytes: fc.nat(400), lateBytes: fc.nat(lagBytes), cuts: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 100, max: 500 }), (steps, maxSpanBytes) => {
      const checkpoints = [0];
      let written = 0;
      const script: (number | [number])[] = [[0]];
      for (const { writeBytes, lateBytes, cuts } of steps) {
        script.push(writeBytes);
        written += writeBytes;
        if (cuts && written > 0) script.push(-written);
        if (written - lateBytes <= checkpoints.at(-1)!) continue;
        checkpoints.push(written - lateBytes);
        script.push([written - lateBytes]);
      }
      const plain = bytes(written);
      const found = digests(plain, script, { lagBytes, minSpanBytes: 70, maxSpanBytes });
      checkDigests(found, plain, maxSpanBytes);
      const spans = [...found.spans];
      for (const span of spans) {
        assert.equal(span.checkpoint, checkpoints.findLastIndex((at) => at <= span.plainOffset));
      }
      for (const at of checkpoints) {
        if (at < plain.length) assert(spans.some((span) => span.plainOffset === at), `no span begins at ${at}`);
      }
    }),
    { seed: testSeed() | 0, numRuns: 500 },
  );
});
