import type { Logger } from "../base/mod.ts";

/** What could not be done for want of rights, or since the file system has no such thing: told once a kind. */
export class Shortfalls {
  #log: Logger;
  #counts = new Map<string, number>();

  /** Nothing has been left out yet. */
  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param kind What is left out, `owners`. @param where The first path. */
  note(kind: string, where: () => string, reason: string): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (count === 1) this.#log.warn(`${kind} are left out, beginning with ${where()}: ${reason}`);
  }

  /** How often, by kind. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}
