/** An image's layers, read once, become an archive. */
export { indexImage, type IndexImageOptions, type IndexResult, type LayerProgress } from "./index_image.ts";
export type { LayerScan, ScanLayerOptions } from "./layer_scan.ts";
export { mergeLayers, type MergeWarning } from "./merge_layers.ts";
export { LayerScanner } from "./scan_layer.ts";
