/** A run being decoded, and those who wait for one of its spans: each is answered as soon as its span has passed. */
export class RunFlight {
  /** Resolves when the run is over, whatever came of it. */
  readonly ended: Promise<void>;
  #passed = new Set<number>();
  #waiters = new Map<number, PromiseWithResolvers<Uint8Array>>();

  /**
   * Starts `decode`, which tells of each span as it passes. `onEnd` is called once it is over and before any waiter
   * hears of a failure: from then on nobody may be sent here, since nothing would answer.
   */
  constructor(decode: (onSpan: (span: number, bytes: Uint8Array) => void) => Promise<void>, onEnd: () => void) {
    const work = decode((span, bytes) => {
      this.#passed.add(span);
      this.#waiters.get(span)?.resolve(bytes);
      this.#waiters.delete(span);
    });
    this.ended = work.then(onEnd, (error) => {
      onEnd();
      for (const waiter of this.#waiters.values()) waiter.reject(error);
    });
  }

  /** Whether the span went by already. */
  hasPassed(span: number): boolean {
    return this.#passed.has(span);
  }

  /** A span that has not passed yet. Rejects with what ends the run before it. */
  span(span: number): Promise<Uint8Array> {
    let waiter = this.#waiters.get(span);
    if (waiter === undefined) this.#waiters.set(span, waiter = Promise.withResolvers());
    return waiter.promise;
  }
}
