/**
 * From a place in a file to bytes of a layer, on paper: no I/O happens here.
 *
 *     file bytes ──pieces──▶ plain bytes of a layer ──spans──▶ units of verification ──runs──▶ compressed ranges
 *
 * A *piece* is a part of a read that lies in one layer (a sparse file has several; what no piece covers is zeros).
 * A *span* is what is verified, cached and shared as a whole. A *run* is what is decoded as a whole: from a checkpoint
 * to the next. Mostly a run is some spans; it has very many where a stretch of the stream offers no checkpoint (one huge
 * deflate block, or checkpoints switched off: then the whole layer is one run). Every span of a run is verified, given to
 * who waits for it and kept as the decoder passes it, so that nothing is decoded twice.
 *
 * The rejected alternative, a digest for each checkpoint interval alone, would have made the unit of verification as
 * long as the longest stretch without a checkpoint, which may be the layer.
 */
import type { LayerTables, Tree } from "../archive/mod.ts";
import { SPARSE_LAYER } from "../archive/mod.ts";

/** A part of a read that lies in one layer. */
export interface Piece {
  /** Number of the layer, 0 the lowest. */
  readonly layer: number;
  /** Of its first byte in the layer's plain stream. */
  readonly plainOffset: number;
  /** At least 1. */
  readonly lengthBytes: number;
  /** Where it goes, counted from the first byte read. */
  readonly targetOffset: number;
}

/**
 * The pieces of reading [offset, offset + length) of a file, ascending. `length` does not reach past the file's end.
 */
export function planRead(tree: Tree, inode: number, offset: number, length: number): Piece[] {
  if (length === 0) return [];
  const layer = tree.columns.layer[inode]!;
  if (layer !== SPARSE_LAYER) {
    return [{ layer, plainOffset: tree.plainOffset(inode) + offset, lengthBytes: length, targetOffset: 0 }];
  }
  const pieces: Piece[] = [];
  const endExtent = tree.columns.placeLow[inode]! + tree.columns.placeHigh[inode]!;
  for (let index = firstExtent(tree, inode, offset); index < endExtent; index++) {
    const extent = tree.extent(index);
    if (extent.fileOffset >= offset + length) break;
    const start = Math.max(extent.fileOffset, offset);
    const end = Math.min(extent.fileOffset + extent.lengthBytes, offset + length);
    const plainOffset = extent.plainOffset + (start - extent.fileOffset);
    pieces.push({ layer: extent.layer, plainOffset, lengthBytes: end - start, targetOffset: start - offset });
  }
  return pieces;
}

/** The first extent of a sparse file that ends behind `offset`: a file may have very many. */
function firstExtent(tree: Tree, inode: number, offset: number): number {
  let low = tree.columns.placeLow[inode]!;
  let high = low + tree.columns.placeHigh[inode]!;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { fileOffset, lengthBytes } = tree.extent(middle);
    if (fileOffset + lengthBytes <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is decoded as a whole. Numbers of spans and checkpoints are archive-wide. */
export interface Run {
  /** Number of the layer. */
  readonly layer: number;
  /** The checkpoint that decoding starts from. */
  readonly checkpoint: number;
  /** The spans it passes: [firstSpan, endSpan). */
  readonly firstSpan: number;
  /** See `firstSpan`. */
  readonly endSpan: number;
  /** Plain bytes from the checkpoint to the end of the last span. */
  readonly plainBytes: number;
  /** The bytes of the blob that hold them. */
  readonly compressedOffset: number;
  /** See `compressedOffset`. */
  readonly compressedEndExclusive: number;
}

/** The run that makes span `span` of `layer`: from its checkpoint, or, for `wholeLayer`, from the first. */
export function planRun(layers: LayerTables, layer: number, span: number, wholeLayer: boolean): Run {
  const first = layers.firstSpan[layer]!;
  const end = layers.firstSpan[layer + 1]!;
  const checkpoint = wholeLayer ? layers.firstCheckpoint[layer]! : layers.spanCheckpoint(layer, span);
  let firstSpan = span;
  let endSpan = span + 1;
  const belongs = (other: number) => wholeLayer || layers.spanCheckpoint(layer, other) === checkpoint;
  while (firstSpan > first && belongs(firstSpan - 1)) firstSpan--;
  while (endSpan < end && belongs(endSpan)) endSpan++;
  const from = layers.checkpoint(checkpoint);
  return {
    layer,
    checkpoint,
    firstSpan,
    endSpan,
    plainBytes: layers.spanEnd(layer, endSpan - 1) - from.plainOffset,
    compressedOffset: Math.floor(from.compressedBitOffset / 8),
    compressedEndExclusive: layers.compressedEnd(layer, endSpan - 1),
  };
}

/** The first part of a run, up to span `endSpan`, which is one of its own or its end. */
export function cutRun(layers: LayerTables, run: Run, endSpan: number): Run {
  if (endSpan === run.endSpan) return run;
  const { layer, plainBytes } = run;
  const leftOutBytes = layers.spanEnd(layer, run.endSpan - 1) - layers.spanEnd(layer, endSpan - 1);
  const compressedEndExclusive = layers.spanCompressedEnd(layer, endSpan - 1);
  return { ...run, endSpan, plainBytes: plainBytes - leftOutBytes, compressedEndExclusive };
}
