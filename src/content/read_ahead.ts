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
  /** Runs of the last window. */
  windowRuns: number;
}

/**
 * Tells readers that go through a file from those that jump about, by the spans that they touch, and says what the
 * former will want: windows of 1, 2, 4, … runs, each asked for when the reader enters the one before. Each reader is
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
      // The rest of its run comes along without being asked for.
      const end = this.#runEnd(layer, span, endSpan);
      this.#streams.push({ inode, layer, last: span, end, trigger: end, windowRuns: 0 });
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
    const firstSpan = Math.max(stream.end, this.#runEnd(stream.layer, span, endSpan));
    const mostRuns = Math.max(1, stream.windowRuns * 2);
    let end = firstSpan;
    stream.windowRuns = 0;
    while (end < endSpan && stream.windowRuns < mostRuns) {
      const next = this.#runEnd(stream.layer, end, endSpan);
      const plainBytes = layers.spanEnd(stream.layer, next - 1) - layers.spanOffsets[firstSpan]!;
      if (plainBytes > MAX_WINDOW_BYTES && end > firstSpan) break;
      end = next;
      stream.windowRuns++;
    }
    stream.trigger = firstSpan;
    stream.end = end;
    return end === firstSpan ? undefined : { layer: stream.layer, firstSpan, endSpan: end };
  }

  /** One past the last span of the run that a span is in, as far as it is the file's, and not too long. */
  #runEnd(layer: number, span: number, endSpan: number): number {
    const layers = this.#layers;
    const checkpoint = layers.spanCheckpoint(layer, span);
    const mostEnd = layers.spanOffsets[span]! + MAX_WINDOW_BYTES;
    let end = span + 1;
    while (end < endSpan && layers.spanCheckpoint(layer, end) === checkpoint && layers.spanEnd(layer, end) <= mostEnd) {
      end++;
    }
    return end;
  }
}
