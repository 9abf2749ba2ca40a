/**
 * What becomes of a question. `resting`: not asked, since it failed a short while ago, or its value was poison. `poison`:
 * it had something else than what was asked for. `aborted`: the reader went away.
 */
export const GET_RESULTS = ["hit", "miss", "error", "poison", "resting", "aborted"] as const;

/**
 * What becomes of a value that is offered. `present`: it was there already. `dropped`: too much was waiting. `resting`:
 * the store takes none at present.
 */
export const PUT_RESULTS = ["stored", "present", "dropped", "resting", "error", "aborted"] as const;

/** One question to a store. */
export interface ObservedGet {
  /** Description of the store. */
  readonly store: string;
  /** What became of it. */
  readonly result: (typeof GET_RESULTS)[number];
  /** Of the span. */
  readonly plainBytes: number;
  /** Received; 0 without a value. */
  readonly storedBytes: number;
  /** From the question to verified bytes, or to whatever else became of it. */
  readonly durationMs: number;
  /** Why it failed. */
  readonly error?: unknown;
}

/** One value offered to a store. */
export interface ObservedPut {
  /** Description of the store. */
  readonly store: string;
  /** What became of it. */
  readonly result: (typeof PUT_RESULTS)[number];
  /** Of the span. */
  readonly plainBytes: number;
  /** Sent; 0 unless stored. */
  readonly storedBytes: number;
  /** From the moment it was its turn; 0 where it never was. */
  readonly durationMs: number;
  /** Why it failed. */
  readonly error?: unknown;
}

/** Told of what remote caches do, for metrics. Calls come after the fact, and must neither throw nor take long. */
export interface RemoteCacheObserver {
  /** A store was asked, or passed over. */
  onGet?(get: ObservedGet): void;
  /** What was offered to a store was stored, or not. */
  onPut?(put: ObservedPut): void;
}
