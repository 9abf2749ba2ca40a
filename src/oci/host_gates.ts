/** How many requests to one host may be under way. Above what the readers of a mount ask for at once. */
const MAX_REQUESTS = 32;
/** A host may ask for silence, but not for more of it than this. */
const MAX_PAUSE_MS = 60_000;

/**
 * Bounds the requests to each host, over all blobs, and keeps all of them back while a host has asked to be left alone:
 * one answer with Retry-After speaks for every request that would get the same.
 */
export class HostGates {
  readonly #gates = new Map<string, HostGate>();

  /** The gate of an origin (`https://host:port`). */
  gate(origin: string): HostGate {
    let gate = this.#gates.get(origin);
    if (gate === undefined) this.#gates.set(origin, gate = new HostGate());
    return gate;
  }
}

/** The requests to one host. */
export class HostGate {
  #free = MAX_REQUESTS;
  /** First come, first served. */
  readonly #waiting = new Set<() => void>();
  #pauseUntilMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Waits for a place; the result gives it back, once however often it is called. @throws the reason of the signal. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.size > 0 || !this.#isOpen()) await this.#wait(signal);
    else this.#free--;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#free++;
      this.#letIn();
    };
  }

  /** Lets no request begin for so long, a minute at most. */
  pause(delayMs: number): void {
    this.#pauseUntilMs = Math.max(this.#pauseUntilMs, Date.now() + Math.min(delayMs, MAX_PAUSE_MS));
  }

  #isOpen(): boolean {
    return this.#free > 0 && Date.now() >= this.#pauseUntilMs;
  }

  /** Resolves with the place taken. */
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#waiting.delete(enter);
        // Nobody left to be let in: no timer may keep the process alive.
        if (this.#waiting.size === 0) this.#stopTimer();
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(enter);
      this.#letIn();
    });
  }

  #letIn(): void {
    for (const enter of this.#waiting) {
      if (!this.#isOpen()) break;
      this.#free--;
      this.#waiting.delete(enter);
      enter();
    }
    if (this.#waiting.size === 0 || this.#free === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#letIn();
    }, Math.max(1, this.#pauseUntilMs - Date.now()));
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
