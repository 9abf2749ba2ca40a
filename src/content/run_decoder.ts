import { Buffer } from "node:buffer";
import { CorruptError, DigestMismatchError, sha256Bytes } from "../base/mod.ts";
import { codecByName, type Decoder } from "../codec/mod.ts";
import type { DecodeJob } from "./decode_messages.ts";

/** Where decoded spans go. */
export interface SpanTarget {
  /** An array for the plain bytes of a span, exactly that long; asked for when a span begins. */
  room(lengthBytes: number): Uint8Array<ArrayBuffer>;
  /** A span has been decoded and verified; `bytes` is the array that `room` gave for it. */
  onSpan(index: number, bytes: Uint8Array<ArrayBuffer>): void;
}

/** Decodes a run, cuts it into spans and verifies each. Synchronous, like the codec below it. */
export class RunDecoder {
  #job: DecodeJob;
  #target: SpanTarget;
  #decoder: Decoder;
  #index = 0;
  #buffer: Uint8Array<ArrayBuffer>;
  #filled = 0;
  /** Plain bytes between the checkpoint and the first span: none in archives that clip writes. */
  #skip: number;
  #plainBytes = 0;
  #isDone = false;

  /** @throws {CorruptError} where the checkpoint cannot be one. */
  constructor(job: DecodeJob, target: SpanTarget) {
    this.#job = job;
    this.#target = target;
    this.#skip = job.offsets[0]! - job.from.plainOffset;
    this.#buffer = this.#room();
    this.#decoder = codecByName(job.codec).decoder({
      inflate: job.inflate,
      from: job.from,
      plainBytes: job.plainBytes,
      onPlain: (bytes) => this.#add(bytes),
    });
  }

  /**
   * The next compressed bytes; whether the run is complete: what follows is not looked at.
   * @throws {DigestMismatchError} or {CorruptError} when they are not what the archive says. Spans told of are good.
   */
  push(compressed: Uint8Array): boolean {
    if (!this.#isDone) this.#isDone = this.#decoder.push(compressed);
    return this.#isDone;
  }

  /** There are no more bytes. @throws {CorruptError} when the run is not complete. */
  finish(): void {
    if (this.#isDone) return;
    throw new CorruptError({
      subject: "layer",
      source: this.#job.source,
      field: "length of the data from a checkpoint",
      offset: Math.floor(this.#job.from.compressedBitOffset / 8),
      actual: `${this.#plainBytes} bytes`,
      expected: `${this.#job.plainBytes} bytes`,
    });
  }

  #add(bytes: Uint8Array): void {
    this.#plainBytes += bytes.length;
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    while (at < bytes.length) {
      const take = Math.min(bytes.length - at, this.#buffer.length - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#buffer.length) this.#complete();
    }
  }

  #complete(): void {
    const { digests, source, layer, firstSpan } = this.#job;
    const expected = digests.subarray(this.#index * 32, this.#index * 32 + 32);
    const actual = sha256Bytes(this.#buffer);
    if (Buffer.compare(actual, expected) !== 0) {
      throw new DigestMismatchError(`${source}: span ${firstSpan + this.#index} of layer ${layer}`, {
        digest: `sha256:${Buffer.from(expected).toString("hex")}`,
        actual: `sha256:${Buffer.from(actual).toString("hex")}`,
      });
    }
    this.#target.onSpan(this.#index, this.#buffer);
    this.#index++;
    this.#filled = 0;
    if (this.#index < this.#job.offsets.length - 1) this.#buffer = this.#room();
  }

  #room(): Uint8Array<ArrayBuffer> {
    const { offsets } = this.#job;
    return this.#target.room(offsets[this.#index + 1]! - offsets[this.#index]!);
  }
}
