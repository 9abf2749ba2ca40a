import { readU64, writeU64 } from "../base/mod.ts";
import { SPAN, SPAN_BYTES } from "./layout.ts";
import type { Span } from "./model.ts";

/** For a message that no record of a list can lead to. */
const PLACE = { subject: "span list", field: "plainOffset" };

/**
 * Spans of a layer, in order, as the records that an archive has of them: 48 bytes a span, where an object and its digest
 * take several hundred. They become objects one at a time.
 */
export class SpanList implements Iterable<Span> {
  /** The records; well-formed. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;

  /** For those who have written the records. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A list of these. */
  static of(spans: Iterable<Span>): SpanList {
    const writer = new SpanListWriter();
    for (const span of spans) writer.add(span);
    return writer.finish();
  }

  /** How many. */
  get length(): number {
    return this.bytes.length / SPAN_BYTES;
  }

  /** The spans, made anew; their digests are views. */
  *[Symbol.iterator](): Generator<Span> {
    for (let at = 0; at < this.bytes.length; at += SPAN_BYTES) {
      const digestAt = at + SPAN.digest.at;
      yield {
        plainOffset: readU64(this.#view, at + SPAN.plainOffset.at, PLACE),
        checkpoint: this.#view.getUint32(at + SPAN.checkpoint.at, true),
        compressedBytes: this.#view.getUint32(at + SPAN.compressedBytes.at, true),
        digest: this.bytes.subarray(digestAt, digestAt + SPAN.digest.bytes),
      };
    }
  }
}

/** Makes a list, span by span. */
export class SpanListWriter {
  #bytes = new Uint8Array(256 * SPAN_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #filled = 0;

  /** How many there are so far. */
  get length(): number {
    return this.#filled / SPAN_BYTES;
  }

  /** The next; its digest is copied. */
  add({ plainOffset, checkpoint, compressedBytes, digest }: Span): void {
    const at = this.#filled;
    if (at === this.#bytes.length) {
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(2 * at)); // the old bytes do not wait for the collector
      this.#view = new DataView(this.#bytes.buffer);
    }
    writeU64(this.#view, at + SPAN.plainOffset.at, plainOffset);
    this.#view.setUint32(at + SPAN.checkpoint.at, checkpoint, true);
    this.#view.setUint32(at + SPAN.compressedBytes.at, compressedBytes, true);
    this.#bytes.set(digest, at + SPAN.digest.at);
    this.#filled += SPAN_BYTES;
  }

  /** The list, in a buffer of its own; nothing can be added then. */
  finish(): SpanList {
    return new SpanList(new Uint8Array(this.#bytes.buffer.transfer(this.#filled)));
  }
}
