import type { LayerTables } from "../archive/mod.ts";
import { MIB } from "../base/mod.ts";
import { type Content, planRun, type SpanRange } from "../content/mod.ts";
import { dataOf } from "./data_of.ts";

/** When less than this has been asked for and not been used yet, more is asked for… */
const LOW_WATER_BYTES = 24 * MIB;
/** …up to this and a run, so that requests stay long. In memory alone, more than twice as much is kept. */
const HIGH_WATER_BYTES = 48 * MIB;
/** Large files are looked at in parts of this. */
const PART_BYTES = 8 * MIB;

/** Some data of files that has been asked for. */
interface Part {
  /** Bytes of data up to its end, from the first file on. */
  endByte: number;
  /** What it holds, or the spans that were asked for because of it, whichever is more. */
  weightBytes: number;
}

/**
 * Has the spans of files fetched before they are read, in the order in which they will be read, and never further ahead
 * than a cache of no great size can hold: so each span is fetched once. Spans that lie side by side are asked for
 * together, and all that is needed of a run at once: later, it would be decoded from its checkpoint again. What cannot be
 * had is not told here: whoever reads there will be told.
 */
export class FetchAhead {
  #content: Content;
  #signal: AbortSignal;
  #parts: Generator<{ endByte: number; lengthBytes: number; spans: number[] }>;
  /** Of each span, 1 where it is needed and has not been asked for. */
  #needed: Uint8Array;
  #ahead: Part[] = [];
  #aheadBytes = 0;
  #isAtEnd = false;

  /** Asks for nothing yet. @param files In the order in which they will be read, each from its start to its end. */
  constructor(content: Content, files: () => Iterable<number>, signal: AbortSignal) {
    this.#content = content;
    this.#signal = signal;
    const { layers, tree } = content.archive;
    this.#needed = new Uint8Array(layers.firstSpan[layers.layerCount]!);
    for (const inode of files()) {
      for (const { layer, plainOffset, lengthBytes } of dataOf(tree, inode)) {
        const end = layers.spanAt(layer, plainOffset + lengthBytes - 1) + 1;
        this.#needed.fill(1, layers.spanAt(layer, plainOffset), end);
      }
    }
    this.#parts = this.#cut(files());
  }

  /** So many bytes of data have been read, from the first file on, holes not counted: what is skipped counts as read. */
  read(bytes: number): void {
    while (this.#ahead[0] !== undefined && this.#ahead[0].endByte <= bytes) {
      this.#aheadBytes -= this.#ahead.shift()!.weightBytes;
    }
    if (this.#aheadBytes < LOW_WATER_BYTES && !this.#isAtEnd) this.#ask(bytes);
  }

  #ask(readBytes: number): void {
    const { layers } = this.#content.archive;
    const spans: number[] = [];
    while (this.#aheadBytes < HIGH_WATER_BYTES && !this.#isAtEnd) {
      const next = this.#parts.next();
      if (next.done) {
        this.#isAtEnd = true;
        break;
      }
      const { endByte, lengthBytes, spans: added } = next.value;
      if (endByte <= readBytes) {
        // Skipped: what follows may have to have them.
        for (const span of added) this.#needed[span] = 1;
        continue;
      }
      let spanBytes = 0;
      for (const span of added) spanBytes += spanLength(layers, span);
      spans.push(...added);
      this.#add(endByte, Math.max(spanBytes, lengthBytes));
    }
    if (spans.length === 0) return;
    this.#content.prefetch(inRanges(layers, spans), { signal: this.#signal }).catch(() => {});
  }

  #add(endByte: number, weightBytes: number): void {
    this.#aheadBytes += weightBytes;
    const last = this.#ahead.at(-1);
    if (last === undefined || last.weightBytes + weightBytes > MIB) {
      return void this.#ahead.push({ endByte, weightBytes });
    }
    last.endByte = endByte;
    last.weightBytes += weightBytes;
  }

  /** The files' data in parts, and for each the spans of its runs that are needed, unless a part before it has them. */
  *#cut(files: Iterable<number>): Generator<{ endByte: number; lengthBytes: number; spans: number[] }> {
    const { layers, tree } = this.#content.archive;
    let endByte = 0;
    for (const inode of files) {
      for (const { layer, plainOffset, lengthBytes } of dataOf(tree, inode)) {
        for (let at = 0; at < lengthBytes; at += PART_BYTES) {
          const partBytes = Math.min(PART_BYTES, lengthBytes - at);
          endByte += partBytes;
          const spans: number[] = [];
          const last = layers.spanAt(layer, plainOffset + at + partBytes - 1);
          for (let span = layers.spanAt(layer, plainOffset + at); span <= last; span++) {
            if (this.#needed[span] === 1) this.#takeRun(layer, span, spans);
          }
          yield { endByte, lengthBytes: partBytes, spans };
        }
      }
    }
  }

  #takeRun(layer: number, span: number, spans: number[]): void {
    const { firstSpan, endSpan } = planRun(this.#content.archive.layers, layer, span, false);
    for (let other = firstSpan; other < endSpan; other++) {
      if (this.#needed[other] === 0) continue;
      this.#needed[other] = 0;
      spans.push(other);
    }
  }
}

function layerOf(layers: LayerTables, span: number): number {
  let layer = 0;
  while (layers.firstSpan[layer + 1]! <= span) layer++;
  return layer;
}

function spanLength(layers: LayerTables, span: number): number {
  return layers.spanEnd(layerOf(layers, span), span) - layers.spanOffsets[span]!;
}

/** Neighbours together, in the order of the layers. */
function inRanges(layers: LayerTables, spans: number[]): SpanRange[] {
  const ranges: { layer: number; firstSpan: number; endSpan: number }[] = [];
  for (const span of spans.sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.endSpan === span && span < layers.firstSpan[last.layer + 1]!) last.endSpan++;
    else ranges.push({ layer: layerOf(layers, span), firstSpan: span, endSpan: span + 1 });
  }
  return ranges;
}
