import assert from "node:assert/strict";
import fc from "fast-check";
import { BUCKET_BOUNDS_SECONDS, bucketOf, BUCKETS, countOf, quantileSeconds } from "../../src/metrics/histogram.ts";

Deno.test("a duration falls into the first bucket whose bound is not below it", () => {
  const expected = (microseconds: number) => {
    const bucket = BUCKET_BOUNDS_SECONDS.findIndex((bound) => microseconds <= bound * 1e6);
    return bucket < 0 ? BUCKETS - 1 : bucket;
  };
  for (const bound of BUCKET_BOUNDS_SECONDS) {
    for (const near of [0.999, 1, 1.001]) {
      const microseconds = Math.round(bound * 1e6) * near;
      assert.equal(bucketOf(microseconds), expected(microseconds), `${microseconds} µs`);
    }
  }
  fc.assert(fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (us) => bucketOf(us) === expected(us)));
});

Deno.test("durations that cannot be are counted where they do no harm", () => {
  assert.equal(bucketOf(-5), 0);
  assert.equal(bucketOf(NaN), 0);
  assert.equal(bucketOf(0), 0);
  assert.equal(bucketOf(Infinity), BUCKETS - 1);
  assert.equal(bucketOf(2 ** 40), BUCKETS - 1);
});

Deno.test("quantiles are interpolated in the bucket that they fall into", () => {
  const counts = new Array(BUCKETS).fill(0);
  assert.equal(quantileSeconds({ counts, sumSeconds: 0 }, 0.5), undefined);
  counts[3] = 10; // 32 to 64 µs
  counts[5] = 10; // 128 to 256 µs
  const histogram = { counts, sumSeconds: 0 };
  assert.equal(countOf(histogram), 20);
  const microseconds = (q: number) => Math.round(quantileSeconds(histogram, q)! * 1e6);
  assert.deepEqual([0.25, 0.5, 0.75, 1].map(microseconds), [48, 64, 192, 256]);
  counts[BUCKETS - 1] = 1000;
  assert.equal(quantileSeconds(histogram, 0.99), BUCKET_BOUNDS_SECONDS.at(-1));
});

Deno.test("a quantile is never off by more than its bucket", () => {
  fc.assert(fc.property(
    fc.array(fc.double({ min: 1, max: 6e7, noNaN: true }), { minLength: 1, maxLength: 200 }),
    fc.double({ min: 0.01, max: 1, noNaN: true }),
    (durations, q) => {
      const counts = new Array(BUCKETS).fill(0);
      for (const us of durations) counts[bucketOf(us)]++;
      const exact = durations.toSorted((a, b) => a - b)[Math.ceil(q * durations.length - 1e-9) - 1]!;
      const estimate = quantileSeconds({ counts, sumSeconds: 0 }, q)! * 1e6;
      assert.ok(bucketOf(estimate) === bucketOf(exact) || Math.abs(bucketOf(estimate) - bucketOf(exact)) === 1);
      assert.ok(estimate <= 8 || (estimate <= 2.001 * exact && estimate >= exact / 2.001), `${estimate} for ${exact}`);
    },
  ));
});
