/**
 * Where the bytes of a span came from, cheapest first: decoded shortly before, the machine's disk cache, a shared remote
 * cache, a range of the layer's blob, or the whole layer inflated for want of a usable checkpoint.
 */
export const TIERS = ["memory", "disk", "remote", "registry", "layer"] as const;

/** One of {@linkcode TIERS}. */
export type Tier = (typeof TIERS)[number];

/** Who wants a span: a reader that waits, the read-ahead of one, or a prefetch that nobody waits for. */
export const DEMANDS = ["read", "readahead", "prefetch"] as const;

/** One of {@linkcode DEMANDS}. */
export type Demand = (typeof DEMANDS)[number];

/** One read that Content answered or failed. Reads that the serving thread answers by itself are not among them. */
export interface ObservedRead {
  /** Of the file. */
  readonly inode: number;
  /** In the file. */
  readonly offset: number;
  /** As asked for, cut at the file's end. */
  readonly lengthBytes: number;
  /** The process that asked, where it is known. */
  readonly pid?: number;
  /** The slowest tier it had to go to. */
  readonly tier: Tier;
  /** From the request to the answer. */
  readonly durationMs: number;
  /** Why it failed. */
  readonly error?: unknown;
}

/** One request for a range of a layer's blob, whatever came of it. Span numbers are archive-wide. */
export interface ObservedFetch {
  /** Number of the layer, 0 the lowest. */
  readonly layer: number;
  /** First span of the range. */
  readonly firstSpan: number;
  /** Span after the last. */
  readonly endSpan: number;
  /** Asked for. */
  readonly compressedBytes: number;
  /** Decoded and verified. */
  readonly plainBytes: number;
  /** Who wanted it. */
  readonly demand: Demand;
  /** From the request to the last verified span. */
  readonly durationMs: number;
  /** Why it failed. */
  readonly error?: unknown;
}

/**
 * Told of what Content does, for metrics, traces and profiles. Calls come on the main thread, after the fact, and must
 * neither throw nor take long.
 */
export interface ContentObserver {
  /** A read was answered, or failed. */
  onRead?(read: ObservedRead): void;
  /** A request to the source ended. */
  onFetch?(fetch: ObservedFetch): void;
  /** A span was verified, and where its bytes came from. */
  onSpan?(layer: number, span: number, tier: Tier): void;
  /** A reader touched a span for the first time since this Content was opened, wherever it was answered from. */
  onFirstTouch?(layer: number, span: number): void;
}

/** An observer that passes on what it is told to two. */
export function tellBoth(one: ContentObserver, other: ContentObserver): ContentObserver {
  return {
    onRead(read) {
      one.onRead?.(read);
      other.onRead?.(read);
    },
    onFetch(fetch) {
      one.onFetch?.(fetch);
      other.onFetch?.(fetch);
    },
    onSpan(layer, span, tier) {
      one.onSpan?.(layer, span, tier);
      other.onSpan?.(layer, span, tier);
    },
    onFirstTouch(layer, span) {
      one.onFirstTouch?.(layer, span);
      other.onFirstTouch?.(layer, span);
    },
  };
}
