/** Checkpoints and spans of an archive's layers, read in place and checked once. */
import { CorruptError, readU64 } from "../base/mod.ts";
import {
  CHECKPOINT,
  CHECKPOINT_AT_HEADER,
  CHECKPOINT_BYTES,
  CHECKPOINT_IN_BLOCK,
  MAX_CHECKPOINT_KIND,
  MAX_PREFIX_BYTES,
  MAX_SPAN_BYTES,
  MAX_WINDOW_RECORD_BYTES,
  SPAN,
  SPAN_BYTES,
  WINDOW_GROUP_BYTES,
} from "./layout.ts";
import type { ImageInfo } from "./model.ts";

/** A checkpoint, its window left in the archive. */
export interface CheckpointRecord {
  /** A value of the codec's CheckpointKind. */
  readonly kind: number;
  /** Plain bytes of the layer before it. */
  readonly plainOffset: number;
  /** Compressed bits of the blob before it. */
  readonly compressedBitOffset: number;
  /** Whether a member or frame header comes first. */
  readonly atHeader: boolean;
  /** Where the header begins of the block that the place lies in; undefined between blocks. */
  readonly blockBitOffset: number | undefined;
  /** Plain bytes that the window ends with and the decoder does not make, 0 to 257. */
  readonly prefixBytes: number;
  /** The group of windows that holds this one: offset in the windows section. */
  readonly groupOffset: number;
  /** Its length there, deflated. */
  readonly groupStoredBytes: number;
  /** Its length inflated. */
  readonly groupPlainBytes: number;
  /** CRC-32 of the inflated group. */
  readonly groupCrc32: number;
  /** The window record in the inflated group. */
  readonly windowOffset: number;
  /** Its length; 0: there is none. */
  readonly windowBytes: number;
}

/**
 * Checkpoints and spans of all layers. Both are numbered through the archive: layer L has checkpoints
 * [firstCheckpoint[L], firstCheckpoint[L + 1]) and spans [firstSpan[L], firstSpan[L + 1]).
 */
export class LayerTables {
  /** One entry more than there are layers. */
  readonly firstCheckpoint: Uint32Array;
  /** One entry more than there are layers. */
  readonly firstSpan: Uint32Array;
  /** Plain offset of each span in its layer. Shared, so that other threads can look spans up. */
  readonly spanOffsets: Float64Array<SharedArrayBuffer>;
  /** Plain length of each layer. */
  readonly layerPlainBytes: readonly number[];
  #checkpoints: DataView;
  #spans: DataView;

  /** Reads and checks both sections. @throws {CorruptError} when offsets, numbers or lengths contradict each other or the image section. */
  constructor(image: ImageInfo, checkpoints: Uint8Array, spans: Uint8Array, windowsBytes: number) {
    const { layers } = image;
    const sums = (counts: number[]) => {
      let sum = 0;
      return [0, ...counts.map((count) => sum += count)];
    };
    const checkpointSums = sums(layers.map((layer) => layer.checkpoints));
    const spanSums = sums(layers.map((layer) => layer.spans));
    expectLength("checkpoints", checkpoints.byteLength, checkpointSums.at(-1)! * CHECKPOINT_BYTES);
    expectLength("spans", spans.byteLength, spanSums.at(-1)! * SPAN_BYTES);
    this.firstCheckpoint = Uint32Array.from(checkpointSums);
    this.firstSpan = Uint32Array.from(spanSums);
    this.layerPlainBytes = layers.map((layer) => layer.plainBytes);
    this.#checkpoints = new DataView(checkpoints.buffer, checkpoints.byteOffset, checkpoints.byteLength);
    this.#spans = new DataView(spans.buffer, spans.byteOffset, spans.byteLength);
    this.spanOffsets = new Float64Array(new SharedArrayBuffer(spanSums.at(-1)! * 8));
    layers.forEach((layer, index) => {
      this.#checkCheckpoints(index, layer.compressedBytes, windowsBytes);
      this.#checkSpans(index, layer.compressedBytes);
    });
  }

