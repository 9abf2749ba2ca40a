import { formatDuration, type Logger, messageOf } from "../../base/mod.ts";
import { Backoff, type Ticket } from "./backoff.ts";

/** The first pause after a failure; they double. */
const FIRST_REST_MS = 1000;
/** The longest pause: so long after a store is back it may still be left alone. */
const MAX_REST_MS = 30_000;

/**
 * Whether a store is asked at present. Of an outage there are two log lines, whatever the number of failures: one where
 * it begins and one where it ends.
 */
export class StoreHealth {
  #backoff = new Backoff({ firstMs: FIRST_REST_MS, maxMs: MAX_REST_MS });
  #store: string;
  #work: "reads" | "writes";
  #log: Logger;

  /** All is well. @param store Its description. @param work What pauses. */
  constructor(store: string, work: "reads" | "writes", log: Logger) {
    this.#store = store;
    this.#work = work;
    this.#log = log;
  }

  /** Whether an outage has begun and not ended. */
  get isDown(): boolean {
    return this.#backoff.isDown;
  }

  /** Leave to ask once, to be followed by one of the calls below; undefined while the store is left alone. */
  enter(): Ticket | undefined {
    return this.#backoff.enter();
  }

  /** The store did what it was asked. */
  succeeded(ticket: Ticket): void {
    if (this.#backoff.succeeded(ticket)) {
      this.#log.warn(`the remote cache is back: ${this.#work} go to it again`, { cache: this.#store });
    }
  }

  /** The store failed. */
  failed(ticket: Ticket, error: unknown): void {
    const rest = this.#backoff.failed(ticket);
    if (rest === undefined) return;
    const fields = { cache: this.#store, error: messageOf(error), rest: formatDuration(rest.restMs) };
    if (rest.isFirst) this.#log.warn(`the remote cache fails: ${this.#work} go on without it`, fields);
    else this.#log.debug("the remote cache still fails", fields);
  }

  /** Nothing was found out. */
  abandoned(ticket: Ticket): void {
    this.#backoff.abandoned(ticket);
  }
}
