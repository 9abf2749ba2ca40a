import { BlockEnds } from "./block_ends.ts";
import type { CheckpointStrategy, StrategyOptions } from "./strategy.ts";

/**
 * `file`: as `interval`, and the last block end at or before each large file, so that reading one from its start decodes
 * at most a block in vain. What the reference design had.
 */
export function fileStrategy(options: StrategyOptions): CheckpointStrategy {
  return new BlockEnds(options);
}
