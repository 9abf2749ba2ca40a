import { createHash, type Hash } from "node:crypto";
import { type SpanList, SpanListWriter } from "../archive/mod.ts";
import { type Digest, Digester } from "../base/mod.ts";

/** How spans are cut. */
export interface SpanLimits {
  /** A checkpoint may be told of after so many bytes behind it have been written. */
  readonly lagBytes: number;
  /** A cut makes a span only where no end of it is nearer than this. */
  readonly minSpanBytes: number;
  /** The longest span; at least twice the spacing of checkpoints. */
  readonly maxSpanBytes: number;
}

/** What is learnt of the plain stream besides its entries. */
export interface PlainDigests {
  /** Of the whole stream. */
  readonly diffId: Digest;
  /** Ascending, from the first byte to the last; none where there are no bytes. Their compressed bytes are 0: not known. */
  readonly spans: SpanList;
}

/** Digesting goes in steps of so much: enough that a call costs nothing, little enough to be still in a cache. */
export function batchBytes({ lagBytes }: SpanLimits): number {
  return Math.ceil(lagBytes / 4);
}

/** How long a ring is: what is held back, and a few batches, so that whoever fills it need not wait for each. */
export function ringBytes(limits: SpanLimits): number {
  return limits.lagBytes + limits.minSpanBytes + 4 * batchBytes(limits);
}

/**
 * Digests a plain stream as a whole, and cut into spans. The bytes are in a ring, at their plain offset modulo its
 * length; whoever puts them there may be another thread.
 *
 * A span begins at every checkpoint, but a codec may name a checkpoint after the bytes behind it have gone by (the
 * block end before a large file is known only once the file's header has been read). So spans are digested `lagBytes`
 * behind the whole. Between checkpoints, a span ends at each cut that leaves both sides long enough: so a reader need not
 * wait for what comes before the next checkpoint. Where neither comes for long (pako sees no places in a block that makes
 * gigabytes), a span is closed all the same, so that no span outgrows `maxSpanBytes`.
 */
export class StreamDigester {
  #ring: Uint8Array;
  #limits: SpanLimits;
  #whole = new Digester();
  #wholeTo = 0;
  #spans = new SpanListWriter();
  #span: Hash | undefined;
  #spansTo = 0;
  #spanStart = 0;
  #spanCheckpoint = 0;
  #checkpoints = 0;
  /** Plain offsets of checkpoints that the spans have not come to. */
  #ahead: number[] = [];
  /** Cuts that the spans have not come to. */
  #cuts: number[] = [];

  /** @param ring Of `ringBytes`, or longer. */
  constructor(ring: Uint8Array, limits: SpanLimits) {
    this.#ring = ring;
    this.#limits = limits;
  }

  /** A further checkpoint, in ascending order of offsets, before `digestTo` is `lagBytes` behind it. */
  checkpoint(plainOffset: number): void {
    this.#ahead.push(plainOffset);
  }

  /** A further cut, in ascending order of offsets, no later than a checkpoint. */
  cut(plainOffset: number): void {
    this.#cuts.push(plainOffset);
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
    this.#digestSpansTo(this.#wholeTo, true);
    this.#closeSpan();
    return { diffId: this.#whole.digest(), spans: this.#spans.finish() };
  }

  /** All checkpoints before `plainOffset` are known; with `isEnd` there are no others. */
  #digestSpansTo(plainOffset: number, isEnd = false): void {
    const { minSpanBytes } = this.#limits;
    while (this.#spansTo < plainOffset) {
      while (this.#ahead[0] === this.#spansTo) {
        this.#ahead.shift();
        this.#closeSpan();
        this.#spanCheckpoint = this.#checkpoints++;
      }
      while (this.#cuts.length > 0 && this.#cuts[0]! < this.#spanStart + minSpanBytes) this.#cuts.shift();
      const cut = this.#cuts[0] ?? Infinity;
      if (this.#spansTo === cut) {
        // Whether a checkpoint follows too closely must not depend on how soon it is told of.
        if (plainOffset < cut + minSpanBytes && !isEnd) return;
        this.#cuts.shift();
        if (cut + minSpanBytes <= (this.#ahead[0] ?? this.#wholeTo)) this.#closeSpan();
        continue;
      }
      const longest = this.#spanStart + this.#limits.maxSpanBytes;
      if (this.#spansTo === longest) {
        this.#closeSpan();
        continue;
      }
      const end = Math.min(plainOffset, longest, cut, this.#ahead[0] ?? Infinity);
      const span = this.#span ??= createHash("sha256");
      this.#eachPiece(this.#spansTo, end, (piece) => span.update(piece));
      this.#spansTo = end;
    }
  }

  #closeSpan(): void {
    if (this.#span === undefined) return;
    const digest = this.#span.digest();
    this.#spans.add({ plainOffset: this.#spanStart, checkpoint: this.#spanCheckpoint, compressedBytes: 0, digest });
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
