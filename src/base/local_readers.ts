/** Bits of a span's state. They are changed one at a time and atomically, since both threads do. */
export const SpanState = {
  /** Nothing is known of it. */
  unknown: 0,
  /** The layer's cache file holds it, and this mount has verified it. */
  verified: 1,
  /** Whoever reads it next clears the bit and says so: like the kernel's PG_readahead. */
  notify: 2,
} as const;

/** Who takes bytes away waits so long for a read from a file to end; mostly it is over at once. */
const RETIRE_TIMEOUT_MS = 100;
const RETIRE_PAUSE_MS = 1;

/**
 * What the main thread and a thread that reads cache files by itself share: which spans it may read, which it has read,
 * and whether it is reading. All of it is shared memory, so that an object of this class can be made anew from its
 * arrays in another thread.
 */
export class LocalReaders {
  /** One byte a span, bits of {@linkcode SpanState}. */
  readonly spanStates: Uint8Array<SharedArrayBuffer>;
  /** One byte a span: not 0 where it was read since the cache set it to 0. */
  readonly touched: Uint8Array<SharedArrayBuffer>;
  /** One number, odd while the other thread reads. */
  readonly sequence: Int32Array<SharedArrayBuffer>;

  /** For so many spans, none of which is verified; or over the arrays of another such object. */
  constructor(from: number | Pick<LocalReaders, "spanStates" | "touched" | "sequence">) {
    this.spanStates = typeof from === "number" ? new Uint8Array(new SharedArrayBuffer(from)) : from.spanStates;
    this.touched = typeof from === "number" ? new Uint8Array(new SharedArrayBuffer(from)) : from.touched;
    this.sequence = typeof from === "number" ? new Int32Array(new SharedArrayBuffer(4)) : from.sequence;
  }

  /** Whether the layer's cache file is known to hold a span. */
  isVerified(span: number): boolean {
    return (Atomics.load(this.spanStates, span) & SpanState.verified) !== 0;
  }

  /** From now on a span may be read from the file. */
  setVerified(span: number): void {
    Atomics.or(this.spanStates, span, SpanState.verified);
  }

  /** The next who reads a span is to say so. */
  setNotify(span: number): void {
    Atomics.or(this.spanStates, span, SpanState.notify);
  }

  /** Clears `notify` of a span; whether it was set. */
  takeNotify(span: number): boolean {
    return (Atomics.and(this.spanStates, span, ~SpanState.notify) & SpanState.notify) !== 0;
  }

  /** A span in the file is not what it should be. */
  setUnknown(span: number): void {
    Atomics.and(this.spanStates, span, ~SpanState.verified);
  }

  /**
   * Takes verified spans away from the reading thread: true once it reads none of them, nor will before they are verified
   * again. False where a read does not end in time; the spans are to be verified again in any case.
   */
  retire(spans: Iterable<number>): boolean {
    for (const span of spans) this.setUnknown(span);
    // A read that begins from here on sees that. One that has begun may not have.
    const sequence = Atomics.load(this.sequence, 0);
    if (sequence % 2 === 0) return true;
    for (const deadline = performance.now() + RETIRE_TIMEOUT_MS; performance.now() < deadline;) {
      // Nobody wakes this up: readers should not have to think of it.
      Atomics.wait(this.sequence, 0, sequence, RETIRE_PAUSE_MS);
      if (Atomics.load(this.sequence, 0) !== sequence) return true;
    }
    return false;
  }

  /** The reading thread is about to look at states, and then to read. */
  begin(): void {
    Atomics.add(this.sequence, 0, 1);
  }

  /** The bytes have been read, or will not be. */
  end(): void {
    Atomics.add(this.sequence, 0, 1);
  }
}
