import { Buffer } from "node:buffer";
import { statSync } from "node:fs";
import { LRUCache } from "lru-cache";
import { ClipError, LocalReaders, type Logger, messageOf, MIB, sha256Bytes } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { LayerCache, SpanCache } from "../cache/mod.ts";
import type { DataFile } from "./decode_messages.ts";
import { layerKey, layerUse } from "./layer_key.ts";
import type { Tier } from "./observer.ts";

/** In memory where there is a disk cache: what it could not take. */
const BESIDE_DISK_BYTES = 32 * MIB;
/** In memory where there is none. */
const WITHOUT_DISK_BYTES = 128 * MIB;

/** What a {@linkcode SpanStore} needs. */
export interface SpanStoreOptions {
  readonly archive: Archive;
  readonly cache: SpanCache | undefined;
  readonly memoryBytes: number | undefined;
  readonly log: Logger;
  /** A span of the disk cache was verified. */
  readonly onVerified: (layer: number, span: number) => void;
}

/**
 * The spans that are at hand: in the layers' cache files, and in memory, where what the files could not take is kept
 * for a while. Spans have archive-wide numbers here. What a file holds counts once it has been verified; after that any
 * part of it is read without looking at the rest.
 */
export class SpanStore {
  /** Which spans the files hold, verified; shared with the thread that reads them by itself. */
  readonly readers: LocalReaders;
  #archive: Archive;
  #options: SpanStoreOptions;
  #layers: ({ cache: LayerCache; file: DataFile | undefined } | undefined)[];
  #memory: LRUCache<number, Uint8Array>;
  #toldOfFailure = false;
  #isClosed = false;

  /** Opens nothing yet: caches are opened as layers are read. */
  constructor(options: SpanStoreOptions) {
    this.#archive = options.archive;
    this.#options = options;
    const { layers } = options.archive;
    this.readers = new LocalReaders(layers.firstSpan[layers.layerCount]!);
    this.#layers = Array.from({ length: layers.layerCount });
    const maxSize = options.memoryBytes ?? (options.cache === undefined ? WITHOUT_DISK_BYTES : BESIDE_DISK_BYTES);
    this.#memory = new LRUCache({ maxSize, sizeCalculation: (bytes) => Math.max(bytes.length, 1) });
  }

