import { LightestPlaces } from "./lightest_places.ts";
import type { CheckpointStrategy, SymbolStrategyOptions } from "./strategy.ts";

/**
 * `exact`: as `sparse`, and a checkpoint inside the block at the very first byte of each large file, so that reading one
 * from its start decodes nothing in vain.
 */
export function exactStrategy(options: SymbolStrategyOptions): CheckpointStrategy {
  return new LightestPlaces(options, { atFiles: true });
}
