/** How many requests to one host may be under way. Above what the readers of a mount ask for at once. */
const DEFAULT_MAX_REQUESTS = 32;
/** However many it refuses: a reader is not to wait for a long prefetch. */
const LEAST_REQUESTS = 2;
/** A host may ask for silence, but not for more of it than this. */
const MAX_PAUSE_MS = 60_000;
/** Without Retry-After: the pause after the first refusal, which doubles with each that follows, … */
const FIRST_PAUSE_MS = 100;
/** … up to this. */
const MAX_BACKOFF_MS = 16_000;
/** So many failures in a row, and a host is taken for gone: … */
const FAILURES_TO_OPEN = 8;
/** … requests fail at once for so long, twice as long if the one that is let through then fails too, … */
const FIRST_OPEN_MS = 500;
/** … up to this: what is back is to be noticed. */
const MAX_OPEN_MS = 2_000;
/** A body may run ahead of the bandwidth by so much, as timers are no finer. */
const BURST_MS = 20;

/** What all hosts are granted. */
export interface HostLimits {
  /** Requests to one host at once. Default 32. */
  readonly maxRequests?: number;
  /** Bytes a second of the bodies from one host. Default without limit. */
  readonly maxBytesPerSecond?: number;
  /** 0 ≤ value < 1; replaceable for tests. */
  readonly random?: () => number;
}

/**
 * Bounds the requests to each host, over all blobs, and keeps all of them back while a host has asked to be left alone:
 * one answer with Retry-After speaks for every request that would get the same.
 */
export class HostGates {
  readonly #gates = new Map<string, HostGate>();
  readonly #limits: HostLimits;

  /** No host yet. */
  constructor(limits: HostLimits = {}) {
    this.#limits = limits;
  }

  /** The gate of an origin (`https://host:port`). */
  gate(origin: string): HostGate {
    let gate = this.#gates.get(origin);
    if (gate === undefined) this.#gates.set(origin, gate = new HostGate(this.#limits));
    return gate;
  }
}

/** A request that waits for a place. */
interface Waiter {
  readonly impatient: boolean;
  /** Ends the waiting, with a place or without. */
  end(hasPlace: boolean): void;
}

/**
 * The requests to one host: how many at once, and when.
 *
 * A host that answers "too many" gets fewer: half as many at once, one more for each round of good answers, and none for
 * the pause that it asked for, or one that doubles. To each pause some chance is added, in proportion to it, since all
 * machines of a fleet are told the same time. A host that fails again and again (its circuit is _open_) is asked by one
 * request at a time; the others fail at once instead of each waiting for the same end.
 */
export class HostGate {
  readonly #maxRequests: number;
  readonly #bytesPerMs: number;
  readonly #random: () => number;
  #underWay = 0;
  /** What may be under way as long as the host says that there is too much. */
  #allowed: number;
  /** First come, first served. */
  readonly #waiting = new Set<Waiter>();
  #pauseUntilMs = 0;
  #refusals = 0;
  #failures = 0;
  #openUntilMs = 0;
  #openMs = 0;
  /** Whether one was let through, of which nothing was heard yet. */
  #isTrying = false;
  /** When the line is free again. */
  #lineFreeMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Nothing under way. */
  constructor({ maxRequests = DEFAULT_MAX_REQUESTS, maxBytesPerSecond = Infinity, random = Math.random }: HostLimits) {
    this.#maxRequests = maxRequests;
    this.#allowed = maxRequests;
    this.#bytesPerMs = maxBytesPerSecond / 1000;
    this.#random = random;
  }

