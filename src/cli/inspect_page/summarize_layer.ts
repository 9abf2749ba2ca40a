import type { Archive } from "../../archive/mod.ts";
import { CheckpointKind } from "../../codec/mod.ts";
import type { TouchedBytes } from "./touched_bytes.ts";

/** Parts that a layer's picture has at most: there are no more points on a screen. */
const MAX_PARTS = 1000;

/** Spans of a layer that follow one another: one, where there are not too many. */
export interface LayerPart {
  /** Number in the layer of the first. */
  readonly span: number;
  readonly spans: number;
  readonly plainOffset: number;
  readonly plainBytes: number;
  /** From the checkpoint of the first to that of the next part's. */
  readonly compressedBytes: number;
  readonly touchedBytes: number;
  /** Of the checkpoints in it, by kind. */
  readonly kinds: readonly number[];
}

/** The kinds of checkpoints, by their value. */
export const KIND_NAMES: readonly string[] = Object.keys(CheckpointKind);

/** A layer, cut along its plain bytes. */
export function summarizeLayer({ layers }: Archive, layer: number, touched: TouchedBytes): LayerPart[] {
  const first = layers.firstSpan[layer]!;
  const end = layers.firstSpan[layer + 1]!;
  const step = Math.max(1, Math.ceil((end - first) / MAX_PARTS));
  const lastCheckpoint = layers.firstCheckpoint[layer + 1]!;
  let checkpoint = layers.firstCheckpoint[layer]!;
  const parts: LayerPart[] = [];
  for (let span = first; span < end; span += step) {
    const next = Math.min(span + step, end);
    const plainOffset = layers.spanOffsets[span]!;
    const plainEnd = layers.spanEnd(layer, next - 1);
    const kinds = KIND_NAMES.map(() => 0);
    for (; checkpoint < lastCheckpoint; checkpoint++) {
      const { kind, plainOffset: at } = layers.checkpoint(checkpoint);
      if (at >= plainEnd && next < end) break;
      kinds[kind]!++;
    }
    const from = layers.checkpoint(layers.spanCheckpoint(layer, span)).compressedBitOffset;
    const to = layers.checkpoint(next < end ? layers.spanCheckpoint(layer, next) : lastCheckpoint - 1);
    parts.push({
      span: span - first,
      spans: next - span,
      plainOffset,
      plainBytes: plainEnd - plainOffset,
      compressedBytes: Math.ceil((to.compressedBitOffset - from) / 8),
      touchedBytes: touched.of(layer, plainOffset, plainEnd),
      kinds,
    });
  }
  return parts;
}
