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
 * All of them, or else: every strategy × spacing on the usual layer; every strategy, and the usual one at every spacing,
 * on the other layers; and the usual strategy and spacing on what other compressors make.
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
  return full ? cases : cases.filter(({ content, compressor, strategy, spacingMib }) => {
    const usual = Number(strategy === USUAL.strategy) + Number(spacingMib === USUAL.spacingMib);
    if (compressor !== USUAL.compressor) return usual === 2;
    return usual >= (content === USUAL.content ? 0 : 1);
  });
}

/** The size of a layer before compression, where others have `maxBytes`: one large file is to be larger than its spans. */
export function layerBytes(content: string, maxBytes: number): number {
  return content === "large" ? Math.round(maxBytes * 5 / 3) : maxBytes;
}