  /** Number of layers. */
  get layerCount(): number {
    return this.layerPlainBytes.length;
  }

  /** Checkpoint number `index` of the archive. */
  checkpoint(index: number): CheckpointRecord {
    const view = this.#checkpoints;
    const at = index * CHECKPOINT_BYTES;
    const place = (field: string) => () => ({ subject: "archive", field: `checkpoints[${index}].${field}` });
    const flags = view.getUint8(at + CHECKPOINT.flags.at);
    return {
      kind: view.getUint8(at + CHECKPOINT.kind.at),
      plainOffset: readU64(view, at + CHECKPOINT.plainOffset.at, place("plainOffset")),
      compressedBitOffset: readU64(view, at + CHECKPOINT.compressedBitOffset.at, place("compressedBitOffset")),
      atHeader: (flags & CHECKPOINT_AT_HEADER) !== 0,
      blockBitOffset: (flags & CHECKPOINT_IN_BLOCK) === 0
        ? undefined
        : readU64(view, at + CHECKPOINT.blockBitOffset.at, place("blockBitOffset")),
      prefixBytes: view.getUint16(at + CHECKPOINT.prefixBytes.at, true),
      groupOffset: readU64(view, at + CHECKPOINT.groupOffset.at, place("groupOffset")),
      groupStoredBytes: view.getUint32(at + CHECKPOINT.groupStoredBytes.at, true),
      groupPlainBytes: view.getUint32(at + CHECKPOINT.groupPlainBytes.at, true),
      groupCrc32: view.getUint32(at + CHECKPOINT.groupCrc32.at, true),
      windowOffset: view.getUint32(at + CHECKPOINT.windowOffset.at, true),
      windowBytes: view.getUint32(at + CHECKPOINT.windowBytes.at, true),
    };
  }

  /** Archive-wide number of the checkpoint that span `span` of layer `layer` is decoded from. */
  spanCheckpoint(layer: number, span: number): number {
    return this.firstCheckpoint[layer]! + this.#spans.getUint32(span * SPAN_BYTES + SPAN.checkpoint.at, true);
  }

  /** Where the bytes of the blob end, exclusive, of which a decoder at the span's checkpoint makes it. */
  spanCompressedEnd(layer: number, span: number): number {
    const bytes = this.#spans.getUint32(span * SPAN_BYTES + SPAN.compressedBytes.at, true);
    if (bytes === 0) return this.compressedEnd(layer, span);
    return this.#compressedStart(this.spanCheckpoint(layer, span)) + bytes;
  }

  /** The same as far as checkpoints tell: up to the next one. */
  compressedEnd(layer: number, span: number): number {
    const plainEnd = this.spanEnd(layer, span);
    let low = this.spanCheckpoint(layer, span) + 1;
    let high = this.firstCheckpoint[layer + 1]! - 1;
    // By halves: an archive may say that each span is made from the first checkpoint of very many.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#u64(middle, CHECKPOINT.plainOffset.at) < plainEnd) low = middle + 1;
      else high = middle;
    }
    return Math.ceil(this.#u64(low, CHECKPOINT.compressedBitOffset.at) / 8);
  }

  /** The byte that holds the first bit behind a checkpoint. */
  #compressedStart(checkpoint: number): number {
    return Math.floor(this.#u64(checkpoint, CHECKPOINT.compressedBitOffset.at) / 8);
  }

  /** A number of a checkpoint that has been checked to be a safe integer. */
  #u64(checkpoint: number, at: number): number {
    return Number(this.#checkpoints.getBigUint64(checkpoint * CHECKPOINT_BYTES + at, true));
  }

