import { Buffer } from "node:buffer";
import { LRUCache } from "lru-cache";
import {
  ClipError,
  displayByteString,
  formatDuration,
  type Logger,
  messageOf,
  MIB,
  sha256Bytes,
  SingleFlight,
} from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { LayerCache } from "../cache/mod.ts";
import type { ContentOptions, PrefetchOptions, SpanRange } from "./content_options.ts";
import { type ContentCounters, newCounters } from "./counters.ts";
import { layerKey, layerUse } from "./layer_key.ts";
import { LocalReaders, SpanState } from "./local_readers.ts";
import { planRead, planRun, type Run } from "./read_plan.ts";
import { decodeRun } from "./run_decoder.ts";
import { RunFlight } from "./run_flight.ts";

/** Spans just decoded or verified, kept for the reads that come next and for where no cache can hold them. */
const RECENT_BYTES = 32 * MIB;
/** A span whose bytes are not the layer's, however they were fetched, fails at once for so long. */
const CORRUPT_REST_MS = 10_000;
/** A layer is inflated from its start for the sake of an unusable checkpoint no more often than this. */
const WHOLE_LAYER_REST_MS = 60_000;
/**
 * After a fetch has failed, retries included, further reads of the layer fail at once for so long: the kernel asks
 * again, page by page, for a read-ahead that failed.
 */
const UNREACHABLE_REST_MS = 1000;

/** A fetch over a link of this speed, 64 KiB a second, still meets its deadline. */
const SLOWEST_LINK_BYTES_PER_MS = 64;

/**
 * The files' contents: reads are answered from the cache, or fetched, decoded, verified, cached and then answered.
 * All bytes that come out have been verified against the archive's digests since this object was made. Concurrent
 * reads of one span share one fetch.
 */
export class Content {
  /** The archive whose files are read. */
  readonly archive: Archive;
  /** What reading has cost so far. */
  readonly counters: ContentCounters = newCounters();
  /** What is shared with a thread that serves reads from the cache files by itself. */
  readonly localReaders: LocalReaders;
  /** Those of `localReaders`: `verified` is set in the same turn in which the cache said that it has the span. */
  readonly spanStates: Uint8Array<SharedArrayBuffer>;
  #options: ContentOptions;
  #log: Logger;
  #caches: (LayerCache | undefined)[];
  #recent: LRUCache<number, Uint8Array>;
  #spanFlights = new SingleFlight<number, Uint8Array>();
  #runs = new Map<number, RunFlight>();
  /** By span: corrupt. By −1 − layer: unreachable. */
  #restUntil = new Map<number, { time: number; error: unknown }>();
  #lastLoggedError: unknown;
  #wholeLayerUntil = new Map<number, number>();
  #toldOfCacheFailure = false;
  #isClosed = false;
  #toldOfWholeLayers = new Set<number>();

  /** Opens nothing yet: caches are opened as layers are read. */
  constructor(options: ContentOptions) {
    this.#options = options;
    this.#log = options.log;
    this.archive = options.archive;
    const { layers } = options.archive;
    this.localReaders = new LocalReaders(layers.firstSpan[layers.layerCount]!);
    this.spanStates = this.localReaders.spanStates;
    this.#caches = Array.from({ length: layers.layerCount });
    this.#recent = new LRUCache({ maxSize: RECENT_BYTES, sizeCalculation: (bytes) => Math.max(bytes.length, 1) });
  }

  /**
   * Reads [offset, offset + length) of a file to `target` at `at`, as far as the file goes; the number of bytes.
   * @throws {ClipError} when the bytes cannot be had or cannot be verified; `target` is then undefined in that range.
   */
  async read(inode: number, offset: number, length: number, target: Uint8Array, at: number): Promise<number> {
    const bytes = Math.max(0, Math.min(length, this.archive.tree.sizeBytes(inode) - offset));
    target.fill(0, at, at + bytes);
    for (const piece of planRead(this.archive.tree, inode, offset, bytes)) {
      const start = at + piece.targetOffset;
      await this.#readLayer(piece.layer, piece.plainOffset, target.subarray(start, start + piece.lengthBytes), inode);
    }
    this.counters.servedBytes += bytes;
    return bytes;
  }

