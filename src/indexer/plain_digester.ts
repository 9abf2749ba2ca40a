import { batchBytes, type PlainDigests, ringBytes, type SpanLimits, StreamDigester } from "./stream_digester.ts";

/** Takes the plain stream, and the checkpoints in it, in order. */
export interface PlainDigester {
  /** The next plain bytes; they may be reused after the call returns. */
  write(bytes: Uint8Array): void;
  /** A further checkpoint, in ascending order of offsets, at most the limits' lag behind the last byte written. */
  checkpoint(plainOffset: number): void;
  /** A further cut, the same. */
  cut(plainOffset: number): void;
}

/** Digests in the calling thread. */
export class InlineDigester implements PlainDigester {
  #ring: Uint8Array;
  #batchBytes: number;
  #digester: StreamDigester;
  #written = 0;

  /** For one stream. */
  constructor(limits: SpanLimits) {
    this.#ring = new Uint8Array(ringBytes(limits));
    this.#batchBytes = batchBytes(limits);
    this.#digester = new StreamDigester(this.#ring, limits);
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const start = this.#written % this.#ring.length;
      const count = Math.min(bytes.length - at, this.#ring.length - start, this.#batchBytes);
      this.#ring.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), start);
      this.#written += count;
      at += count;
      if (this.#written - this.#digester.digestedTo >= this.#batchBytes) this.#digester.digestTo(this.#written);
    }
  }

  checkpoint(plainOffset: number): void {
    this.#digester.checkpoint(plainOffset);
  }

  cut(plainOffset: number): void {
    this.#digester.cut(plainOffset);
  }

  /** Says that the stream ends here. */
  finish(): PlainDigests {
    this.#digester.digestTo(this.#written);
    return this.#digester.finish();
  }
}
