import { Buffer } from "node:buffer";
import { type Logger, MIB, sha256Bytes } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { LayerCache } from "../cache/mod.ts";

/** A signal, and other work, get their turn after so much. */
const TURN_BYTES = 16 * MIB;

/** What was found in a layer's cache. */
export interface VerifiedCache {
  /** Spans that are present, damaged ones included. */
  readonly spans: number;
  /** The plain bytes that they have. */
  readonly plainBytes: number;
  /** Of those spans, the ones that were not what the archive says. */
  readonly damagedSpans: number;
}

/**
 * Compares every span of a layer that `cache` holds with its digest in the archive, and forgets those that are damaged.
 * @throws {unknown} the reason of `signal`.
 */
export async function verifyCache(
  { layers }: Archive,
  layer: number,
  cache: LayerCache,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<VerifiedCache> {
  let spans = 0;
  let plainBytes = 0;
  let damagedSpans = 0;
  let buffer = new Uint8Array(0);
  for (let span = layers.firstSpan[layer]!, turnBytes = 0; span < layers.firstSpan[layer + 1]!; span++) {
    const number = span - layers.firstSpan[layer]!;
    if (!cache.has(number)) continue;
    const start = layers.spanOffsets[span]!;
    const spanBytes = layers.spanEnd(layer, span) - start;
    if (buffer.length < spanBytes) buffer = new Uint8Array(spanBytes);
    const bytes = buffer.subarray(0, spanBytes);
    spans++;
    plainBytes += spanBytes;
    if (!cache.read(start, bytes) || Buffer.compare(sha256Bytes(bytes), layers.spanDigest(span)) !== 0) {
      damagedSpans++;
      log.warn("a cached span is damaged", { layer, span: number, file: cache.dataPath });
      cache.forget(number);
    }
    turnBytes += spanBytes;
    if (turnBytes < TURN_BYTES) continue;
    turnBytes = 0;
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal.throwIfAborted();
  }
  return { spans, plainBytes, damagedSpans };
}