  async #readLayer(layer: number, plainOffset: number, target: Uint8Array, inode: number): Promise<void> {
    const { layers } = this.archive;
    for (let at = 0; at < target.length;) {
      const span = layers.spanAt(layer, plainOffset + at);
      const inSpan = plainOffset + at - layers.spanOffsets[span]!;
      const take = Math.min(target.length - at, layers.spanEnd(layer, span) - plainOffset - at);
      let bytes: Uint8Array;
      try {
        bytes = await this.span(layer, span);
      } catch (error) {
        const path = displayByteString(this.archive.tree.path(inode));
        // While a failure rests, readers that poll would fill the log with it.
        const repeated = error === this.#lastLoggedError;
        this.#lastLoggedError = error;
        const fields = { layer, span: span - layers.firstSpan[layer]! };
        this.#log[repeated ? "debug" : "error"](`cannot read ${path}: ${messageOf(error)}`, fields);
        throw error;
      }
      target.set(bytes.subarray(inSpan, inSpan + take), at);
      at += take;
    }
  }

  /** The verified bytes of span number `span` (archive-wide) of `layer`; not to be changed. @throws as `read`. */
  span(layer: number, span: number): Promise<Uint8Array> {
    const recent = this.#recent.get(span);
    if (recent !== undefined) return Promise.resolve(recent);
    return this.#spanFlights.run(span, async () => {
      const bytes = this.#fromCache(layer, span) ?? await this.#fromSource(layer, span);
      this.#recent.set(span, bytes);
      return bytes;
    });
  }

  /**
   * Brings spans into the cache that nobody waits for yet, in order. `ranges` are of archive-wide span numbers; what is
   * cached is passed over. Readers go first. `onProgress` is told how many spans are done, of how many.
   * @throws {ClipError} the first failure, after which nothing more is fetched; the reason of `signal`.
   */
  async prefetch(ranges: Iterable<SpanRange>, options: PrefetchOptions = {}): Promise<void> {
    const wanted = [...ranges];
    const spans = wanted.reduce((sum, { firstSpan, endSpan }) => sum + endSpan - firstSpan, 0);
    let done = 0;
    for (const { layer, firstSpan, endSpan } of wanted) {
      for (let span = firstSpan; span < endSpan; span++) {
        options.signal?.throwIfAborted();
        if (this.spanStates[span] !== SpanState.verified) await this.span(layer, span);
        options.onProgress?.(++done, spans);
      }
    }
  }

  #fromCache(layer: number, span: number): Uint8Array | undefined {
    const { layers } = this.archive;
    const cache = this.layerCache(layer);
    const number = span - layers.firstSpan[layer]!;
    if (cache === undefined || !cache.has(number)) return undefined;
    const start = layers.spanOffsets[span]!;
    const bytes = new Uint8Array(layers.spanEnd(layer, span) - start);
    if (cache.read(start, bytes) && Buffer.compare(sha256Bytes(bytes), layers.spanDigest(span)) === 0) {
      this.spanStates[span] = SpanState.verified;
      this.counters.cachedSpans++;
      return bytes;
    }
    this.#log.warn("a cached span is damaged and will be fetched again", { layer, span: number, file: cache.dataPath });
    this.spanStates[span] = SpanState.unknown;
    cache.forget(number);
    return undefined;
  }

  async #fromSource(layer: number, span: number): Promise<Uint8Array> {
    for (const key of [span, -1 - layer]) {
      const resting = this.#restUntil.get(key);
      if (resting === undefined) continue;
      if (resting.time > Date.now()) throw resting.error;
      this.#restUntil.delete(key);
    }
    try {
      return await this.#fetchSpan(layer, span);
    } catch (error) {
      const corrupt = isContentError(error);
      const restMs = corrupt ? CORRUPT_REST_MS : UNREACHABLE_REST_MS;
      this.#restUntil.set(corrupt ? span : -1 - layer, { time: Date.now() + restMs, error });
      throw error;
    }
  }

  async #fetchSpan(layer: number, span: number): Promise<Uint8Array> {
    const { layers } = this.archive;
    const wholeLayer = !this.#options.useCheckpoints;
    if (wholeLayer) this.#tellOfWholeLayer(layer, "checkpoints are off");
    const run = planRun(layers, layer, span, wholeLayer);
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#fromRun(run, span);
      } catch (error) {
        if (!isContentError(error)) throw error;
        if (attempt === 1) {
          this.#log.warn(`fetching again: ${messageOf(error)}`, { layer, span: span - layers.firstSpan[layer]! });
          continue;
        }
        if (run.checkpoint === layers.firstCheckpoint[layer]!) throw error;
        const whole = planRun(layers, layer, span, true);
        if (!this.#mayInflate(whole)) {
          const bytes = this.#fromCache(layer, span);
          if (bytes === undefined) throw error;
          return bytes;
        }
        this.#tellOfWholeLayer(layer, `a checkpoint is unusable (${messageOf(error)})`);
        return await this.#fromRun(whole, span);
      }
    }
  }

  /** Whether a whole layer may be inflated: now and then, and joined whenever it is under way. */
  #mayInflate(whole: Run): boolean {
    if (this.#runs.has(this.#runKey(whole))) return true;
    if ((this.#wholeLayerUntil.get(whole.layer) ?? 0) > Date.now()) return false;
    this.#wholeLayerUntil.set(whole.layer, Date.now() + WHOLE_LAYER_REST_MS);
    return true;
  }

  #tellOfWholeLayer(layer: number, reason: string): void {
    if (this.#toldOfWholeLayers.has(layer)) return;
    this.#toldOfWholeLayers.add(layer);
    this.#log.warn(`inflating the whole of layer ${layer}: ${reason}`);
  }

  /** A span out of a run, joined where it is under way. */
  async #fromRun(run: Run, span: number): Promise<Uint8Array> {
    for (;;) {
      const flight = this.#runFlight(run);
      if (!flight.hasPassed(span)) return await flight.span(span);
      // It went by before anybody asked for it.
      const bytes = this.#recent.get(span) ?? this.#fromCache(run.layer, span);
      if (bytes !== undefined) return bytes;
      await flight.ended;
    }
  }

  /** The run under way from that checkpoint, or a new one. */
  #runFlight(run: Run): RunFlight {
    const key = this.#runKey(run);
    let flight = this.#runs.get(key);
    if (flight === undefined) {
      flight = new RunFlight((onSpan) => this.#decode(run, onSpan), () => this.#runs.delete(key));
      this.#runs.set(key, flight);
    }
    return flight;
  }

  /** A whole-layer run and the run from the first checkpoint share the checkpoint, but not the extent. */
  #runKey(run: Run): number {
    return run.checkpoint * 2 + (run.endSpan === this.archive.layers.firstSpan[run.layer + 1] ? 1 : 0);
  }

  async #decode(run: Run, onSpan: (span: number, bytes: Uint8Array) => void): Promise<void> {
    const { layers } = this.archive;
    const oneSpan = run.endSpan - run.firstSpan === 1;
    const compressedBytes = run.compressedEndExclusive - run.compressedOffset;
    const deadlineMs = (this.#options.deadlineMs ?? 30_000) + compressedBytes / SLOWEST_LINK_BYTES_PER_MS;
    const deadline = oneSpan ? AbortSignal.timeout(deadlineMs) : undefined;
    const source = await this.#options.blob(run.layer);
    const started = performance.now();
    await decodeRun(this.archive, run, source, {
      onRequest: (bytes) => {
        this.counters.requests++;
        this.counters.fetchedBytes += bytes;
        this.#log.debug("fetching", {
          layer: run.layer,
          firstSpan: run.firstSpan - layers.firstSpan[run.layer]!,
          spans: run.endSpan - run.firstSpan,
          offset: run.compressedOffset,
          bytes,
          plainBytes: run.plainBytes,
        });
      },
      onSpan: (span, bytes) => {
        this.counters.decodedSpans++;
        this.counters.decodedBytes += bytes.length;
        // What no cache holds is at least kept for those who read on.
        if (!this.#store(run.layer, span, bytes)) this.#recent.set(span, bytes);
        onSpan(span, bytes);
      },
    }, { signal: deadline, inflate: this.#options.inflate }).catch((error) => {
      if (deadline === undefined || error !== deadline.reason) throw error;
      throw new ClipError("network", `${source.description}: no answer within ${formatDuration(deadlineMs)}`);
    });
    const durationMs = Math.round(performance.now() - started);
    this.#log.debug("fetched", {
      layer: run.layer,
      firstSpan: run.firstSpan - layers.firstSpan[run.layer]!,
      durationMs,
    });
  }

  /** Whether the cache has it now. */
  #store(layer: number, span: number, bytes: Uint8Array): boolean {
    const { layers } = this.archive;
    const cache = this.layerCache(layer);
    if (cache === undefined) return false;
    try {
      cache.write(span - layers.firstSpan[layer]!, layers.spanOffsets[span]!, bytes);
      this.spanStates[span] = SpanState.verified;
      return true;
    } catch (error) {
      this.#tellOfCacheFailure(error);
      return false;
    }
  }

  /** The cache of a layer; undefined where it cannot be used (which is logged once): reads then go on without it. */
  layerCache(layer: number): LayerCache | undefined {
    if (this.#isClosed) return undefined;
    try {
      return this.#caches[layer] ??= this.#options.cache.openLayer(
        layerKey(this.archive, layer),
        layerUse(this.archive, layer, this.localReaders),
      );
    } catch (error) {
      this.#tellOfCacheFailure(error);
      return undefined;
    }
  }

  #tellOfCacheFailure(error: unknown): void {
    // Of that the cache itself tells.
    if (error instanceof ClipError && error.code === "limit") return;
    if (this.#toldOfCacheFailure) return;
    this.#toldOfCacheFailure = true;
    this.#log.warn(`going on without the cache where it fails: ${messageOf(error)}`);
  }

  /** Closes the caches. Reads under way go on without them, or fail. */
  close(): void {
    this.#isClosed = true;
    for (const cache of this.#caches) cache?.close();
    this.#caches.fill(undefined);
  }
}

/** The source answered, but with bytes that are not the layer's: fetching again or decoding from elsewhere may help. */
function isContentError(error: unknown): boolean {
  return error instanceof ClipError && (error.code === "corrupt" || error.code === "digest_mismatch");
}