  /** Waits for a place; the result gives it back, once however often it is called. @throws the reason of the signal. */
  enter(signal: AbortSignal): Promise<() => void>;
  /** The same; undefined for who is impatient, and would have to wait for the end of a pause. */
  enter(signal: AbortSignal, impatient: boolean | undefined): Promise<(() => void) | undefined>;
  async enter(signal: AbortSignal, impatient = false): Promise<(() => void) | undefined> {
    signal.throwIfAborted();
    if (impatient && this.pauseMs > 0) return undefined;
    if (this.#waiting.size === 0 && this.#isFree()) this.#underWay++;
    else if (!await this.#wait(signal, impatient)) return undefined;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#underWay--;
      this.#letIn();
    };
  }

  /** How long the host is to be left alone, in milliseconds. */
  get pauseMs(): number {
    return Math.max(0, this.#pauseUntilMs - Date.now());
  }

  /** Whether a request is to fail without being sent; if not, and the circuit is open, it is the one that tries. */
  isShut(): boolean {
    if (this.#openMs === 0) return false;
    if (Date.now() < this.#openUntilMs) return true;
    this.#openUntilMs = Date.now() + this.#openMs;
    this.#isTrying = true;
    return false;
  }

  /** Lets no request begin for so long, a minute at most. */
  pause(delayMs: number): void {
    this.#pauseUntilMs = Math.max(this.#pauseUntilMs, Date.now() + Math.min(delayMs, MAX_PAUSE_MS));
    if (this.pauseMs === 0) return;
    for (const waiter of this.#waiting) if (waiter.impatient) waiter.end(false);
  }

  /** The host has answered. */
  succeeded(): void {
    this.#refusals = 0;
    this.#failures = 0;
    this.#openMs = 0;
    if (this.#allowed < this.#maxRequests) {
      this.#allowed = Math.min(this.#maxRequests, this.#allowed + 1 / this.#allowed);
    }
  }

  /**
   * The host says that there are too many requests. What was sent before the last such answer says nothing new.
   * @param sentMs When the request was sent, in milliseconds since 1970. @param retryAfterMs The pause it asks for.
   */
  refused(sentMs: number, retryAfterMs: number | undefined): void {
    this.#failures = 0;
    this.#openMs = 0;
    const isNew = sentMs >= this.#pauseUntilMs;
    if (isNew) this.#allowed = Math.max(Math.min(LEAST_REQUESTS, this.#maxRequests), this.#allowed / 2);
    if (isNew) this.#refusals++;
    const backoffMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#refusals - 1), MAX_BACKOFF_MS);
    if (retryAfterMs !== undefined) {
      // Those who were refused often come back spread over more time: one round of the same pause is not enough for all.
      this.pause(retryAfterMs + this.#random() * Math.max(retryAfterMs * Math.min(this.#refusals, 8) / 2, backoffMs));
    } else if (isNew) {
      this.pause(backoffMs / 2 + this.#random() * backoffMs / 2);
    }
  }

  /** The host did not answer, or that it failed. */
  failed(): void {
    const isOpen = this.#openMs > 0;
    // What was under way when the circuit opened fails for the same reason.
    if (isOpen ? !this.#isTrying : ++this.#failures < FAILURES_TO_OPEN) return;
    this.#isTrying = false;
    this.#openMs = this.#openMs === 0 ? FIRST_OPEN_MS : Math.min(this.#openMs * 2, MAX_OPEN_MS);
    this.#openUntilMs = Date.now() + this.#openMs * (0.5 + this.#random() / 2);
  }

  /** How long to wait with the next piece of a body after one of so many bytes, for the sake of the bandwidth. */
  transferMs(bytes: number): number {
    if (this.#bytesPerMs === Infinity) return 0;
    const nowMs = performance.now();
    this.#lineFreeMs = Math.max(this.#lineFreeMs, nowMs - BURST_MS) + bytes / this.#bytesPerMs;
    const waitMs = this.#lineFreeMs - nowMs;
    return waitMs > 1 ? waitMs : 0;
  }

  #isFree(): boolean {
    return this.#underWay < Math.floor(this.#allowed) && Date.now() >= this.#pauseUntilMs;
  }

  /** Whether there is a place, which is taken then. */
  #wait(signal: AbortSignal, impatient: boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiter);
        signal.removeEventListener("abort", onAbort);
        // Nobody left to be let in: no timer may keep the process alive.
        if (this.#waiting.size === 0) this.#stopTimer();
      };
      const end = (hasPlace: boolean) => {
        leave();
        resolve(hasPlace);
      };
      const onAbort = () => {
        leave();
        reject(signal.reason);
      };
      const waiter: Waiter = { impatient, end };
      signal.addEventListener("abort", onAbort);
      this.#waiting.add(waiter);
      this.#letIn();
    });
  }

  #letIn(): void {
    for (const waiter of this.#waiting) {
      if (!this.#isFree()) break;
      this.#underWay++;
      waiter.end(true);
    }
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    // Who leaves lets the next one in. Else it is the pause, even if that has come to its end since it was looked at.
    if (this.#underWay >= Math.floor(this.#allowed)) return;
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
