import { BlockEnds } from "./block_ends.ts";
import type { CheckpointStrategy, StrategyOptions } from "./strategy.ts";

/**
 * `interval`: the first block end at or past the spacing. The simplest there is, and what SOCI and zran do: windows are
 * whole, the ways between checkpoints a little longer than the spacing.
 */
export function intervalStrategy(options: StrategyOptions): CheckpointStrategy {
  return new BlockEnds({ ...options, fileStarts: [] });
}
