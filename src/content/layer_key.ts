import { Buffer } from "node:buffer";
import { type LocalReaders, sha256Bytes } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { LayerKey, LayerUse } from "../cache/mod.ts";

/** By what name a cache knows layer number `layer` of an archive, cut as that does it. */
export function layerKey({ image, layers }: Archive, layer: number): LayerKey {
  const { diffId, plainBytes, spans } = image.layers[layer]!;
  const offsets = layers.spanOffsets.slice(layers.firstSpan[layer]!, layers.firstSpan[layer + 1]!);
  const partition = Buffer.from(sha256Bytes(new Uint8Array(offsets.buffer)).subarray(0, 8)).toString("hex");
  return { diffId, plainBytes, spans, partition };
}

/** What a cache has to know of those who read the layer. */
export function layerUse({ image, layers }: Archive, layer: number, readers: LocalReaders): LayerUse {
  const [first, end] = [layers.firstSpan[layer]!, layers.firstSpan[layer + 1]!];
  const spanOffsets = new Float64Array(end - first + 1);
  spanOffsets.set(layers.spanOffsets.subarray(first, end));
  spanOffsets[end - first] = image.layers[layer]!.plainBytes;
  return {
    spanOffsets,
    touched: readers.touched.subarray(first, end),
    retire: (spans) => readers.retire(spans.map((span) => first + span)),
  };
}
