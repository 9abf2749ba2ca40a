import { LightestPlaces } from "./lightest_places.ts";
import type { CheckpointStrategy, SymbolStrategyOptions } from "./strategy.ts";

/**
 * `sparse`: of all places within a quarter of the spacing around it, 1 MiB at most, ends of blocks and between symbols,
 * the one whose window is lightest; and of each window only the bytes that are referred to.
 */
export function sparseStrategy(options: SymbolStrategyOptions): CheckpointStrategy {
  return new LightestPlaces({ ...options, fileStarts: [] }, { atFiles: false });
}
