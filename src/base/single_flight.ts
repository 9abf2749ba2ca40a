/** Lets callers who want the same thing at the same time share one piece of work. */
export class SingleFlight<Key, Value> {
  #running = new Map<Key, Promise<Value>>();

  /** The result of `work`, which is started only if none for `key` is under way. A failure reaches every waiter. */
  run(key: Key, work: () => Promise<Value>): Promise<Value> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const promise = work().finally(() => this.#running.delete(key));
    this.#running.set(key, promise);
    return promise;
  }

  /** How many pieces of work are under way. */
  get size(): number {
    return this.#running.size;
  }
}
