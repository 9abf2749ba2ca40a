/**
 * In which order and pieces spans are prefetched that are known beforehand: on paper, no I/O happens here.
 *
 * What a start touches first is wanted first, but a request costs a round trip whatever its length, and spans that lie
 * side by side are mostly touched at different times. So a profile is cut into batches, in its order: within a batch,
 * spans are put together that lie side by side, or so close that what lies between is fetched faster than it is asked
 * around. The first batch is small, so that it is there soon; each further one is twice as large, since what is wanted
 * later may come in any order, but in few requests.
 */
import { KIB, MIB } from "../base/mod.ts";
import { type Archive, type LayerTables, type ProfileRange, S_IFDIR, S_IFREG, type Tree } from "../archive/mod.ts";
import type { SpanRange } from "./content_options.ts";
import { planRead } from "./read_plan.ts";
import { SpanMarks } from "./span_marks.ts";

/** Compressed bytes of the first batch, and of the largest. */
const FIRST_BATCH_BYTES = MIB;
const LARGEST_BATCH_BYTES = 4 * MIB;
/** Compressed bytes between two spans that are fetched along: what takes half of 20 ms at 100 Mbit/s. */
const MAX_HOLE_BYTES = 128 * KIB;

/** The spans of a profile, each once, in ranges that are to be fetched in this order. */
export function planProfile(layers: LayerTables, ranges: Iterable<ProfileRange>): SpanRange[] {
  const marks = new SpanMarks(layers.firstSpan[layers.layerCount]!);
  const plan: SpanRange[] = [];
  let batch: SpanRange[] = [];
  let batchBytes = 0;
  let batchLimit = FIRST_BATCH_BYTES;
  const close = () => {
    plan.push(...joinNear(layers, batch, marks));
    batchLimit = Math.min(2 * batchLimit, LARGEST_BATCH_BYTES);
    batch = [];
    batchBytes = 0;
  };
  for (const { layer, plainOffset, plainEndExclusive } of ranges) {
    const first = layers.spanAt(layer, plainOffset);
    const end = layers.spanAt(layer, plainEndExclusive - 1) + 1;
    for (const { firstSpan, endSpan } of marks.take(first, end)) {
      batch.push({ layer, firstSpan, endSpan });
      batchBytes += compressedBytes(layers, layer, firstSpan, endSpan);
      if (batchBytes >= batchLimit) close();
    }
  }
  close();
  return plan;
}

/** The spans that hold the data of these files, each once, layer by layer. */
export function planFiles({ layers, tree }: Pick<Archive, "layers" | "tree">, inodes: Iterable<number>): SpanRange[] {
  const wanted = new Uint8Array(layers.firstSpan[layers.layerCount]!);
  for (const inode of inodes) {
    for (const { layer, plainOffset, lengthBytes } of planRead(tree, inode, 0, tree.sizeBytes(inode))) {
      wanted.fill(1, layers.spanAt(layer, plainOffset), layers.spanAt(layer, plainOffset + lengthBytes - 1) + 1);
    }
  }
  return planAll(layers).flatMap(({ layer, firstSpan, endSpan }) => {
    const ranges: SpanRange[] = [];
    for (let span = wanted.indexOf(1, firstSpan); span >= 0 && span < endSpan;) {
      const end = wanted.indexOf(0, span);
      const next = end < 0 ? endSpan : Math.min(end, endSpan);
      ranges.push({ layer, firstSpan: span, endSpan: next });
      span = wanted.indexOf(1, next);
    }
    return ranges;
  });
}

/** The files among `inodes`, and those in the directories among them, at whatever depth. */
export function* filesBelow(tree: Tree, inodes: readonly number[]): Generator<number> {
  const left = [...inodes];
  for (let inode = left.pop(); inode !== undefined; inode = left.pop()) {
    if (tree.type(inode) === S_IFREG) yield inode;
    else if (tree.type(inode) === S_IFDIR) { for (const { inode: child } of tree.children(inode)) left.push(child); }
  }
}

/** Every span of the archive, layer by layer. */
export function planAll(layers: LayerTables): SpanRange[] {
  const ranges = Array.from({ length: layers.layerCount }, (_, layer) => {
    return { layer, firstSpan: layers.firstSpan[layer]!, endSpan: layers.firstSpan[layer + 1]! };
  });
  return ranges.filter(({ firstSpan, endSpan }) => firstSpan < endSpan);
}

/** The ranges of a batch, those put together that lie near, by what of each was wanted first. */
function joinNear(layers: LayerTables, batch: readonly SpanRange[], marks: SpanMarks): SpanRange[] {
  const byPlace = batch.map((range, order) => ({ ...range, order })).sort((a, b) => a.firstSpan - b.firstSpan);
  const joined: (typeof byPlace[number])[] = [];
  for (const range of byPlace) {
    const last = joined.at(-1);
    if (last === undefined || last.layer !== range.layer || !isNear(layers, last, range)) {
      joined.push(range);
      continue;
    }
    // What lies between comes along, and is not wanted again.
    for (const _ of marks.take(last.endSpan, range.firstSpan)) continue;
    joined[joined.length - 1] = { ...last, endSpan: range.endSpan, order: Math.min(last.order, range.order) };
  }
  joined.sort((a, b) => a.order - b.order);
  return joined.map(({ layer, firstSpan, endSpan }) => ({ layer, firstSpan, endSpan }));
}

function isNear(layers: LayerTables, before: SpanRange, after: SpanRange): boolean {
  return compressedBytes(layers, before.layer, before.endSpan, after.firstSpan) <= MAX_HOLE_BYTES;
}

/** Compressed bytes from the checkpoint of span `firstSpan` to that of `endSpan`, or to the layer's end. */
function compressedBytes(layers: LayerTables, layer: number, firstSpan: number, endSpan: number): number {
  return Math.ceil((compressedBit(layers, layer, endSpan) - compressedBit(layers, layer, firstSpan)) / 8);
}

function compressedBit(layers: LayerTables, layer: number, span: number): number {
  const isEnd = span === layers.firstSpan[layer + 1]!;
  const checkpoint = isEnd ? layers.firstCheckpoint[layer + 1]! - 1 : layers.spanCheckpoint(layer, span);
  return layers.checkpoint(checkpoint).compressedBitOffset;
}
