/** How checkpoints are chosen. To add a strategy: a file here, its name in codec.ts, a row in the table below. */
import { ClipError } from "../../../base/mod.ts";
import type { StrategyName } from "../../codec.ts";
import type { SymbolSense } from "../engine.ts";
import { exactStrategy } from "./exact.ts";
import { fileStrategy } from "./file.ts";
import { intervalStrategy } from "./interval.ts";
import { sparseStrategy } from "./sparse.ts";
import type { CheckpointStrategy, StrategyOptions, SymbolStrategyOptions } from "./strategy.ts";
export type { CheckpointStrategy, Place } from "./strategy.ts";

const SYMBOL_STRATEGIES: Partial<Record<StrategyName, (options: SymbolStrategyOptions) => CheckpointStrategy>> = {
  sparse: sparseStrategy,
  exact: exactStrategy,
};
const BLOCK_STRATEGIES: Partial<Record<StrategyName, (options: StrategyOptions) => CheckpointStrategy>> = {
  interval: intervalStrategy,
  file: fileStrategy,
};

/**
 * The strategy of that name. @throws {ClipError} `unsupported` for one that looks between single symbols, where the
 * engine cannot.
 */
export function createStrategy(
  name: StrategyName,
  options: Omit<SymbolStrategyOptions, "symbols"> & { readonly symbols: SymbolSense | undefined },
): CheckpointStrategy {
  const create = BLOCK_STRATEGIES[name];
  if (create !== undefined) return create(options);
  const { symbols } = options;
  if (symbols === undefined) {
    const text = `checkpoints of strategy ${name} need the inflate kernel: choose interval or file with --checkpoints`;
    throw new ClipError("unsupported", text);
  }
  return SYMBOL_STRATEGIES[name]!({ ...options, symbols });
}
