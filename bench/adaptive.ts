/**
 * Would it pay to space checkpoints by how well the data compresses? Simulated: from a dense table of real checkpoints,
 * each rule picks about as many as a fixed spacing does, and the cost of reading a random byte is computed. A read
 * fetches and decodes its whole span; the costs of a request, of windows and of the rest are the same for all rules.
 */
import { MIB } from "../src/base/mod.ts";
import type { Archive } from "../src/archive/mod.ts";

/** Plain bytes a second that are decoded, digested and written to the cache: of the order of what was measured. */
const DECODE_BYTES_A_SECOND = 400e6;
/** Compressed bytes a second of a slow and a fast network: 100 Mbit/s and 1 Gbit/s. */
export const NETWORKS: Readonly<Record<string, number>> = { "100 Mbit/s": 12.5e6, "1 Gbit/s": 125e6 };

/** A place where a span can begin. */
interface Candidate {
  readonly plainOffset: number;
  readonly compressedOffset: number;
  readonly windowBytes: number;
}

/** The size of a span as a rule sees it: it is closed once that reaches a bound. */
export type SpacingRule = "fixed" | "by compressed bytes" | "least mean cost";

/** What came of one rule on one network. */
export interface AdaptiveFigures {
  readonly rule: SpacingRule;
  readonly network: string;
  readonly spans: number;
  /** Window records before they are deflated. */
  readonly windowBytes: number;
  /** Of the span that holds a random plain byte: time to fetch and decode it. */
  readonly meanMs: number;
  readonly p99Ms: number;
}

/** Compares the rules on the first layer of an archive whose checkpoints are dense, against a fixed spacing. */
export function simulateAdaptive(archive: Archive, spacingBytes: number = 2 * MIB): AdaptiveFigures[] {
  const candidates = candidatesOf(archive);
  const figures: AdaptiveFigures[] = [];
  for (const [network, bytesASecond] of Object.entries(NETWORKS)) {
    const costMs = (plain: number, compressed: number) =>
      1000 * (compressed / bytesASecond + plain / DECODE_BYTES_A_SECOND);
    const sizes: Record<SpacingRule, (plain: number, compressed: number) => number> = {
      "fixed": (plain) => plain,
      "by compressed bytes": (_plain, compressed) => compressed,
      // What a span of n bytes costs on average grows with n · cost(n): the sum over all spans is least where
      // n · sqrt(cost for each byte) is the same in all.
      "least mean cost": (plain, compressed) => Math.sqrt(plain * costMs(plain, compressed)),
    };
    const fixed = pick(candidates, sizes.fixed, spacingBytes);
    for (const rule of Object.keys(sizes) as SpacingRule[]) {
      const chosen = rule === "fixed" ? fixed : pickAbout(candidates, sizes[rule], fixed.length);
      figures.push({ rule, network, ...weigh(chosen, costMs) });
    }
  }
  return figures;
}

function candidatesOf({ layers }: Archive): Candidate[] {
  return Array.from({ length: layers.firstCheckpoint[1]! }, (_, index) => {
    const { plainOffset, compressedBitOffset, windowBytes } = layers.checkpoint(index);
    return { plainOffset, compressedOffset: compressedBitOffset / 8, windowBytes };
  });
}

/** The first candidate, then always the next that makes a span of at least `bound`; and the last. */
function pick(candidates: readonly Candidate[], size: (plain: number, compressed: number) => number, bound: number) {
  const chosen = [candidates[0]!];
  for (const candidate of candidates) {
    const last = chosen.at(-1)!;
    const plain = candidate.plainOffset - last.plainOffset;
    if (plain > 0 && size(plain, candidate.compressedOffset - last.compressedOffset) >= bound) chosen.push(candidate);
  }
  if (chosen.at(-1) !== candidates.at(-1)) chosen.push(candidates.at(-1)!);
  return chosen;
}

/** As `pick`, with the bound that comes nearest to `count` candidates. */
function pickAbout(
  candidates: readonly Candidate[],
  size: (plain: number, compressed: number) => number,
  count: number,
): Candidate[] {
  let low = 0;
  let high = size(candidates.at(-1)!.plainOffset, candidates.at(-1)!.compressedOffset);
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (pick(candidates, size, middle).length > count) low = middle;
    else high = middle;
  }
  return pick(candidates, size, high);
}

function weigh(chosen: readonly Candidate[], costMs: (plain: number, compressed: number) => number) {
  const spans = chosen.slice(1).map((end, i) => {
    const start = chosen[i]!;
    const plain = end.plainOffset - start.plainOffset;
    return { plain, ms: costMs(plain, end.compressedOffset - start.compressedOffset) };
  }).sort((a, b) => a.ms - b.ms);
  const plainBytes = chosen.at(-1)!.plainOffset;
  let below = 0;
  let p99Ms = 0;
  for (const { plain, ms } of spans) {
    if (below < 0.99 * plainBytes) p99Ms = ms;
    below += plain;
  }
  return {
    spans: spans.length,
    windowBytes: chosen.reduce((bytes, candidate) => bytes + candidate.windowBytes, 0),
    meanMs: spans.reduce((sum, { plain, ms }) => sum + plain * ms, 0) / plainBytes,
    p99Ms,
  };
}
