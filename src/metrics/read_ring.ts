/** Where in a record a field is. */
const Field = { started: 0, inode: 1, offset: 2, bytes: 3, pid: 4, duration: 5 } as const;
const FIELDS = 6;
/** A power of two: 65,536 records, 3 MiB, are a quarter of a second of the fastest reading there can be. */
const CAPACITY = 65_536;
/** Numbers of records, counted on and on: written by the one thread, read by the other, and dropped by the first. */
const Count = { written: 0, read: 1, dropped: 2 } as const;
const HEAD_BYTES = 64;

/** One read, as the serving thread leaves it in a {@linkcode ReadRing}. Times are in microseconds of one clock. */
export interface RingRead {
  /** When it was asked for. */
  readonly started: number;
  /** Of the file. */
  readonly inode: number;
  /** In the file. */
  readonly offset: number;
  /** That it was answered with. */
  readonly bytes: number;
  /** Of the process that asked; 0 where it is not known. */
  readonly pid: number;
  /** From the request to the answer. */
  readonly duration: number;
}

/**
 * Reads on their way from the thread that answers them to the one that writes the trace, in shared memory: the first is
 * blocked in read(2) most of the time and could not send a message later. It never waits: what finds the ring full is
 * dropped and counted. One writer, one reader.
 */
export class ReadRing {
  /** To be handed to the other thread. */
  readonly memory: SharedArrayBuffer;
  readonly #counts: Int32Array<SharedArrayBuffer>;
  readonly #fields: Float64Array<SharedArrayBuffer>;

  /** A ring over `memory`, or a new one. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(HEAD_BYTES + CAPACITY * FIELDS * Float64Array.BYTES_PER_ELEMENT);
    this.#counts = new Int32Array(this.memory, 0, 3);
    this.#fields = new Float64Array(this.memory, HEAD_BYTES);
  }

  /** Adds a read; allocates nothing. */
  push(started: number, inode: number, offset: number, bytes: number, pid: number, duration: number): void {
    const written = this.#counts[Count.written]!;
    if (((written - Atomics.load(this.#counts, Count.read)) | 0) === CAPACITY) {
      this.#counts[Count.dropped]!++;
      return;
    }
    const at = (written & (CAPACITY - 1)) * FIELDS;
    const fields = this.#fields;
    fields[at + Field.started] = started;
    fields[at + Field.inode] = inode;
    fields[at + Field.offset] = offset;
    fields[at + Field.bytes] = bytes;
    fields[at + Field.pid] = pid;
    fields[at + Field.duration] = duration;
    // The fields are there before the count says so.
    Atomics.store(this.#counts, Count.written, (written + 1) | 0);
  }

  /** Takes up to `most` reads out, oldest first. */
  take(most: number): RingRead[] {
    const read = this.#counts[Count.read]!;
    const count = Math.min(most, (Atomics.load(this.#counts, Count.written) - read) | 0);
    const fields = this.#fields;
    const reads = Array.from({ length: count }, (_, i) => {
      const at = ((read + i) & (CAPACITY - 1)) * FIELDS;
      return {
        started: fields[at + Field.started]!,
        inode: fields[at + Field.inode]!,
        offset: fields[at + Field.offset]!,
        bytes: fields[at + Field.bytes]!,
        pid: fields[at + Field.pid]!,
        duration: fields[at + Field.duration]!,
      };
    });
    Atomics.store(this.#counts, Count.read, (read + count) | 0);
    return reads;
  }

  /** How many reads found the ring full. */
  get dropped(): number {
    return this.#counts[Count.dropped]!;
  }
}
