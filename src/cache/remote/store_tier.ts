import { LRUCache } from "lru-cache";
import { ClipError, Limiter, type Logger, messageOf } from "../../base/mod.ts";
import type { Ticket } from "./backoff.ts";
import type { ContentStore } from "./content_store.ts";
import { orAborted, withinDeadline } from "./deadline.ts";
import type { ObservedGet, RemoteCacheObserver } from "./remote_cache_observer.ts";
import { StoreHealth } from "./store_health.ts";
import { type Offer, StoreWriter } from "./store_writer.ts";
import type { ValueCoder } from "./value_coder.ts";
import type { DecodedValue } from "./value_messages.ts";

/** Decoding takes some milliseconds; later nobody believes in it. */
const DECODE_TIMEOUT_MS = 10_000;
/** Questions to one store at a time; further ones wait, within their deadlines. */
const MAX_READS = 16;
/** A key whose value was poison is not asked for so long. */
const POISON_REST_MS = 60_000;
const MAX_POISONED = 4096;
/** Poison so often in a row is not one bad value but a bad store. */
const MAX_POISON_IN_A_ROW = 4;

/** A span that is asked for. */
export interface WantedSpan {
  /** 64 hex digits of its sha256. */
  readonly key: string;
  readonly sha256: Uint8Array;
  readonly plainBytes: number;
  /** Whether the stored value is wanted as well. */
  readonly keepsValue: boolean;
}

/** What a tier shares with the others. */
export interface TierOptions {
  /** The longest wait for one value. */
  readonly timeoutMs: number;
  readonly coder: ValueCoder;
  readonly log: Logger;
  readonly observer: RemoteCacheObserver;
}

/** One store, asked politely: within a deadline, not too often at once, not at all for a while after it failed; and what it says is verified. */
export class StoreTier {
  readonly store: ContentStore;
  #options: TierOptions;
  #health: StoreHealth;
  #writer: StoreWriter;
  #reads = new Limiter(MAX_READS);
  #poisoned = new LRUCache<string, true>({ max: MAX_POISONED, ttl: POISON_REST_MS });
  #poisonInARow = 0;

  /** Asks nothing yet. */
  constructor(store: ContentStore, options: TierOptions) {
    this.store = store;
    this.#options = options;
    this.#health = new StoreHealth(store.description, "reads", options.log);
    this.#writer = new StoreWriter(store, this.#health, options);
  }

  /** The span, verified; undefined where it cannot be had here. Rejects only with the reason of `signal`. */
  async get(span: WantedSpan, signal: AbortSignal | undefined): Promise<DecodedValue | undefined> {
    const startMs = performance.now();
    const observe = (result: ObservedGet["result"], storedBytes = 0, error?: unknown) =>
      this.#options.observer.onGet?.({
        store: this.store.description,
        result,
        plainBytes: span.plainBytes,
        storedBytes,
        durationMs: performance.now() - startMs,
        ...(error === undefined ? {} : { error }),
      });
    const ticket = this.#poisoned.has(span.key) ? undefined : this.#health.enter();
    if (ticket === undefined) return void observe("resting");
    let storedBytes = 0;
    // That this machine is busy is not the store's fault: neither the wait for a place nor decoding counts.
    const turn = { isStores: false };
    try {
      const { timeoutMs, coder } = this.#options;
      const value = await withinDeadline((inner) => this.#read(span, turn, inner), { timeoutMs, signal });
      storedBytes = value?.length ?? 0;
      turn.isStores = false;
      const decoded = value === undefined ? undefined : await withinDeadline(
        async () => await coder.decode(value, span) ?? "poison",
        { timeoutMs: DECODE_TIMEOUT_MS, signal },
      );
      if (decoded === "poison") {
        return void observe("poison", storedBytes, this.#poison(span, ticket, "its bytes are not those of its name"));
      }
      this.#health.succeeded(ticket);
      if (decoded === undefined) this.#writer.forget(span.key);
      else this.#poisonInARow = 0;
      observe(decoded === undefined ? "miss" : "hit", storedBytes);
      return decoded;
    } catch (error) {
      if (signal?.aborted) {
        this.#health.abandoned(ticket);
        observe("aborted");
        throw signal.reason;
      }
      if (error instanceof ClipError && error.code === "limit") {
        return void observe("poison", 0, this.#poison(span, ticket, messageOf(error)));
      }
      if (turn.isStores) this.#health.failed(ticket, error);
      else this.#health.abandoned(ticket);
      return void observe("error", storedBytes, error);
    }
  }

  /** No value is longer than its span: compressed ones are kept only where that makes them shorter. */
  #read(
    { key, plainBytes }: WantedSpan,
    turn: { isStores: boolean },
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#reads.run(async () => {
      signal.throwIfAborted(); // gone while it waited
      turn.isStores = true;
      return await orAborted(this.store.get(key, plainBytes, signal), signal);
    });
  }

  #poison({ key }: WantedSpan, ticket: Ticket, why: string): Error {
    const error = new ClipError("corrupt", `${this.store.description}: the value of ${key} is wrong: ${why}`);
    this.#poisoned.set(key, true);
    if (++this.#poisonInARow < MAX_POISON_IN_A_ROW) {
      this.#health.succeeded(ticket); // it answers, after all
      this.#options.log.warn("a value in the remote cache is wrong, and is not used", { error: error.message });
    } else {
      this.#health.failed(ticket, error);
    }
    return error;
  }

  /** Has it stored in the background, where it can be. What is known to be poison is overwritten. */
  offer(offer: Offer): void {
    this.#writer.add(offer, { overwrites: this.#poisoned.has(offer.key) });
  }

  /** Resolves when nothing waits to be stored. */
  idle(): Promise<void> {
    return this.#writer.idle();
  }

  /** Gives up what waits, and lets go of the store. */
  close(): Promise<void> {
    this.#writer.close();
    return this.store.close();
  }
}
