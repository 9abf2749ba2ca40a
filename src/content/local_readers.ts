/** States of a span, in the array that the serving threads share. */
export const SpanState = { unknown: 0, verified: 1 } as const;

/** Who takes bytes away waits so long for a read from a file to end; mostly it is over at once. */
const RETIRE_TIMEOUT_MS = 100;
const RETIRE_PAUSE_MS = 1;

/**
 * What the main thread and a thread that reads cache files by itself share: which spans it may read, which it has read,
 * and whether it is reading. All of it is shared memory, so that an object of this class can be made anew from its
 * arrays in another thread.
 */
export class LocalReaders {
  /** One byte a span: `verified` once its bytes in the layer's cache file have been checked. */
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

  /**
   * Takes verified spans away from the reading thread: true once it reads none of them, nor will before they are verified
   * again. False where a read does not end in time; the spans are to be verified again in any case.
   */
  retire(spans: Iterable<number>): boolean {
    for (const span of spans) Atomics.store(this.spanStates, span, SpanState.unknown);
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
