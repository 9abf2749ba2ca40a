/** Streams that are not quite right. */
import { CorruptError } from "../../src/base/mod.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** A copy of `bytes`, not empty, with one to three damages, more of them near the start, where headers are. */
export function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const mutated = new Uint8Array(bytes);
  const early = () =>
    Math.min(random.below(mutated.length), random.below(mutated.length), random.below(mutated.length));
  for (let count = 1 + random.below(3); count > 0; count--) {
    switch (random.below(6)) {
      case 0:
        mutated[early()] = random.below(256);
        break;
      case 1:
        mutated[early()]! ^= 1 << random.below(8);
        break;
      case 2:
        mutated[random.below(mutated.length)]! ^= 1 << random.below(8);
        break;
      case 3:
        mutated.copyWithin(early(), random.below(mutated.length), mutated.length);
        break;
      case 4:
        mutated.fill(random.below(2) * 255, mutated.length - random.below(12));
        break;
      default:
        return mutated.subarray(0, 1 + random.below(mutated.length));
    }
  }
  return mutated;
}

/** The result of `work`; undefined where it throws a CorruptError. Anything else thrown is a finding. */
export function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return undefined;
  }
}
