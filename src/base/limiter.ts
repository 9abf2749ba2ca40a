/** Bounds how many pieces of work run at once; the others wait in order of arrival. */
export class Limiter {
  #free: number;
  #waiting: (() => void)[] = [];

  /** Nothing running yet. @param limit How many may run at once, at least 1. */
  constructor(limit: number) {
    this.#free = limit;
  }

  /** Runs `work` as soon as a place is free, and gives the place back however it ends. */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
