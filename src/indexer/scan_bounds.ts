/** What layers may take of time and memory before an image is refused. */
import { ClipError, formatBytes, GIB } from "../base/mod.ts";
import type { LayerDescriptor } from "../oci/mod.ts";
import { entryBound, TooManyEntriesError } from "./entry_bound.ts";
import { type LayerScan, learntBytes, type ScanBounds } from "./layer_scan.ts";

/** Unless it is said otherwise: more than layers have, and minutes of work. */
const DEFAULT_MAX_LAYER_BYTES = 64 * GIB;
/** What deflate makes at most of a byte. Zstandard makes 32,768 of one. Source: zlib's technical details. */
const MOST_RATIO = 1032;
/** So much of a layer is read whatever its ratio: preallocated files are zeros. */
const RATIO_FREE_BYTES = 4 * GIB;
/** Entries, windows, checkpoints and spans of all layers together: they are in memory at once. */
const MAX_LEARNT_BYTES = 2 * GIB;

/** What a user may set of it. */
export interface BoundOptions {
  /**
   * A layer that unpacks to more plain bytes is refused. Default 64 GiB, but no more than 4 GiB and 1,032 times the blob:
   * what deflate can make of it.
   */
  readonly maxLayerBytes?: number | undefined;
  /** Files and directories of all layers together, and of the tree; default 4 million, or what memory has room for. */
  readonly maxEntries?: number | undefined;
}

/** The bounds of a layer's scan, of which nothing is known but what its descriptor says. */
export function scanBounds({ sizeBytes }: LayerDescriptor, { maxLayerBytes, maxEntries }: BoundOptions): ScanBounds {
  const byRatio = RATIO_FREE_BYTES + MOST_RATIO * sizeBytes;
  const entries = entryBound(maxEntries);
  if (maxLayerBytes === undefined && byRatio < DEFAULT_MAX_LAYER_BYTES) {
    const plainBytesReason = `${formatBytes(RATIO_FREE_BYTES)} and ${MOST_RATIO} times what it takes compressed ` +
      "(--max-layer-size allows more)";
    return { plainBytes: byRatio, plainBytesReason, entries };
  }
  const plainBytesReason = maxLayerBytes === undefined ? "the default of --max-layer-size" : "the --max-layer-size";
  return { plainBytes: maxLayerBytes ?? DEFAULT_MAX_LAYER_BYTES, plainBytesReason, entries };
}

/** Checks a layer that is known from before. @throws {ClipError} `limit` */
export function checkKnown({ plainBytes, entries }: LayerScan, bounds: ScanBounds): void {
  if (plainBytes > bounds.plainBytes) throw unpacksToMore(bounds);
  if (entries.length > bounds.entries) throw new TooManyEntriesError(bounds.entries);
}

/** The error for a layer of more plain bytes. */
export function unpacksToMore({ plainBytes, plainBytesReason }: ScanBounds): ClipError {
  return new ClipError("limit", `unpacks to more than ${formatBytes(plainBytes)}, ${plainBytesReason}`);
}

/** Adds up what scans hold. */
export class LearntBytes {
  #bytes = 0;

  /** Adds a scan. @throws {ClipError} `limit` where all together are too much. */
  add(scan: LayerScan): void {
    this.#bytes += learntBytes(scan);
    if (this.#bytes <= MAX_LEARNT_BYTES) return;
    const limit = formatBytes(MAX_LEARNT_BYTES);
    throw new ClipError("limit", `entries, windows and spans of the layers take more than ${limit}`);
  }
}
