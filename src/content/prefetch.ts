import type { LayerTables } from "../archive/mod.ts";
import type { PrefetchOptions, SpanRange } from "./content_options.ts";

/** When less than this many plain bytes are asked for and not there yet, more are asked for… */
const LOW_WATER_BYTES = 32 * 1024 * 1024;
/** …up to this: so that neighbours are asked for together, and requests stay long. */
const HIGH_WATER_BYTES = 64 * 1024 * 1024;
/** And no further, however long the run. */
const HIGHEST_WATER_BYTES = 2 * HIGH_WATER_BYTES;

/** Where spans are brought to. */
export interface PrefetchTarget {
  /** Whether it is there already. */
  has(layer: number, span: number): boolean;
  /** Brings it there. */
  fetch(layer: number, span: number, signal: AbortSignal | undefined): Promise<unknown>;
}

/** See Content.prefetch. */
export async function prefetch(
  layers: LayerTables,
  target: PrefetchTarget,
  ranges: Iterable<SpanRange>,
  { signal, onProgress }: PrefetchOptions,
): Promise<void> {
  const wanted = [...ranges];
  const spans = wanted.reduce((sum, { firstSpan, endSpan }) => sum + endSpan - firstSpan, 0);
  let doneSpans = 0;
  let waitingBytes = 0;
  let failure: { error: unknown } | undefined;
  let wake: () => void = () => {};
  const until = async (limitBytes: number) => {
    while (waitingBytes > limitBytes && failure === undefined) await new Promise<void>((resolve) => wake = resolve);
    if (failure !== undefined) throw failure.error;
  };
  const done = () => onProgress?.(++doneSpans, spans);
  const bring = (layer: number, span: number) => {
    const plainBytes = layers.spanEnd(layer, span) - layers.spanOffsets[span]!;
    waitingBytes += plainBytes;
    target.fetch(layer, span, signal).then(done, (error) => failure ??= { error }).finally(() => {
      waitingBytes -= plainBytes;
      wake();
    });
  };
  for (const { layer, firstSpan, endSpan } of wanted) {
    for (let span = firstSpan; span < endSpan; span++) {
      signal?.throwIfAborted();
      if (target.has(layer, span)) {
        done();
        continue;
      }
      const isWithinRun = span > firstSpan &&
        layers.spanCheckpoint(layer, span) === layers.spanCheckpoint(layer, span - 1);
      // What is not wanted of a run by the time that it is fetched is left out.
      if (waitingBytes >= (isWithinRun ? HIGHEST_WATER_BYTES : HIGH_WATER_BYTES)) await until(LOW_WATER_BYTES);
      bring(layer, span);
    }
  }
  await until(0);
}
