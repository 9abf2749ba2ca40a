import { ClipError } from "../base/mod.ts";

/** A span whose bytes are not the layer's, however they were fetched, fails at once for so long. */
const CORRUPT_REST_MS = 10_000;
/**
 * After a fetch has failed, retries included, further reads of the layer fail at once for so long: the kernel asks
 * again, page by page, for a read-ahead that failed.
 */
const UNREACHABLE_REST_MS = 1000;
/** A layer is inflated from its start for the sake of an unusable checkpoint no more often than this. */
const WHOLE_LAYER_REST_MS = 60_000;

/** What has failed lately and is not tried again yet. */
export class Rests {
  #spans = new Map<number, { until: number; error: unknown }>();
  #layers = new Map<number, { until: number; error: unknown }>();
  #wholeLayers = new Map<number, number>();

  /** Why a span is not to be tried now, if it is not. */
  ofSpan(span: number): unknown {
    return current(this.#spans, span);
  }

  /** Why nothing of a layer's blob is to be asked for now, if so. */
  ofLayer(layer: number): unknown {
    return current(this.#layers, layer);
  }

  /** A span could not be had. */
  failed(layer: number, span: number, error: unknown): void {
    if (isContentError(error)) this.#spans.set(span, { until: Date.now() + CORRUPT_REST_MS, error });
    else this.#layers.set(layer, { until: Date.now() + UNREACHABLE_REST_MS, error });
  }

  /** Whether a whole layer may be inflated now; if so, not again soon. */
  takeWholeLayer(layer: number): boolean {
    if ((this.#wholeLayers.get(layer) ?? 0) > Date.now()) return false;
    this.#wholeLayers.set(layer, Date.now() + WHOLE_LAYER_REST_MS);
    return true;
  }
}

function current(rests: Map<number, { until: number; error: unknown }>, key: number): unknown {
  const rest = rests.get(key);
  if (rest === undefined) return undefined;
  if (rest.until > Date.now()) return rest.error;
  rests.delete(key);
  return undefined;
}

/** The source answered, but with bytes that are not the layer's: fetching again or decoding from elsewhere may help. */
export function isContentError(error: unknown): boolean {
  return error instanceof ClipError && (error.code === "corrupt" || error.code === "digest_mismatch");
}
