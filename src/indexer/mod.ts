/** An image's layers, read once, become an archive. */
export { ImageArchives, type KnownImage } from "./image_archives.ts";
export { DEFAULT_FILE_CHECKPOINT_BYTES, DEFAULT_SPACING_BYTES, defaultStrategy } from "./default_scan_options.ts";
export { DEFAULT_MAX_ENTRIES } from "./entry_bound.ts";
export { EntryList } from "./entry_list.ts";
export { IndexCache, type LayerIndexes, layerIndexKey, optionsHash, scanOf } from "./index_cache.ts";
export { indexImage, type IndexImageOptions, type IndexResult } from "./index_image.ts";
export { decodeLayerIndex, encodeLayerIndex, type LayerIndex, type LayerIndexKey } from "./layer_index.ts";
export type { LayerScan, LayerStarts, ScanBounds, ScanLayerOptions } from "./layer_scan.ts";
export { mergeLayers, type MergeWarning } from "./merge_layers.ts";
export type { PlainDigester } from "./plain_digester.ts";
export type { BoundOptions } from "./scan_bounds.ts";
export { hasFileCheckpoints, LayerScanner } from "./scan_layer.ts";
export type { LayerProgress, ScanLayersOptions } from "./scan_layers.ts";
export type { PlainDigests, SpanLimits } from "./stream_digester.ts";
