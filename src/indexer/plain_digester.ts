import type { Span } from "../archive/mod.ts";
import { type Digest, Digester } from "../base/mod.ts";
import { SpanDigester } from "./span_digester.ts";

/** How spans are cut; see SpanDigester. */
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
  /** For each checkpoint told of: whether a span begins there. One where none does is of no use. */
  readonly accepted: readonly boolean[];
}

/** Takes the plain stream, and the checkpoints in it, in order. */
export interface PlainDigester {
  /** The next plain bytes; they may be reused after the call returns. */
  write(bytes: Uint8Array): void;
  /** A further checkpoint, in ascending order of offsets. */
  checkpoint(plainOffset: number): void;
}

/** Digests at once, in the calling thread. */
export class InlineDigester implements PlainDigester {
  #whole = new Digester();
  #spans: SpanDigester;
  #accepted: boolean[] = [];

  /** For one stream. */
  constructor(limits: SpanLimits) {
    this.#spans = new SpanDigester(limits);
  }

  write(bytes: Uint8Array): void {
    this.#whole.update(bytes);
    this.#spans.write(bytes);
  }

  checkpoint(plainOffset: number): void {
    this.#accepted.push(this.#spans.checkpoint(plainOffset));
  }

  /** Says that the stream ends here. */
  finish(): PlainDigests {
    this.#spans.finish();
    return { diffId: this.#whole.digest(), spans: this.#spans.spans, accepted: this.#accepted };
  }
}
