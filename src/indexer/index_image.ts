import { ClipError, CorruptError, digestAlgorithm, Digester, DigestMismatchError, type Logger } from "../base/mod.ts";
import { type ArchiveContents, encodeArchive } from "../archive/mod.ts";
import { type BlobStore, formatImageReference, type Image, type LayerDescriptor } from "../oci/mod.ts";
import { LayerScanThread } from "./layer_pool.ts";
import type { LayerScan, ScanLayerOptions } from "./layer_scan.ts";
import { mergeLayers } from "./merge_layers.ts";

/** How far the indexing of one layer has come. */
export interface LayerProgress {
  /** Number of the layer, 0 the lowest. */
  readonly layer: number;
  readonly digest: string;
  /** Compressed bytes read so far, and in all. */
  readonly compressedBytes: number;
  readonly totalBytes: number;
  /** Plain bytes scanned so far. */
  readonly plainBytes: number;
  readonly done: boolean;
}

/** What {@linkcode indexImage} is asked to do. */
export interface IndexImageOptions extends ScanLayerOptions {
  /** Layers scanned at once, at least 1. */
  readonly jobs: number;
  readonly log: Logger;
  readonly signal?: AbortSignal;
  /** Told at each step of a layer. */
  readonly onProgress?: (progress: LayerProgress) => void;
}

/** What came out. */
export interface IndexResult {
  /** The archive, in pieces that follow one another. */
  readonly archive: Uint8Array[];
  readonly archiveBytes: number;
  /** One scan a layer, bottom first. */
  readonly scans: readonly LayerScan[];
}

/**
 * Indexes an image in one pass over its layers, nothing stored: each layer is read once, checked against its digest,
 * its size and its diffId, and merged with the others into an archive. Largest layers start first; the order has no
 * influence on the result.
 * @throws {ClipError} naming the layer.
 */
export async function indexImage(image: Image, blobs: BlobStore, options: IndexImageOptions): Promise<IndexResult> {
  const scans = await scanLayers(image.layers, blobs, options);
  image.layers.forEach((layer, number) => {
    for (const warning of scans[number]!.warnings) options.log.warn(`layer ${number} (${layer.digest}): ${warning}`);
  });
  const root = mergeLayers(scans.map((scan) => scan.entries), (message) => options.log.warn(message));
  const archive = encodeArchive(archiveContents(image, scans, root, options));
  return { archive, archiveBytes: archive.reduce((bytes, piece) => bytes + piece.length, 0), scans };
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
      options: { spacingBytes: options.spacingBytes, fileCheckpointBytes: options.fileCheckpointBytes },
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

/** One scan a layer; a blob that occurs twice is scanned once. */
async function scanLayers(
  layers: readonly LayerDescriptor[],
  blobs: BlobStore,
  options: IndexImageOptions,
): Promise<LayerScan[]> {
  const numbers = new Map<string, number>();
  layers.forEach((layer, number) => {
    if (!numbers.has(layer.digest)) numbers.set(layer.digest, number);
  });
  const queue = [...numbers.values()].sort((a, b) => layers[b]!.sizeBytes - layers[a]!.sizeBytes);
  const scans = new Map<string, LayerScan>();
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const runThread = async () => {
    const thread = new LayerScanThread();
    try {
      for (let number = queue.shift(); number !== undefined; number = queue.shift()) {
        scans.set(
          layers[number]!.digest,
          await scanLayer(thread, layers[number]!, number, blobs, { ...options, signal }),
        );
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    } finally {
      thread.close();
    }
  };
  const threads = Array.from({ length: Math.min(options.jobs, queue.length) }, runThread);
  const outcomes = await Promise.allSettled(threads);
  // The first failure stops the others; it is the one to tell of.
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return layers.map((layer, number) => {
    const scan = scans.get(layer.digest)!;
    // Two mentions of one blob have one digest, but may differ in the rest.
    checkScan(layer, scan, layerName(layer, number));
    return scan;
  });
}

function layerName(layer: LayerDescriptor, number: number): string {
  return `layer ${number} (${layer.digest})`;
}

async function scanLayer(
  thread: LayerScanThread,
  layer: LayerDescriptor,
  number: number,
  blobs: BlobStore,
  options: IndexImageOptions,
): Promise<LayerScan> {
  const name = layerName(layer, number);
  const digester = new Digester(digestAlgorithm(layer.digest));
  let compressedBytes = 0;
  let plainBytes = 0;
  const report = (done: boolean) =>
    options.onProgress?.({
      layer: number,
      digest: layer.digest,
      compressedBytes,
      totalBytes: layer.sizeBytes,
      plainBytes,
      done,
    });
  report(false);
  try {
    const scan = await thread.scan({
      mediaType: layer.mediaType,
      options: { spacingBytes: options.spacingBytes, fileCheckpointBytes: options.fileCheckpointBytes },
      chunks: blobs.layer(layer).stream({ ...(options.signal === undefined ? {} : { signal: options.signal }) }),
      onCompressed: (chunk) => {
        digester.update(chunk);
        compressedBytes += chunk.length;
        report(false);
      },
      onPlain: (bytes) => plainBytes = bytes,
    });
    plainBytes = scan.plainBytes;
    checkDigest(layer, scan, { name, actualDigest: digester.digest() });
    checkScan(layer, scan, name);
    logCheckpoints(name, scan, options.log);
    report(true);
    return scan;
  } catch (error) {
    throw inLayer(error, name);
  }
}

function checkDigest(
  layer: LayerDescriptor,
  scan: LayerScan,
  { name, actualDigest }: { name: string; actualDigest: string },
): void {
  // A source that knows no blob digests (docker-archive) states the diffId in their place.
  const digestKnown = layer.digest !== layer.diffId || scan.codec === "none";
  if (digestKnown && actualDigest !== layer.digest) {
    throw new DigestMismatchError(name, { digest: layer.digest, actual: actualDigest });
  }
}

function checkScan(layer: LayerDescriptor, scan: LayerScan, name: string): void {
  if (scan.compressedBytes !== layer.sizeBytes) {
    throw new CorruptError({ subject: name, field: "size", actual: scan.compressedBytes, expected: layer.sizeBytes });
  }
  if (scan.diffId !== layer.diffId) {
    throw new DigestMismatchError(`${name}: uncompressed layer`, { digest: layer.diffId, actual: scan.diffId });
  }
}

function logCheckpoints(name: string, scan: LayerScan, log: Logger): void {
  if (log.level !== "debug") return;
  const kinds = ["start", "interval", "file", "member", "final"];
  const counts = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  for (const checkpoint of scan.checkpoints) counts[kinds[checkpoint.kind]!]!++;
  const { codec, compressedBytes, plainBytes } = scan;
  log.debug(`scanned ${name}`, { codec, compressedBytes, plainBytes, entries: scan.entries.length, ...counts });
}

function inLayer(error: unknown, name: string): unknown {
  if (!(error instanceof ClipError) || error.message.includes(name)) return error;
  const named = new ClipError(error.code, `${name}: ${error.message}`, {
    cause: error.cause,
    retryable: error.retryable,
  });
  if (error.stack !== undefined) named.stack = error.stack;
  return named;
}
