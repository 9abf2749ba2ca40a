/**
 * A ring of records in shared memory, for one thread that writes and one that reads. Both block while they have to wait,
 * so they belong in Workers. A record is a type, a length and bytes that lie together: one that would reach beyond the
 * end of the ring starts anew at its front.
 */
import { assert } from "../base/mod.ts";

/** Type and length, a u32 each. */
const RECORD_HEADER_BYTES = 8;
/** Records begin at multiples of this. */
const ALIGNMENT = 8;
/** Written in place of a record: the next one is at the front of the ring. */
const WRAP = 0xffffffff;

/**
 * The other thread is woken for this much, or when this one is about to wait, or on `flush`: waking costs some
 * microseconds, as much as digesting some KiB.
 */
const WAKE_BYTES = 1024 * 1024;

/** Bytes put in, and bytes taken out, since the beginning; as 64-bit integers, on which threads can wait. */
const WRITTEN = 0;
const TAKEN = 1;
const CONTROL_BYTES = 16;

/** The memory of a ring, which both threads hold. */
export interface RingMemory {
  readonly control: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
}

/** Makes a ring. Records can be half as long as `dataBytes`, a multiple of 8. */
export function createRing(dataBytes: number): RingMemory {
  return { control: new SharedArrayBuffer(CONTROL_BYTES), data: new SharedArrayBuffer(dataBytes) };
}

/** The writing end. */
export class RingWriter {
  #control: BigInt64Array;
  #bytes: Uint8Array;
  #view: DataView;
  #written = 0;
  #toldWritten = 0;

  /** At most one for each ring. */
  constructor({ control, data }: RingMemory) {
    this.#control = new BigInt64Array(control);
    this.#bytes = new Uint8Array(data);
    this.#view = new DataView(data);
  }

  /** Puts a record, waiting for room; `bytes` are copied. `type` is below 2^32 − 1. */
  put(type: number, bytes: Uint8Array): void {
    const recordBytes = alignedBytes(bytes.length);
    const size = this.#bytes.length;
    assert(recordBytes <= size / 2, "a record is at most half the ring");
    let at = this.#written % size;
    if (at + recordBytes > size) {
      this.#waitForRoom(size - at);
      this.#view.setUint32(at, WRAP, true);
      this.#publish(size - at);
      at = 0;
    }
    this.#waitForRoom(recordBytes);
    this.#view.setUint32(at, type, true);
    this.#view.setUint32(at + 4, bytes.length, true);
    this.#bytes.set(bytes, at + RECORD_HEADER_BYTES);
    this.#publish(recordBytes);
  }

  /** Lets the reader know of all records so far; to be called after the last. */
  flush(): void {
    this.#toldWritten = this.#written;
    Atomics.notify(this.#control, WRITTEN);
  }

  #waitForRoom(neededBytes: number): void {
    for (;;) {
      const taken = Atomics.load(this.#control, TAKEN);
      if (this.#written + neededBytes - Number(taken) <= this.#bytes.length) return;
      this.flush();
      Atomics.wait(this.#control, TAKEN, taken);
    }
  }

  #publish(bytes: number): void {
    this.#written += bytes;
    Atomics.store(this.#control, WRITTEN, BigInt(this.#written));
    if (this.#written - this.#toldWritten >= WAKE_BYTES) this.flush();
  }
}

/** The reading end. */
export class RingReader {
  #control: BigInt64Array;
  #bytes: Uint8Array;
  #view: DataView;
  #taken = 0;
  #toldTaken = 0;

  /** At most one for each ring. */
  constructor({ control, data }: RingMemory) {
    this.#control = new BigInt64Array(control);
    this.#bytes = new Uint8Array(data);
    this.#view = new DataView(data);
  }

  /** Waits for the next record and hands it to `use`; the bytes are a view of the ring, valid during the call. */
  take(use: (type: number, bytes: Uint8Array) => void): void {
    for (;;) {
      this.#waitForRecord();
      const at = this.#taken % this.#bytes.length;
      const type = this.#view.getUint32(at, true);
      if (type === WRAP) {
        this.#release(this.#bytes.length - at);
        continue;
      }
      const length = this.#view.getUint32(at + 4, true);
      const start = at + RECORD_HEADER_BYTES;
      use(type, this.#bytes.subarray(start, start + length));
      return this.#release(alignedBytes(length));
    }
  }

  /** Takes no more: whoever writes never waits again. */
  abandon(): void {
    this.#release(Number.MAX_SAFE_INTEGER - this.#taken);
  }

  #waitForRecord(): void {
    const taken = BigInt(this.#taken);
    while (Atomics.load(this.#control, WRITTEN) === taken) {
      this.#tellTaken();
      Atomics.wait(this.#control, WRITTEN, taken);
    }
  }

  #release(bytes: number): void {
    this.#taken += bytes;
    Atomics.store(this.#control, TAKEN, BigInt(this.#taken));
    if (this.#taken - this.#toldTaken >= WAKE_BYTES) this.#tellTaken();
  }

  #tellTaken(): void {
    this.#toldTaken = this.#taken;
    Atomics.notify(this.#control, TAKEN);
  }
}

function alignedBytes(lengthBytes: number): number {
  return Math.ceil((RECORD_HEADER_BYTES + lengthBytes) / ALIGNMENT) * ALIGNMENT;
}