  /**
   * Fills `target` from byte `offset` of a span; where from, or undefined where it is not at hand. The first time that
   * a span of the cache file is read, all of it is, to verify it.
   */
  read(layer: number, span: number, offset: number, target: Uint8Array): Tier | undefined {
    const inMemory = this.#memory.get(span);
    if (inMemory !== undefined) {
      target.set(inMemory.subarray(offset, offset + target.length));
      return "memory";
    }
    const cache = this.layerCache(layer);
    if (cache === undefined) return undefined;
    if (!this.readers.isVerified(span) && !this.#verify(layer, span, cache)) return undefined;
    if (cache.read(this.#archive.layers.spanOffsets[span]! + offset, target)) return "disk";
    this.#forget(layer, span, cache);
    return undefined;
  }

  /** Whether it seems to be at hand: in memory, or present in the cache file, verified or not. */
  has(layer: number, span: number): boolean {
    return this.readers.isVerified(span) || this.#memory.has(span) ||
      (this.layerCache(layer)?.has(this.#inLayer(layer, span)) ?? false);
  }

  #verify(layer: number, span: number, cache: LayerCache): boolean {
    const { layers } = this.#archive;
    if (!cache.has(this.#inLayer(layer, span))) return false;
    const start = layers.spanOffsets[span]!;
    const bytes = new Uint8Array(layers.spanEnd(layer, span) - start);
    if (cache.read(start, bytes) && Buffer.compare(sha256Bytes(bytes), layers.spanDigest(span)) === 0) {
      this.#setVerified(span);
      this.#options.onVerified(layer, span);
      return true;
    }
    this.#forget(layer, span, cache);
    return false;
  }

  #forget(layer: number, span: number, cache: LayerCache): void {
    const number = this.#inLayer(layer, span);
    const fields = { layer, span: number, file: cache.dataPath };
    this.#options.log.warn("a cached span is damaged and will be fetched again", fields);
    this.readers.setUnknown(span);
    cache.forget(number);
  }

  /** Where decode Workers may write the spans of a layer; undefined where they cannot. */
  dataFile(layer: number): DataFile | undefined {
    return this.layerCache(layer) === undefined ? undefined : this.#layers[layer]!.file;
  }

  /** Makes room for spans, [firstSpan, endSpan), in the cache file; false where they cannot be kept there. */
  admit(layer: number, firstSpan: number, endSpan: number): boolean {
    return this.layerCache(layer)?.admit(this.#inLayer(layer, firstSpan), this.#inLayer(layer, endSpan)) ?? false;
  }

  /** Verified spans have been written to the cache file: they are at hand, unless the file has lost them already. */
  noteInFile(layer: number, firstSpan: number, endSpan: number): void {
    if (!this.layerCache(layer)?.note(this.#inLayer(layer, firstSpan), this.#inLayer(layer, endSpan))) return;
    for (let span = firstSpan; span < endSpan; span++) this.#setVerified(span);
  }

  /** Keeps a verified span, which must not change afterwards: in the cache file, or in memory where that fails. */
  keep(layer: number, span: number, bytes: Uint8Array): void {
    const cache = this.layerCache(layer);
    try {
      if (cache !== undefined) {
        cache.write(this.#inLayer(layer, span), this.#archive.layers.spanOffsets[span]!, bytes);
        this.#setVerified(span);
        return;
      }
    } catch (error) {
      // Of being full the cache tells by itself.
      if (!(error instanceof ClipError && error.code === "limit")) this.tellOfFailure(messageOf(error));
    }
    this.#memory.set(span, bytes);
  }

  /** Keeps a verified span that could not be written. */
  keepInMemory(span: number, bytes: Uint8Array): void {
    this.#memory.set(span, bytes);
  }

  /** Takes the right to fetch a span, against other processes. @see LayerCache.claim */
  claim(layer: number, span: number): boolean {
    return this.layerCache(layer)?.claim(this.#inLayer(layer, span)) ?? true;
  }

  /** Gives it back, and with it the room that was made for spans that have not been written: [firstSpan, endSpan). */
  release(layer: number, firstSpan: number, endSpan: number): void {
    for (let span = firstSpan; span < endSpan; span++) this.#layers[layer]?.cache.release(this.#inLayer(layer, span));
  }

  /** The cache of a layer; undefined where it cannot be used (which is logged once): reads then go on without it. */
  layerCache(layer: number): LayerCache | undefined {
    if (this.#isClosed || this.#options.cache === undefined) return undefined;
    const open = this.#layers[layer];
    if (open !== undefined) return open.cache;
    try {
      const key = layerKey(this.#archive, layer);
      const cache = this.#options.cache.openLayer(key, layerUse(this.#archive, layer, this.readers));
      this.#layers[layer] = { cache, file: identify(cache.openPath, key.plainBytes) };
      return cache;
    } catch (error) {
      this.tellOfFailure(messageOf(error));
      return undefined;
    }
  }

  /** Says, once, that a cache does not do its work. */
  tellOfFailure(problem: string): void {
    if (this.#toldOfFailure) return;
    this.#toldOfFailure = true;
    this.#options.log.warn(`going on without the cache where it fails: ${problem}`);
  }

  /** Lets go of files. Nothing is at hand afterwards but what is in memory. */
  close(): void {
    this.#isClosed = true;
    for (const open of this.#layers) open?.cache.close();
    this.#layers.fill(undefined);
  }

  #inLayer(layer: number, span: number): number {
    return span - this.#archive.layers.firstSpan[layer]!;
  }

  #setVerified(span: number): void {
    if (!this.#isClosed) this.readers.setVerified(span);
  }
}

function identify(path: string | undefined, plainBytes: number): DataFile | undefined {
  if (path === undefined) return undefined;
  try {
    const { dev, ino } = statSync(path);
    return { path, device: dev, inode: ino, sizeBytes: plainBytes };
  } catch {
    return undefined;
  }
}
