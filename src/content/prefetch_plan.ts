/**
 * In which order and pieces spans are prefetched that are known beforehand: on paper, no I/O happens here.
 *
 * What a start touches first is wanted first, but a request costs a round trip whatever its length, and spans that lie
 * side by side are mostly touched at different times. So a profile is cut into batches, in its order: within a batch,
 * spans are put together that lie side by side, or so close that what lies between is fetched faster than it is asked
 * around; what lies behind the last span touched of a run is left out. The first batch is small, so that it is there
 * soon; each further one is twice as large, since what is wanted later may come in any order, but in few requests.
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
  const touched = [...ranges].map(({ layer, plainOffset, plainEndExclusive }) => {
    return { layer, first: layers.spanAt(layer, plainOffset), last: layers.spanAt(layer, plainEndExclusive - 1) };
  });
  const runFirst = firstOfRuns(layers);
  const lastTouched = lastOfRuns(runFirst, touched);
  for (const { layer, first, last } of touched) {
    // A run is decoded from its start, once: so with all of it that is touched at any time, and no more.
    for (const { firstSpan, endSpan } of marks.take(runFirst[first]!, lastTouched[runFirst[last]!]! + 1)) {
      batch.push({ layer, firstSpan, endSpan });
      batchBytes += compressedBytes(layers, layer, firstSpan, endSpan);
      if (batchBytes >= batchLimit) close();
    }
  }
  close();
  return plan;
}

/** By span, the first of the run that it is in. */
function firstOfRuns(layers: LayerTables): Uint32Array {
  const runFirst = new Uint32Array(layers.firstSpan[layers.layerCount]!);
  for (let layer = 0; layer < layers.layerCount; layer++) {
    const end = layers.firstSpan[layer + 1]!;
    let before = -1;
    for (let span = layers.firstSpan[layer]!; span < end; span++) {
      const checkpoint = layers.spanCheckpoint(layer, span);
      runFirst[span] = checkpoint === before ? runFirst[span - 1]! : span;
      before = checkpoint;
    }
  }
  return runFirst;
}

/** By the first span of a run, the last that is touched; of other spans nothing. */
function lastOfRuns(runFirst: Uint32Array, touched: Iterable<{ first: number; last: number }>): Uint32Array {
  const lastTouched = new Uint32Array(runFirst.length);
  const marks = new SpanMarks(runFirst.length);
  for (const { first, last } of touched) {
    for (const { firstSpan, endSpan } of marks.take(first, last + 1)) {
      for (let span = firstSpan; span < endSpan; span++) {
        lastTouched[runFirst[span]!] = Math.max(lastTouched[runFirst[span]!]!, span);
      }
    }
  }
  return lastTouched;
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
  const holeBytes = compressedStart(layers, after) - layers.spanCompressedEnd(before.layer, before.endSpan - 1);
  return holeBytes <= MAX_HOLE_BYTES;
}

/** What is fetched for these spans. */
function compressedBytes(layers: LayerTables, layer: number, firstSpan: number, endSpan: number): number {
  return layers.spanCompressedEnd(layer, endSpan - 1) - compressedStart(layers, { layer, firstSpan });
}

/** Where decoding begins for the sake of a range. */
function compressedStart(layers: LayerTables, { layer, firstSpan }: Pick<SpanRange, "layer" | "firstSpan">): number {
  return Math.floor(layers.checkpoint(layers.spanCheckpoint(layer, firstSpan)).compressedBitOffset / 8);
}
