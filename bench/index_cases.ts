import { STRATEGY_NAMES, type StrategyName } from "../src/codec/mod.ts";
import { COMPRESSORS } from "./corpus.ts";

/** One measurement of indexing. */
export interface IndexCase {
  readonly content: string;
  readonly compressor: string;
  readonly strategy: StrategyName;
  readonly spacingMib: number;
}

/** The contents that are measured on. */
export const MEASURED_CONTENTS: readonly string[] = ["debian", "python", "large", "small"];
/** The spacings, in MiB. */
export const SPACINGS_MIB: readonly number[] = [1, 2, 4, 8, 16];
const USUAL = { content: "debian", compressor: "gzip -6", strategy: "exact", spacingMib: 2 } as const;

/**
 * All of them, or else those in which at most two things differ from the usual: strategy and spacing, or strategy and
 * content, or compressor.
 */
export function indexCases(full: boolean): IndexCase[] {
  const cases: IndexCase[] = [];
  for (const content of MEASURED_CONTENTS) {
    for (const compressor of Object.keys(COMPRESSORS).filter((name) => name !== "gzip -1")) {
      for (const strategy of STRATEGY_NAMES) {
        for (const spacingMib of SPACINGS_MIB) cases.push({ content, compressor, strategy, spacingMib });
      }
    }
  }
  return full ? cases : cases.filter((each) => {
    if (each.compressor !== USUAL.compressor) {
      return each.content === USUAL.content && each.strategy === USUAL.strategy && each.spacingMib === USUAL.spacingMib;
    }
    return each.content === USUAL.content || each.spacingMib === USUAL.spacingMib;
  });
}
