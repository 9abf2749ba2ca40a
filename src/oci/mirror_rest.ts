import { LRUCache } from "lru-cache";
import type { RegistryError } from "./errors.ts";

/** After a failure a mirror is left alone for so long, twice as long after each that follows, … */
const FIRST_REST_MS = 1_000;
/** … up to this. */
const MAX_REST_MS = 60_000;
/** What a mirror lacks, it may have got by then. */
const LACK_REST_MS = 60_000;
const MAX_LACKING = 1024;

/** What keeps a mirror from being asked. */
export class MirrorRest {
  readonly #lacking = new LRUCache<string, true>({ max: MAX_LACKING, ttl: LACK_REST_MS });
  #failures = 0;
  #untilMs = 0;

  /** Whether it is not to be asked for `path` now. */
  isResting(path: string): boolean {
    return Date.now() < this.#untilMs || this.#lacking.has(path);
  }

  /** It answers. One that answers and then breaks off again and again rests longer all the same. */
  succeeded(): void {
    if (Date.now() > this.#untilMs + MAX_REST_MS) this.#failures = 0;
  }

  /** It failed; how long it rests, in milliseconds. Chance keeps the machines of a fleet apart. */
  failed(error: RegistryError | undefined): number {
    // Those who asked at the same time found the same.
    if (Date.now() < this.#untilMs) return this.#untilMs - Date.now();
    const backoffMs = Math.min(FIRST_REST_MS * 2 ** this.#failures++, MAX_REST_MS);
    const restMs = Math.min(Math.max(error?.retryAfterMs ?? 0, backoffMs), MAX_REST_MS) * (0.75 + Math.random() / 2);
    this.#untilMs = Date.now() + restMs;
    return restMs;
  }

  /** It does not have `path`, or has something else in its place; how long it is not asked for that. */
  lacks(path: string): number {
    this.#lacking.set(path, true);
    return LACK_REST_MS;
  }
}
