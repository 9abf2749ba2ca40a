import type { LayerUse } from "../../src/cache/mod.ts";

/** A user of a layer that does as it is told, and notes what is taken from it. */
export interface ToldLayerUse extends LayerUse {
  /** What `retire` says. */
  mayRetire: boolean;
  /** Spans that were to be retired, so far. */
  readonly retired: Set<number>;
}

/** Uses a layer with spans of equal length. */
export function layerUse({ spans, spanBytes }: { spans: number; spanBytes: number }): ToldLayerUse {
  const retired = new Set<number>();
  return {
    spanOffsets: Float64Array.from({ length: spans + 1 }, (_, span) => span * spanBytes),
    touched: new Uint8Array(spans),
    mayRetire: true,
    retired,
    retire(given) {
      for (const span of given) retired.add(span);
      return this.mayRetire;
    },
  };
}
