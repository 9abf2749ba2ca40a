/** Mutated inputs by the thousand in tests, by the million with `deno task fuzz`: the same rounds, by seed. */
import assert from "node:assert/strict";
import { SeededRandom, testSeed } from "../codec/seeded_random.ts";

/** What came of one input. */
export interface FuzzVerdict {
  /** Whether clip took it; else it was refused, by an error of clip's own. */
  readonly accepted: boolean;
  /** Whether another program's or library's opinion of it was compared with clip's. */
  readonly compared?: boolean;
}

/** Makes an input, gives it to clip, and judges what comes of it. @throws where that is a finding. */
export type FuzzRound = (random: SeededRandom) => FuzzVerdict | Promise<FuzzVerdict>;

/** One kind of input. */
export interface FuzzTarget {
  /** For messages and the command line. */
  readonly name: string;
  /** Why it cannot run here; undefined where it can. */
  readonly missing?: string | undefined;
  /** Makes what all rounds start from; always the same. */
  prepare(random: SeededRandom): FuzzRound | Promise<FuzzRound>;
}

/** What came of many. */
export interface FuzzCounts {
  rounds: number;
  accepted: number;
  compared: number;
  /** Of the slowest round. */
  longestMs: number;
}

/** No round may take longer; the machine may be busy. */
const MAX_ROUND_MS = 20_000;
const PREPARING_SEED = 1;

/**
 * Runs `rounds` rounds, each of a seed of its own, from `seed` on.
 * @param onRound Told after each. @throws an Error with the command that repeats the round, caused by what it threw.
 */
export async function runFuzz(
  target: FuzzTarget,
  { rounds, seed, onRound }: { rounds: number; seed: number; onRound?: (counts: FuzzCounts) => void },
): Promise<FuzzCounts> {
  const round = await target.prepare(new SeededRandom(PREPARING_SEED));
  const counts: FuzzCounts = { rounds: 0, accepted: 0, compared: 0, longestMs: 0 };
  for (let at = seed; counts.rounds < rounds; at++) {
    const started = performance.now();
    try {
      const verdict = round(new SeededRandom(Math.imul(at, 0x9e3779b1)));
      const { accepted, compared } = verdict instanceof Promise ? await verdict : verdict;
      counts.rounds++;
      if (accepted) counts.accepted++;
      if (compared === true) counts.compared++;
      counts.longestMs = Math.max(counts.longestMs, performance.now() - started);
      assert(counts.longestMs < MAX_ROUND_MS, `a round took ${counts.longestMs} ms`);
    } catch (error) {
      throw new Error(`to repeat it: deno task fuzz ${target.name} --seed ${at} --rounds 1`, { cause: error });
    }
    onRound?.(counts);
  }
  return counts;
}

/** Defines a test of some rounds, of which a share between `accepted`'s two must have been accepted. */
export function fuzzTest(
  target: FuzzTarget,
  { rounds, accepted: [least, most] }: { rounds: number; accepted: readonly [number, number] },
): void {
  Deno.test({
    name: `fuzz: ${rounds} rounds of ${target.name}${
      target.missing === undefined ? "" : ` (skipped: ${target.missing})`
    }`,
    ignore: target.missing !== undefined,
    async fn() {
      const { accepted } = await runFuzz(target, { rounds, seed: testSeed() });
      assert(accepted > least * rounds && accepted < most * rounds, `${accepted} of ${rounds} were accepted`);
    },
  });
}
