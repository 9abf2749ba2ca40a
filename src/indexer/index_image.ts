import { UsageError } from "../base/mod.ts";
import { type ArchiveContents, encodeArchive } from "../archive/mod.ts";
import { type BlobStore, formatImageReference, type Image } from "../oci/mod.ts";
import { entryBound } from "./entry_bound.ts";
import type { LayerScan, ScanLayerOptions } from "./layer_scan.ts";
import { mergeLayers } from "./merge_layers.ts";
import { scanLayers, type ScanLayersOptions } from "./scan_layers.ts";

/** What {@linkcode indexImage} is asked to do. */
export interface IndexImageOptions extends ScanLayersOptions {
  /** Index so many layers only, the lowest; default all. */
  readonly layerCount?: number | undefined;
}

/** What came out. */
export interface IndexResult {
  /** The archive, in pieces that follow one another. */
  readonly archive: Uint8Array[];
  /** Length of the archive. */
  readonly archiveBytes: number;
  /** One scan a layer, bottom first. */
  readonly scans: readonly LayerScan[];
  /** For each of them, whether it was known from before: the layer has not been read, not even asked for. */
  readonly reused: readonly boolean[];
}

/**
 * Indexes an image in one pass over its layers, nothing stored: each layer is read once, checked against its digest,
 * its size and its diffId, and merged with the others into an archive. Layers that the cache knows are not read. Neither
 * that nor the order in which layers are read has an influence on the archive.
 * @throws {ClipError} naming the layer; {UsageError} where the image has not so many layers.
 */
export async function indexImage(image: Image, blobs: BlobStore, options: IndexImageOptions): Promise<IndexResult> {
  const layers = image.layers.slice(0, checkLayerCount(image, options.layerCount));
  const { scans, reused } = await scanLayers(layers, blobs, options);
  layers.forEach((layer, number) => {
    for (const warning of scans[number]!.warnings) options.log.warn(`layer ${number} (${layer.digest}): ${warning}`);
  });
  const onWarning = (message: string) => options.log.warn(message);
  const maxEntries = entryBound(options.maxEntries);
  const root = mergeLayers(scans.map((scan) => scan.entries), onWarning, { maxEntries });
  const archive = encodeArchive(archiveContents({ ...image, layers }, scans, root, options));
  return { archive, archiveBytes: archive.reduce((bytes, piece) => bytes + piece.length, 0), scans, reused };
}

function checkLayerCount(image: Image, layerCount: number | undefined): number {
  const most = image.layers.length;
  if (layerCount === undefined) return most;
  if (Number.isInteger(layerCount) && layerCount >= 1 && layerCount <= most) return layerCount;
  const name = formatImageReference(image.reference);
  throw new UsageError(`cannot index ${layerCount} layers of ${name}: it has ${most}; give 1 to ${most}`);
}

function archiveContents(
  image: Image,
  scans: readonly LayerScan[],
  root: ArchiveContents["root"],
  options: ScanLayerOptions,
): ArchiveContents {
  const { os, architecture, variant } = image.platform;
  return {
    image: {
      source: formatImageReference(image.pinnedReference),
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      manifestDigest: image.manifestDigest,
      manifestMediaType: image.manifestMediaType,
      configDigest: image.configDigest,
      options: {
        strategy: options.strategy,
        spacingBytes: options.spacingBytes,
        fileCheckpointBytes: options.fileCheckpointBytes,
      },
    },
    manifest: image.manifestBytes,
    config: image.configBytes,
    layers: image.layers.map((layer, number) => {
      const { codec, compressedBytes, plainBytes, checkpoints, spans } = scans[number]!;
      const { digest, diffId, mediaType } = layer;
      return { info: { digest, diffId, mediaType, codec, compressedBytes, plainBytes }, checkpoints, spans };
    }),
    root,
  };
}
