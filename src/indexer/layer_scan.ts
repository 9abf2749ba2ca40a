/** What one pass over a layer tells, as plain data that can travel between threads and be kept by layer digest. */
import { CHECKPOINT_BYTES, type SpanList, type StoredCheckpoint } from "../archive/mod.ts";
import type { Digest } from "../base/mod.ts";
import type { StrategyName } from "../codec/mod.ts";
import type { EntryList } from "./entry_list.ts";

/** The options of indexing that change what a scan finds. */
export interface ScanLayerOptions {
  /** How checkpoints are chosen. */
  readonly strategy: StrategyName;
  /** Aim at a checkpoint every so many plain bytes. */
  readonly spacingBytes: number;
  /** Files of at least this many bytes get a checkpoint before them; null: none do. */
  readonly fileCheckpointBytes: number | null;
}

/**
 * Plain offsets, ascending, that get a checkpoint as large files do, by the layer's diffId: where a start is known to read.
 * With the strategies `exact` and `file` alone.
 */
export type LayerStarts = ReadonlyMap<Digest, readonly number[]>;

/** What a scan refuses to go beyond. What it finds within does not depend on it. */
export interface ScanBounds {
  /** Plain bytes of the layer. */
  readonly plainBytes: number;
  /** Why no more, for the message. */
  readonly plainBytesReason: string;
  /** Entries of the layer. */
  readonly entries: number;
}

/** The result of a scan. */
export interface LayerScan {
  /** Name of the codec that read it. */
  readonly codec: string;
  /** Length of the blob. */
  readonly compressedBytes: number;
  /** Length of the plain stream. */
  readonly plainBytes: number;
  /** sha256 of the plain stream. */
  readonly diffId: Digest;
  /** At least 2, ascending: the start and the final one. */
  readonly checkpoints: readonly StoredCheckpoint[];
  /** Ascending, the first at 0; none where the layer has no plain bytes. */
  readonly spans: SpanList;
  /** In the order of the layer. */
  readonly entries: EntryList;
  /** Odd but harmless things, for the log. */
  readonly warnings: readonly string[];
}

/** About what a scan takes of memory: its entries, checkpoints with their windows, and spans. */
export function learntBytes({ entries, checkpoints, spans }: LayerScan): number {
  const windowBytes = checkpoints.reduce((sum, { packedWindow }) => sum + packedWindow.length, 0);
  return entries.bytes.length + CHECKPOINT_BYTES * checkpoints.length + windowBytes + spans.bytes.length;
}
