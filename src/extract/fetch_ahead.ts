import type { LayerTables } from "../archive/mod.ts";
import { MIB } from "../base/mod.ts";
import type { Content, SpanRange } from "../content/mod.ts";
import { dataOf } from "./data_of.ts";

/** When less than this has been asked for and not been used yet, more is asked for… */
const LOW_WATER_BYTES = 32 * MIB;
/** …up to this, so that requests stay long. In memory alone, twice as much is kept. */
const HIGH_WATER_BYTES = 64 * MIB;
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
 * together. What cannot be had is not told here: whoever reads there will be told.
 */
export class FetchAhead {
  #content: Content;
  #signal: AbortSignal;
  #parts: Generator<{ endByte: number; lengthBytes: number; spans: number[] }>;
  #wanted: Uint8Array;
  #ahead: Part[] = [];
  #aheadBytes = 0;
  #isAtEnd = false;

  /** Asks for nothing yet. @param files In the order in which they will be read, each from its start to its end. */
  constructor(content: Content, files: Iterable<number>, signal: AbortSignal) {
    this.#content = content;
    this.#signal = signal;
    const { layers } = content.archive;
    this.#wanted = new Uint8Array(layers.firstSpan[layers.layerCount]!);
    this.#parts = this.#cut(files);
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
        for (const span of added) this.#wanted[span] = 0;
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

  /** The files' data in parts, and the spans of each that no part before it has. */
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
            if (this.#wanted[span] === 1) continue;
            this.#wanted[span] = 1;
            spans.push(span);
          }
          yield { endByte, lengthBytes: partBytes, spans };
        }
      }
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
