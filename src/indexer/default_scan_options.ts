import { KIB, MIB } from "../base/mod.ts";
import type { InflateName, StrategyName } from "../codec/mod.ts";

/** Aim of the spacing between checkpoints when nothing is said. */
export const DEFAULT_SPACING_BYTES = 2 * MIB;

/** Files of at least this many bytes get a checkpoint before them when nothing is said. */
export const DEFAULT_FILE_CHECKPOINT_BYTES = 512 * KIB;

/** How checkpoints are chosen when nothing is said: as well as the engine allows. */
export function defaultStrategy(inflate: InflateName): StrategyName {
  return inflate === "kernel" ? "exact" : "file";
}
