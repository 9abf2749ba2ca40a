/**
 * A ring of plain bytes in shared memory, between the thread that makes them and one that digests them where they are.
 * Both block while they have to wait, so they belong in Workers.
 */

/** Both are 64-bit integers, on which threads can wait. Twice the bytes written since the beginning, 1 more at the end. */
const WRITTEN = 0;
/** Bytes that are no longer needed. */
const RELEASED = 1;
/** Marks put in, and taken out, since the beginning. */
const MARKED = 2;
const UNMARKED = 3;
const CONTROLS = 4;

/** Marks that can wait to be taken. */
const MARKS = 1024;
/** The other thread is told, and woken, for so much: it costs some microseconds, as much as digesting some KiB. */
const TELL_BYTES = 256 * 1024;

/** The memory of a ring, which both threads hold. */
export interface PlainRing {
  readonly bytes: SharedArrayBuffer;
  readonly marks: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
}

/** Makes a ring for so many plain bytes. */
export function createPlainRing(lengthBytes: number): PlainRing {
  return {
    bytes: new SharedArrayBuffer(lengthBytes),
    marks: new SharedArrayBuffer(MARKS * Float64Array.BYTES_PER_ELEMENT),
    control: new SharedArrayBuffer(CONTROLS * BigInt64Array.BYTES_PER_ELEMENT),
  };
}

/** The writing end. */
export class PlainRingWriter {
  #bytes: Uint8Array;
  #marks: Float64Array;
  #control: BigInt64Array;
  #written = 0;
  #told = 0;
  #released = 0;
  #marked = 0;

  /** At most one for each ring. */
  constructor({ bytes, marks, control }: PlainRing) {
    this.#bytes = new Uint8Array(bytes);
    this.#marks = new Float64Array(marks);
    this.#control = new BigInt64Array(control);
  }

  /** The next bytes, copied; waits for room. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const start = this.#written % this.#bytes.length;
      const count = Math.min(bytes.length - at, this.#bytes.length - start, this.#room());
      this.#bytes.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), start);
      this.#written += count;
      at += count;
      if (this.#written - this.#told >= TELL_BYTES) this.flush();
    }
  }

  /** A number, which the reader learns of before it learns of bytes that are written after this. */
  mark(value: number): void {
    while (this.#marked - Number(Atomics.load(this.#control, UNMARKED)) >= MARKS) {
      this.flush();
      const taken = Atomics.load(this.#control, UNMARKED);
      if (this.#marked - Number(taken) >= MARKS) Atomics.wait(this.#control, UNMARKED, taken);
    }
    this.#marks[this.#marked % MARKS] = value;
    Atomics.store(this.#control, MARKED, BigInt(++this.#marked));
  }

  /** Lets the reader know of all bytes so far. */
  flush(): void {
    this.#tell(0n);
  }

  /** Says that no more will come. */
  end(): void {
    this.#tell(1n);
  }

  /** How much can be written, at least 1 byte: waits for that. */
  #room(): number {
    for (;;) {
      const room = this.#bytes.length - (this.#written - this.#released);
      if (room > 0) return room;
      this.flush();
      Atomics.wait(this.#control, RELEASED, BigInt(this.#released));
      this.#released = Number(Atomics.load(this.#control, RELEASED));
    }
  }

  #tell(end: bigint): void {
    this.#told = this.#written;
    Atomics.store(this.#control, WRITTEN, 2n * BigInt(this.#written) + end);
    Atomics.notify(this.#control, WRITTEN);
  }
}

/** The reading end. */
export class PlainRingReader {
  /** The ring: the byte at a plain offset is at that, modulo the length. */
  readonly bytes: Uint8Array;
  #marks: Float64Array;
  #control: BigInt64Array;
  #state = 0n;
  #unmarked = 0;

  /** At most one for each ring. */
  constructor({ bytes, marks, control }: PlainRing) {
    this.bytes = new Uint8Array(bytes);
    this.#marks = new Float64Array(marks);
    this.#control = new BigInt64Array(control);
  }

  /** Waits until there is something new: how many bytes have been written, and whether that is all. */
  next(): { readonly written: number; readonly ended: boolean } {
    let state: bigint;
    while ((state = Atomics.load(this.#control, WRITTEN)) === this.#state) {
      Atomics.wait(this.#control, WRITTEN, state);
    }
    this.#state = state;
    return { written: Number(state / 2n), ended: state % 2n === 1n };
  }

  /** Hands out the marks put in since; after `next`, all that belong to what it told of are among them. */
  takeMarks(use: (value: number) => void): void {
    const marked = Number(Atomics.load(this.#control, MARKED));
    if (marked === this.#unmarked) return;
    for (; this.#unmarked < marked; this.#unmarked++) use(this.#marks[this.#unmarked % MARKS]!);
    Atomics.store(this.#control, UNMARKED, BigInt(marked));
    Atomics.notify(this.#control, UNMARKED);
  }

  /** Bytes before this plain offset are not looked at any more. */
  release(plainOffset: number): void {
    Atomics.store(this.#control, RELEASED, BigInt(plainOffset));
    Atomics.notify(this.#control, RELEASED);
  }

  /** Takes no more: whoever writes never waits again. */
  abandon(): void {
    Atomics.store(this.#control, UNMARKED, BigInt(Number.MAX_SAFE_INTEGER));
    Atomics.notify(this.#control, UNMARKED);
    this.release(Number.MAX_SAFE_INTEGER);
  }
}