  /** The sha256 of a span's plain bytes, as a view of the section. */
  spanDigest(span: number): Uint8Array {
    return new Uint8Array(this.#spans.buffer, this.#spans.byteOffset + span * SPAN_BYTES + SPAN.digest.at, 32);
  }

  /** One past the last plain byte of a span. */
  spanEnd(layer: number, span: number): number {
    return span + 1 < this.firstSpan[layer + 1]! ? this.spanOffsets[span + 1]! : this.layerPlainBytes[layer]!;
  }

  /** The number of the span of `layer` that holds plain byte `plainOffset`, which lies in the layer. Binary search. */
  spanAt(layer: number, plainOffset: number): number {
    return spanAt(this.spanOffsets, this.firstSpan[layer]!, this.firstSpan[layer + 1]!, plainOffset);
  }

  #checkCheckpoints(layer: number, compressedBytes: number, windowsBytes: number): void {
    const first = this.firstCheckpoint[layer]!;
    const end = this.firstCheckpoint[layer + 1]!;
    if (end - first < 2) bad(`layers[${layer}].checkpoints`, end - first, "at least 2");
    for (let index = first; index < end; index++) {
      const checkpoint = this.checkpoint(index);
      const field = `checkpoints[${index}]`;
      const before = index === first ? undefined : this.checkpoint(index - 1);
      if (before === undefined) {
        // Where nothing else helps, the layer is decoded from here: this one must need nothing.
        if (checkpoint.plainOffset !== 0) bad(`${field}.plainOffset`, checkpoint.plainOffset, 0);
        if (checkpoint.compressedBitOffset !== 0) {
          bad(`${field}.compressedBitOffset`, checkpoint.compressedBitOffset, 0);
        }
        if (checkpoint.windowBytes !== 0) bad(`${field}.windowBytes`, checkpoint.windowBytes, 0);
        if (checkpoint.prefixBytes !== 0) bad(`${field}.prefixBytes`, checkpoint.prefixBytes, 0);
        if (checkpoint.blockBitOffset !== undefined) bad(`${field}.flags`, CHECKPOINT_IN_BLOCK, "not in a block");
      } else {
        const last = index === end - 1;
        const ascends = checkpoint.plainOffset > before.plainOffset ||
          (last && checkpoint.plainOffset === before.plainOffset);
        if (!ascends) bad(`${field}.plainOffset`, checkpoint.plainOffset, `more than ${before.plainOffset}`);
        if (checkpoint.compressedBitOffset < before.compressedBitOffset) {
          const least = `at least ${before.compressedBitOffset}`;
          bad(`${field}.compressedBitOffset`, checkpoint.compressedBitOffset, least);
        }
      }
      this.#checkSmallFields(index, checkpoint.kind);
      if (checkpoint.compressedBitOffset > compressedBytes * 8) {
        bad(`${field}.compressedBitOffset`, checkpoint.compressedBitOffset, `at most ${compressedBytes * 8}`);
      }
      checkRestart(field, checkpoint, windowsBytes);
    }
    const final = this.checkpoint(end - 1);
    const plainBytes = this.layerPlainBytes[layer]!;
    if (final.plainOffset !== plainBytes) bad(`checkpoints[${end - 1}].plainOffset`, final.plainOffset, plainBytes);
  }

