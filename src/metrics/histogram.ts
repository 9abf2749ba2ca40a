/**
 * Histograms of durations with fixed bounds, each twice the one before: 8 µs, the least that a read takes, to 67 s, the
 * most that anybody waits. So the bucket of a duration is found by counting zero bits, and quantiles are right within a
 * factor of two, mostly far less.
 */

/** Upper bounds of the buckets, inclusive, in seconds; what is longer falls into one more. */
export const BUCKET_BOUNDS_SECONDS: readonly number[] = Array.from({ length: 24 }, (_, i) => 2 ** (i + 3) / 1e6);

/** How many buckets there are, that for the longest included. */
export const BUCKETS: number = BUCKET_BOUNDS_SECONDS.length + 1;

/** Number of the bucket of a duration in microseconds: the first whose bound is not below it. */
export function bucketOf(microseconds: number): number {
  // Also for a clock that went back.
  if (!(microseconds > 8)) return 0;
  if (microseconds > 2 ** 26) return BUCKETS - 1;
  return 29 - Math.clz32(Math.ceil(microseconds) - 1);
}

/** What a histogram has counted. */
export interface HistogramCounts {
  /** By bucket, not cumulative; {@linkcode BUCKETS} of them. */
  readonly counts: readonly number[];
  /** Of all durations. */
  readonly sumSeconds: number;
}

/** All that was counted. */
export function countOf({ counts }: HistogramCounts): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * An estimate in seconds of the duration that the share `q` (0 to 1) of all does not exceed, interpolated in its bucket;
 * undefined where nothing was counted. Of what exceeds the last bound that bound is all that is known.
 */
export function quantileSeconds(histogram: HistogramCounts, q: number): number | undefined {
  const total = countOf(histogram);
  if (total === 0) return undefined;
  let below = 0;
  for (let bucket = 0; bucket < BUCKETS - 1; bucket++) {
    const count = histogram.counts[bucket]!;
    if (count > 0 && below + count >= q * total) {
      const lower = bucket === 0 ? 0 : BUCKET_BOUNDS_SECONDS[bucket - 1]!;
      return lower + (BUCKET_BOUNDS_SECONDS[bucket]! - lower) * ((q * total - below) / count);
    }
    below += count;
  }
  return BUCKET_BOUNDS_SECONDS.at(-1)!;
}
