import {
  ClipError,
  CorruptError,
  digestAlgorithm,
  Digester,
  DigestMismatchError,
  type Logger,
  MIB,
} from "../base/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import { type BlobStore, isNonDistributable, type LayerDescriptor } from "../oci/mod.ts";
import { type LayerIndexes, layerIndexKey } from "./index_cache.ts";
import { type LayerJob, LayerScanThread } from "./layer_pool.ts";
import { decodeLayerBody, packLayerIndex } from "./layer_index.ts";
import type { LayerScan, LayerStarts, ScanLayerOptions } from "./layer_scan.ts";
import { type BoundOptions, checkKnown, LearntBytes, scanBounds } from "./scan_bounds.ts";

/** Of a blob: smaller ones are read before a further thread is up. */
const LEAST_BYTES_DIGESTED_APART = 8 * MIB;

/** How far the indexing of one layer has come. */
export interface LayerProgress {
  /** Number of the layer, 0 the lowest. */
  readonly layer: number;
  /** Of the blob. */
  readonly digest: string;
  /** Compressed bytes read so far; 0 of a layer that is reused. */
  readonly compressedBytes: number;
  /** Compressed bytes in all. */
  readonly totalBytes: number;
  /** Plain bytes known so far. */
  readonly plainBytes: number;
  /** Whether this is the last that is told of it. */
  readonly done: boolean;
  /** Whether the layer is known from before, and not read. */
  readonly reused: boolean;
}

/** How layers are read. */
export interface ScanLayersOptions extends ScanLayerOptions, BoundOptions {
  /** Layers scanned at once, at least 1. */
  readonly jobs: number;
  /** Who inflates; default kernel. */
  readonly inflate?: InflateName;
  /** What is known of layers from before, and where what is learnt is kept; without it every layer is read. */
  readonly cache?: LayerIndexes | undefined;
  /** Places of checkpoints besides those of the strategy. Layers that have some are read, and not kept in the cache. */
  readonly starts?: LayerStarts | undefined;
  /** Where warnings go. */
  readonly log: Logger;
  /** Ends it, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told at each step of a layer. */
  readonly onProgress?: (progress: LayerProgress) => void;
}

/** One of each for each layer asked for. */
export interface LayerScans {
  readonly scans: LayerScan[];
  /** Whether the scan is one of before. */
  readonly reused: boolean[];
}

/**
 * One scan a layer, bottom first; a blob that occurs twice is scanned once, one that the cache knows not at all. The
 * largest start first. @throws {ClipError} naming the layer.
 */
export async function scanLayers(
  layers: readonly LayerDescriptor[],
  blobs: BlobStore,
  options: ScanLayersOptions,
): Promise<LayerScans> {
  const numbers = new Map<string, number>();
  layers.forEach((layer, number) => {
    if (!numbers.has(layer.digest)) numbers.set(layer.digest, number);
  });
  const known = await readKnown(layers, [...numbers.values()], options);
  const learnt = new LearntBytes();
  const unknown = [...numbers.values()].filter((number) => !known.has(layers[number]!.digest));
  const scans = new Map([...known, ...await scanUnknown(layers, unknown, blobs, options)]);
  return {
    scans: layers.map((layer, number) => {
      const scan = scans.get(layer.digest)!;
      // Two mentions of one blob have one digest, but may differ in the rest.
      checkScan(layer, scan, layerName(layer, number));
      learnt.add(scan);
      return scan;
    }),
    reused: layers.map((layer) => known.has(layer.digest)),
  };
}

/** What the cache knows of these layers, by digest. */
async function readKnown(
  layers: readonly LayerDescriptor[],
  numbers: readonly number[],
  { cache, onProgress, log, signal, ...options }: ScanLayersOptions,
): Promise<Map<string, LayerScan>> {
  const known = new Map<string, LayerScan>();
  if (cache === undefined) return known;
  for (const number of numbers) {
    signal?.throwIfAborted();
    const { digest, sizeBytes } = layers[number]!;
    if (startsOf(layers[number]!, options).length > 0) continue;
    const scan = await cache.read(layers[number]!, options);
    if (scan === undefined) continue;
    try {
      checkKnown(scan, scanBounds(layers[number]!, options));
    } catch (error) {
      throw inLayer(error, layerName(layers[number]!, number), layers[number]!);
    }
    known.set(digest, scan);
    log.debug(`reused ${layerName(layers[number]!, number)}`, { entries: scan.entries.length });
    const { plainBytes } = scan;
    onProgress?.({
      layer: number,
      digest,
      compressedBytes: 0,
      totalBytes: sizeBytes,
      plainBytes,
      done: true,
      reused: true,
    });
  }
  return known;
}

