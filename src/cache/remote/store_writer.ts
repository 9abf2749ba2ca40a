import { LRUCache } from "lru-cache";
import { ClipError, type Logger, MIB } from "../../base/mod.ts";
import type { ContentStore } from "./content_store.ts";
import { orAborted, withinDeadline } from "./deadline.ts";
import type { ObservedPut, RemoteCacheObserver } from "./remote_cache_observer.ts";
import { StoreHealth } from "./store_health.ts";

/** Plain bytes of what waits to be stored in one store, at most; more is dropped. */
const MAX_WAITING_BYTES = 32 * MIB;
/** Values sent at a time: the background must not take the line from readers. */
const MAX_WRITES = 2;
/** Time for one value. Nobody waits for it. */
const WRITE_TIMEOUT_MS = 15_000;
/** Keys that are known to be there, and not offered again. */
const MAX_KNOWN = 16_384;

/** A span that may be stored, in whatever stores want it. */
export interface Offer {
  /** 64 hex digits of its sha256. */
  readonly key: string;
  /** Of the span. */
  readonly plainBytes: number;
  /** What is stored; made when it is first asked for. */
  readonly value: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** What a writer is given. */
export interface WriterOptions {
  readonly log: Logger;
  readonly observer: RemoteCacheObserver;
}

/** Stores what is offered to one store, in the background: few at a time, each once, and only so much may wait. */
export class StoreWriter {
  #store: ContentStore;
  #options: WriterOptions;
  #readHealth: StoreHealth;
  #writeHealth: StoreHealth;
  /** By key, in order of arrival: what waits, and what is being sent. */
  #offers = new Map<string, { offer: Offer; overwrites: boolean; isUnderWay: boolean }>();
  #waitingBytes = 0;
  #writes = 0;
  #known = new LRUCache<string, true>({ max: MAX_KNOWN });
  #closing = new AbortController();
  #onIdle: (() => void)[] = [];

  /** @param readHealth Of the same store: while reads fail, nothing is written. */
  constructor(store: ContentStore, readHealth: StoreHealth, options: WriterOptions) {
    this.#store = store;
    this.#options = options;
    this.#readHealth = readHealth;
    this.#writeHealth = new StoreHealth(store.description, "writes", options.log);
  }

  /** Takes an offer, or drops it. @param overwrites Whether to store it even where there is something. */
  add(offer: Offer, { overwrites }: { overwrites: boolean }): void {
    if (this.#closing.signal.aborted || this.#offers.has(offer.key)) return;
    if (!overwrites && this.#known.has(offer.key)) return;
    if (this.#readHealth.isDown) return this.#observe(offer, "resting");
    if (this.#waitingBytes + offer.plainBytes > MAX_WAITING_BYTES) return this.#observe(offer, "dropped");
    this.#offers.set(offer.key, { offer, overwrites, isUnderWay: false });
    this.#waitingBytes += offer.plainBytes;
    this.#next();
  }

  /** The store does not have it after all. */
  forget(key: string): void {
    this.#known.delete(key);
  }

  /** Resolves when nothing waits. */
  idle(): Promise<void> {
    if (this.#offers.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** Drops what waits, and gives up what is being sent. */
  close(): void {
    this.#closing.abort(new ClipError("aborted", "the remote cache has been closed"));
  }

  #next(): void {
    for (const entry of this.#offers.values()) {
      if (this.#writes >= MAX_WRITES) return;
      if (entry.isUnderWay) continue;
      entry.isUnderWay = true;
      this.#writes++;
      this.#write(entry.offer, entry.overwrites).finally(() => {
        this.#writes--;
        this.#waitingBytes -= entry.offer.plainBytes;
        this.#offers.delete(entry.offer.key);
        this.#next();
        if (this.#offers.size === 0) { for (const resolve of this.#onIdle.splice(0)) resolve(); }
      });
    }
  }

  /** Stores one value. Never rejects. */
  async #write(offer: Offer, overwrites: boolean): Promise<void> {
    const ticket = this.#readHealth.isDown ? undefined : this.#writeHealth.enter();
    if (ticket === undefined) return this.#observe(offer, "resting");
    const startMs = performance.now();
    const done = (result: ObservedPut["result"], storedBytes = 0, error?: unknown) =>
      this.#observe(offer, result, { storedBytes, durationMs: performance.now() - startMs, error });
    try {
      const storedBytes = await withinDeadline(async (signal) => {
        if (!overwrites && await this.#store.has(offer.key, signal)) return undefined;
        const value = await orAborted(offer.value(), signal);
        await this.#store.put(offer.key, value, signal);
        return value.length;
      }, { timeoutMs: WRITE_TIMEOUT_MS, signal: this.#closing.signal });
      this.#known.set(offer.key, true);
      // That a value is there says nothing of whether the store takes others.
      if (storedBytes === undefined) this.#writeHealth.abandoned(ticket);
      else this.#writeHealth.succeeded(ticket);
      done(storedBytes === undefined ? "present" : "stored", storedBytes);
    } catch (error) {
      if (this.#closing.signal.aborted) return done("aborted");
      this.#writeHealth.failed(ticket, error);
      done("error", 0, error);
    }
  }

  #observe(
    { plainBytes }: Offer,
    result: ObservedPut["result"],
    { storedBytes = 0, durationMs = 0, error }: { storedBytes?: number; durationMs?: number; error?: unknown } = {},
  ): void {
    this.#options.observer.onPut?.({
      store: this.#store.description,
      result,
      plainBytes,
      storedBytes,
      durationMs,
      ...(error === undefined ? {} : { error }),
    });
  }
}
