import { createHash, type Hash } from "node:crypto";
import type { Span } from "../archive/mod.ts";
import { type Digest, Digester } from "../base/mod.ts";

/** How spans are cut. */
export interface SpanLimits {
  /** A checkpoint may be told of after so many bytes behind it have been written. */
  readonly lagBytes: number;
  /** The longest span; at least twice the spacing of checkpoints. */
  readonly maxSpanBytes: number;
}

/** What is learnt of the plain stream besides its entries. */
export interface PlainDigests {
  /** Of the whole stream. */
  readonly diffId: Digest;
  /** Ascending, from the first byte to the last; none where there are no bytes. */
  readonly spans: readonly Span[];
}

/** Digesting goes in steps of so much: enough that a call costs nothing, little enough to be still in a cache. */
export function batchBytes({ lagBytes }: SpanLimits): number {
  return Math.ceil(lagBytes / 4);
}

/** How long a ring is: what is held back, and a few batches, so that whoever fills it need not wait for each. */
export function ringBytes(limits: SpanLimits): number {
  return limits.lagBytes + 4 * batchBytes(limits);
}

/**
 * Digests a plain stream as a whole, and cut into spans. The bytes are in a ring, at their plain offset modulo its
 * length; whoever puts them there may be another thread.
 *
 * A span begins at every checkpoint, but a codec may name a checkpoint after the bytes behind it have gone by (the
 * block end before a large file is known only once the file's header has been read). So spans are digested `lagBytes`
 * behind the whole. Where no checkpoint comes for long (one deflate block may make gigabytes), a span is closed
 * without one, so that no span outgrows `maxSpanBytes`: its reader starts at the checkpoint before.
 */
export class StreamDigester {
  #ring: Uint8Array;
  #limits: SpanLimits;
  #whole = new Digester();
  #wholeTo = 0;
  #spans: Span[] = [];
  #span: Hash | undefined;
  #spansTo = 0;
  #spanStart = 0;
  #spanCheckpoint = 0;
  #checkpoints = 0;
  /** Plain offsets of checkpoints that the spans have not come to. */
  #ahead: number[] = [];

  /** @param ring Of `ringBytes`, or longer. */
  constructor(ring: Uint8Array, limits: SpanLimits) {
    this.#ring = ring;
    this.#limits = limits;
  }

  /** A further checkpoint, in ascending order of offsets, before `digestTo` is `lagBytes` behind it. */
  checkpoint(plainOffset: number): void {
    this.#ahead.push(plainOffset);
  }

  /** Digests all before `plainOffset`: of that, what the ring does not hold has been digested before. */
  digestTo(plainOffset: number): void {
    this.#eachPiece(this.#wholeTo, plainOffset, (piece) => this.#whole.update(piece));
    this.#wholeTo = plainOffset;
    this.#digestSpansTo(plainOffset - this.#limits.lagBytes);
  }

  /** Up to where all has been digested. */
  get digestedTo(): number {
    return this.#wholeTo;
  }

  /** The bytes from this plain offset on are still needed. */
  get neededFrom(): number {
    return this.#spansTo;
  }

  /** Says that the stream ends where it was digested to last. */
  finish(): PlainDigests {
    this.#digestSpansTo(this.#wholeTo);
    this.#closeSpan();
    return { diffId: this.#whole.digest(), spans: this.#spans };
  }

  #digestSpansTo(plainOffset: number): void {
    while (this.#spansTo < plainOffset) {
      while (this.#ahead[0] === this.#spansTo) {
        this.#ahead.shift();
        this.#closeSpan();
        this.#spanCheckpoint = this.#checkpoints++;
      }
      const longest = this.#spanStart + this.#limits.maxSpanBytes;
      if (this.#spansTo === longest) {
        this.#closeSpan();
        continue;
      }
      const end = Math.min(plainOffset, longest, this.#ahead[0] ?? Infinity);
      const span = this.#span ??= createHash("sha256");
      this.#eachPiece(this.#spansTo, end, (piece) => span.update(piece));
      this.#spansTo = end;
    }
  }

  #closeSpan(): void {
    if (this.#span === undefined) return;
    // A Buffer would arrive in another thread as something else.
    const digest = new Uint8Array(this.#span.digest());
    this.#spans.push({ plainOffset: this.#spanStart, checkpoint: this.#spanCheckpoint, digest });
    this.#span = undefined;
    this.#spanStart = this.#spansTo;
  }

  /** The bytes [offset, endExclusive) of the stream where they are in the ring. */
  #eachPiece(offset: number, endExclusive: number, use: (piece: Uint8Array) => void): void {
    for (let at = offset; at < endExclusive;) {
      const start = at % this.#ring.length;
      const end = Math.min(this.#ring.length, start + endExclusive - at);
      use(this.#ring.subarray(start, end));
      at += end - start;
    }
  }
}