  #checkSmallFields(index: number, kind: number): void {
    const at = index * CHECKPOINT_BYTES;
    const flags = this.#checkpoints.getUint8(at + CHECKPOINT.flags.at);
    const most = CHECKPOINT_AT_HEADER | CHECKPOINT_IN_BLOCK;
    if (kind > MAX_CHECKPOINT_KIND) bad(`checkpoints[${index}].kind`, kind, `at most ${MAX_CHECKPOINT_KIND}`);
    if (flags > most) bad(`checkpoints[${index}].flags`, flags, `at most ${most}`);
    const blockBitOffset = at + CHECKPOINT.blockBitOffset.at;
    if ((flags & CHECKPOINT_IN_BLOCK) === 0 && this.#checkpoints.getBigUint64(blockBitOffset, true) !== 0n) {
      bad(`checkpoints[${index}].blockBitOffset`, "a block", "0, as the place is in none");
    }
  }

  #checkSpans(layer: number, layerCompressedBytes: number): void {
    const first = this.firstSpan[layer]!;
    const end = this.firstSpan[layer + 1]!;
    const plainBytes = this.layerPlainBytes[layer]!;
    if ((end === first) !== (plainBytes === 0)) bad(`layers[${layer}].spans`, end - first, "some, as there are bytes");
    const checkpoints = this.firstCheckpoint[layer + 1]! - this.firstCheckpoint[layer]!;
    let spanStart = 0;
    for (let span = first; span < end; span++) {
      const at = span * SPAN_BYTES;
      const field = `spans[${span}]`;
      const place = () => ({ subject: "archive", field: `spans[${span}].plainOffset` });
      const offset = readU64(this.#spans, at + SPAN.plainOffset.at, place);
      if (span === first ? offset !== 0 : offset <= spanStart || offset - spanStart > MAX_SPAN_BYTES) {
        bad(`${field}.plainOffset`, offset, `above ${spanStart}, by ${MAX_SPAN_BYTES} at most`);
      }
      const checkpoint = this.#spans.getUint32(at + SPAN.checkpoint.at, true);
      if (checkpoint >= checkpoints - 1) bad(`${field}.checkpoint`, checkpoint, `below ${checkpoints - 1}`);
      if (this.#u64(this.firstCheckpoint[layer]! + checkpoint, CHECKPOINT.plainOffset.at) > offset) {
        bad(`${field}.checkpoint`, checkpoint, "one at or before the span");
      }
      const compressedBytes = this.#spans.getUint32(at + SPAN.compressedBytes.at, true);
      const mostBytes = layerCompressedBytes - this.#compressedStart(this.firstCheckpoint[layer]! + checkpoint);
      if (compressedBytes > mostBytes) bad(`${field}.compressedBytes`, compressedBytes, `at most ${mostBytes}`);
      this.spanOffsets[span] = spanStart = offset;
    }
    if (plainBytes > 0 && (plainBytes <= spanStart || plainBytes - spanStart > MAX_SPAN_BYTES)) {
      bad(`layers[${layer}].plainBytes`, plainBytes, `above ${spanStart}, by ${MAX_SPAN_BYTES} at most`);
    }
  }
}

/** The last of spans [first, end) that begins at or before `plainOffset`; `spanOffsets` is LayerTables' array. */
export function spanAt(spanOffsets: Float64Array, first: number, end: number, plainOffset: number): number {
  let low = first;
  let high = end;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (spanOffsets[middle]! <= plainOffset) low = middle;
    else high = middle;
  }
  return low;
}

/** What a decoder needs besides the place. */
function checkRestart(field: string, checkpoint: CheckpointRecord, windowsBytes: number): void {
  const most = (name: keyof CheckpointRecord, bound: number) => {
    const value = checkpoint[name] as number;
    if (value > bound) bad(`${field}.${name}`, value, `at most ${bound}`);
  };
  if (checkpoint.blockBitOffset !== undefined) most("blockBitOffset", checkpoint.compressedBitOffset);
  most("prefixBytes", MAX_PREFIX_BYTES);
  most("groupPlainBytes", WINDOW_GROUP_BYTES + MAX_WINDOW_RECORD_BYTES);
  most("groupStoredBytes", windowsBytes);
  most("groupOffset", windowsBytes - checkpoint.groupStoredBytes);
  most("windowBytes", Math.min(checkpoint.groupPlainBytes, MAX_WINDOW_RECORD_BYTES));
  most("windowOffset", checkpoint.groupPlainBytes - checkpoint.windowBytes);
}

function bad(field: string, actual: string | number, expected: string | number): never {
  throw new CorruptError({ subject: "archive", field, actual, expected });
}

function expectLength(section: string, actual: number, expected: number): void {
  if (actual !== expected) bad(`${section} section length`, actual, expected);
}
