import type { LayerTables } from "../archive/mod.ts";
import type { SpanRange } from "./content_options.ts";

/** A reader is never more than two windows of this many plain bytes ahead of what it reads. */
const MAX_WINDOW_BYTES = 16 * 1024 * 1024;
/** Readers looked after at a time; the one that moved last is forgotten last. */
const MAX_STREAMS = 64;

/** A reader that goes through a file. Spans have archive-wide numbers. */
interface Stream {
  readonly inode: number;
  readonly layer: number;
  /** The span that it touched last. */
  last: number;
  /** One past the last span that was asked for because of it. */
  end: number;
  /** When it touches this one, more is asked for: the first span of the last window. */
  trigger: number;
  /** Spans of the last window. */
  windowSpans: number;
}

/**
 * Tells readers that go through a file from those that jump about, by the spans that they touch, and says what the
 * former will want: windows of 1, 2, 4, … spans, each asked for when the reader enters the one before. Each reader is
 * followed by itself; two that read the same places are one. Never past the end of the file.
 *
 * The touches it hears of are those of reads that had to wait, and of spans that it has named as a trigger: a reader
 * whose next spans are at hand touches them unseen.
 */
export class ReadAhead {
  #layers: LayerTables;
  /** The one that moved last is the last. */
  #streams: Stream[] = [];

  /** Nobody reads yet. */
  constructor(layers: LayerTables) {
    this.#layers = layers;
  }

  /**
   * A reader has touched a span of a file whose last one in that layer is before `endSpan`. What it will want next, if
   * anything; the first of these spans is a trigger.
   */
  touch(inode: number, layer: number, span: number, endSpan: number): SpanRange | undefined {
    const at = this.#streams.findLastIndex((stream) =>
      stream.inode === inode && stream.layer === layer && span >= stream.last && span <= stream.end
    );
    if (at < 0) {
      this.#streams.push({ inode, layer, last: span, end: span + 1, trigger: span + 1, windowSpans: 0 });
      if (this.#streams.length > MAX_STREAMS) this.#streams.shift();
      return undefined;
    }
    const stream = this.#streams.splice(at, 1)[0]!;
    this.#streams.push(stream);
    stream.last = span;
    if (span < stream.trigger) return undefined;
    return this.#window(stream, span, endSpan);
  }

  #window(stream: Stream, span: number, endSpan: number): SpanRange | undefined {
    const layers = this.#layers;
    const firstSpan = Math.max(stream.end, span + 1);
    stream.windowSpans = Math.max(1, stream.windowSpans * 2);
    let end = firstSpan;
    while (end < endSpan && end - firstSpan < stream.windowSpans) {
      const plainBytes = layers.spanEnd(stream.layer, end) - layers.spanOffsets[firstSpan]!;
      if (plainBytes > MAX_WINDOW_BYTES && end > firstSpan) break;
      end++;
    }
    stream.windowSpans = Math.max(1, end - firstSpan);
    stream.trigger = firstSpan;
    stream.end = Math.max(end, firstSpan);
    return end === firstSpan ? undefined : { layer: stream.layer, firstSpan, endSpan: end };
  }
}
