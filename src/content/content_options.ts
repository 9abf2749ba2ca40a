import type { Logger, RangeSource } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { RemoteCache, SpanCache } from "../cache/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { ContentObserver } from "./observer.ts";

/** What {@linkcode Content} needs. */
export interface ContentOptions {
  /** The archive whose files are read. */
  readonly archive: Archive;
  /** The compressed blob of a layer, by number. */
  readonly blob: (layer: number) => RangeSource | Promise<RangeSource>;
  /** Where verified spans are kept on this machine; undefined: in memory alone. */
  readonly cache: SpanCache | undefined;
  /** Where they are looked for before the source is asked, and offered afterwards. Stays the caller's to close. */
  readonly remote?: RemoteCache | undefined;
  /**
   * Spans kept in memory, at most: default 128 MiB, or 32 where there is a cache, for what that cannot take. With more
   * than one reader, spans that do not fit are fetched again and again.
   */
  readonly memoryBytes?: number | undefined;
  /** True: the source is never asked; what no cache has is an error. */
  readonly offline?: boolean | undefined;
  /** False: ignore checkpoints, inflate whole layers. */
  readonly useCheckpoints: boolean;
  /** Who inflates; default kernel. */
  readonly inflate?: InflateName | undefined;
  /** Told when there has been nothing to decode for a while: a good moment to give memory back. */
  readonly onIdle?: (() => void) | undefined;
  /** Threads that decode, at most: default as many as there are cores, but 4; 0: none, decode in place. */
  readonly decodeWorkers?: number | undefined;
  /** Told of failed reads, of fetches, and of everything that makes them slower than they should be. */
  readonly log: Logger;
  /** Told of everything that is done. */
  readonly observer?: ContentObserver | undefined;
  /**
   * A request whose next bytes take longer is given up; so is one slower on the whole than this and a second for each 64
   * KiB. A read waits twice as long at most. Default 30,000.
   */
  readonly deadlineMs?: number | undefined;
}

/** How to read. */
export interface ReadOptions {
  /** Ends the wait, and the fetch with it where it has not begun and nobody else wants it. */
  readonly signal?: AbortSignal | undefined;
  /** The process that asks, for observers. */
  readonly pid?: number | undefined;
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
