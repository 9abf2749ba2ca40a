import type { Logger, RangeSource } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { SpanCache } from "../cache/mod.ts";
import type { InflateName } from "../codec/mod.ts";

/** What {@linkcode Content} needs. */
export interface ContentOptions {
  /** The archive whose files are read. */
  readonly archive: Archive;
  /** The compressed blob of a layer, by number. */
  readonly blob: (layer: number) => RangeSource | Promise<RangeSource>;
  /** Where verified spans are kept. */
  readonly cache: SpanCache;
  /** False: ignore checkpoints, inflate whole layers. */
  readonly useCheckpoints: boolean;
  /** Who inflates; default kernel. */
  readonly inflate?: InflateName;
  /** Told of failed reads, of fetches, and of everything that makes them slower than they should be. */
  readonly log: Logger;
  /**
   * A fetch of one span that takes longer, a second for each 64 KiB of it added, is given up; runs of several spans have
   * no such bound. Default 30,000.
   */
  readonly deadlineMs?: number;
}

/** Spans of one layer, by archive-wide numbers: [firstSpan, endSpan). */
export interface SpanRange {
  /** Number of the layer, 0 the lowest. */
  readonly layer: number;
  /** The first. */
  readonly firstSpan: number;
  /** The one after the last. */
  readonly endSpan: number;
}

/** How to prefetch. */
export interface PrefetchOptions {
  /** Ends it; what is under way may be finished. */
  readonly signal?: AbortSignal;
  /** Told after each span, or several. */
  readonly onProgress?: (doneSpans: number, spans: number) => void;
}
