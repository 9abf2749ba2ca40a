/** Stands for one try; what becomes of tries from before the present pause is not counted. */
export type Ticket = number & { readonly __ticket: unique symbol };

/** How long pauses are. */
export interface BackoffOptions {
  /** Of the first pause. */
  readonly firstMs: number;
  /** Pauses double up to this. */
  readonly maxMs: number;
  /** Milliseconds of a clock that never goes back; replaceable for tests. */
  readonly now?: () => number;
}

/**
 * Whether something that failed is tried again: not for a while, which doubles with every failed try; then one try at a
 * time, until one succeeds.
 */
export class Backoff {
  #options: BackoffOptions;
  #now: () => number;
  #epoch = 0;
  /** 0: all is well. */
  #restMs = 0;
  #restUntilMs = 0;
  #isProbing = false;

  /** All is well. */
  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether a pause has begun and no try has succeeded since. */
  get isDown(): boolean {
    return this.#restMs > 0;
  }

  /** A ticket for one try, which must be followed by one of the three calls below; undefined during a pause. */
  enter(): Ticket | undefined {
    if (this.#restMs > 0) {
      if (this.#isProbing || this.#now() < this.#restUntilMs) return undefined;
      this.#isProbing = true;
    }
    return this.#epoch as Ticket;
  }

  /** The try succeeded. True where that ends a pause. */
  succeeded(ticket: Ticket): boolean {
    if (ticket !== this.#epoch || this.#restMs === 0) return false;
    this.#begin(0);
    return true;
  }

  /** The try failed. The length of the pause that begins with that, and whether it is the first. */
  failed(ticket: Ticket): { restMs: number; isFirst: boolean } | undefined {
    if (ticket !== this.#epoch) return undefined;
    const isFirst = this.#restMs === 0;
    const { firstMs, maxMs } = this.#options;
    this.#begin(isFirst ? firstMs : Math.min(this.#restMs * 2, maxMs));
    return { restMs: this.#restMs, isFirst };
  }

  /** The try was given up, and says nothing. */
  abandoned(ticket: Ticket): void {
    if (ticket === this.#epoch) this.#isProbing = false;
  }

  #begin(restMs: number): void {
    this.#epoch++;
    this.#restMs = restMs;
    this.#restUntilMs = this.#now() + restMs;
    this.#isProbing = false;
  }
}