/** The scans of these layers, by digest, each made by a thread that reads one layer after another. */
async function scanUnknown(
  layers: readonly LayerDescriptor[],
  numbers: readonly number[],
  blobs: BlobStore,
  options: ScanLayersOptions,
): Promise<Map<string, LayerScan>> {
  const queue = [...numbers].sort((a, b) => layers[b]!.sizeBytes - layers[a]!.sizeBytes);
  const scans = new Map<string, LayerScan>();
  const learnt = new LearntBytes();
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const threadCount = Math.min(options.jobs, queue.length);
  // A layer for each core keeps them all busy; with fewer, digesting is what another core can do.
  const largest = queue[0];
  const digestApart = largest !== undefined && threadCount < options.jobs &&
    layers[largest]!.sizeBytes >= LEAST_BYTES_DIGESTED_APART;
  const runThread = async () => {
    const thread = new LayerScanThread({ digestApart });
    const readLayer = async (job: LayerJob) => {
      const body = await thread.scan(job);
      // What follows takes memory of its own.
      if (queue.length === 0) thread.close();
      return body;
    };
    try {
      for (let number = queue.shift(); number !== undefined; number = queue.shift()) {
        const scan = await scanLayer(readLayer, layers[number]!, number, blobs, { ...options, signal });
        learnt.add(scan);
        scans.set(layers[number]!.digest, scan);
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    } finally {
      thread.close();
    }
  };
  const threads = Array.from({ length: threadCount }, runThread);
  const outcomes = await Promise.allSettled(threads);
  // The first failure stops the others; it is the one to tell of.
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return scans;
}

function layerName(layer: LayerDescriptor, number: number): string {
  return `layer ${number} (${layer.digest})`;
}

async function scanLayer(
  readLayer: (job: LayerJob) => Promise<Uint8Array>,
  layer: LayerDescriptor,
  number: number,
  blobs: BlobStore,
  options: ScanLayersOptions,
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
      reused: false,
    });
  report(false);
  try {
    const body = await readLayer({
      mediaType: layer.mediaType,
      key: layerIndexKey(layer, options),
      inflate: options.inflate ?? "kernel",
      bounds: scanBounds(layer, options),
      starts: startsOf(layer, options),
      chunks: blobs.layer(layer).stream({ ...(options.signal === undefined ? {} : { signal: options.signal }) }),
      onCompressed: (chunk) => {
        digester.update(chunk);
        compressedBytes += chunk.length;
        report(false);
      },
      onPlain: (bytes) => plainBytes = bytes,
    });
    const { scan } = decodeLayerBody(body, name);
    plainBytes = scan.plainBytes;
    checkDigest(layer, scan, { name, actualDigest: digester.digest() });
    checkScan(layer, scan, name);
    if (options.cache !== undefined && startsOf(layer, options).length === 0) {
      await options.cache.write(layer, options, scan, packLayerIndex(body));
    }
    logCheckpoints(name, scan, options.log);
    report(true);
    return scan;
  } catch (error) {
    throw inLayer(error, name, layer);
  }
}

function startsOf({ diffId }: LayerDescriptor, { starts }: Pick<ScanLayersOptions, "starts">): readonly number[] {
  return starts?.get(diffId) ?? [];
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

function inLayer(error: unknown, name: string, { mediaType }: LayerDescriptor): unknown {
  if (!(error instanceof ClipError)) return error;
  const absent = error.code === "not_found" && isNonDistributable(mediaType);
  if (!absent && error.message.includes(name)) return error;
  const why = absent ? ` is of a type that is not distributed (${mediaType}), and is not with the image` : "";
  const named = new ClipError(error.code, `${name}${why}: ${error.message}`, {
    cause: error.cause,
    retryable: error.retryable,
  });
  if (error.stack !== undefined) named.stack = error.stack;
  return named;
}
