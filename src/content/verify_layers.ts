import type { RangeSource } from "../base/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { planRun } from "./read_plan.ts";
import { decodeRun } from "./run_decoder.ts";

/** What was verified. */
export interface VerifiedLayers {
  /** How many spans. */
  readonly spans: number;
  /** How many plain bytes they hold. */
  readonly plainBytes: number;
}

/**
 * Fetches all layers and decodes every run from its own checkpoint, so that each checkpoint is proved as well as each
 * span. A layer that the image holds twice is read once.
 * @throws {DigestMismatchError} or {CorruptError} naming layer and span, at the first that is wrong.
 */
export async function verifyLayers(
  archive: Archive,
  { blob, signal, inflate }: {
    blob: (layer: number) => RangeSource;
    signal?: AbortSignal;
    inflate?: InflateName | undefined;
  },
): Promise<VerifiedLayers> {
  const { layers, image } = archive;
  const seen = new Set<string>();
  let spans = 0;
  let plainBytes = 0;
  for (let layer = 0; layer < layers.layerCount; layer++) {
    const { digest } = image.layers[layer]!;
    if (seen.has(digest)) continue;
    seen.add(digest);
    const source = blob(layer);
    for (let span = layers.firstSpan[layer]!; span < layers.firstSpan[layer + 1]!;) {
      signal?.throwIfAborted();
      const run = planRun(layers, layer, span, false);
      const onSpan = (_: number, bytes: Uint8Array) => {
        spans++;
        plainBytes += bytes.length;
      };
      await decodeRun(archive, run, source, { onRequest: () => {}, onSpan }, { signal, inflate });
      span = run.endSpan;
    }
  }
  return { spans, plainBytes };
}
