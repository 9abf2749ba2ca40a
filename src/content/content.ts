import { ClipError, displayByteString, type LocalReaders, messageOf, sleep } from "../base/mod.ts";
import { type Archive, SPARSE_LAYER } from "../archive/mod.ts";
import type { LayerCache } from "../cache/mod.ts";
import type { ContentOptions, PrefetchOptions, ReadOptions, SpanRange } from "./content_options.ts";
import { type ContentCounters, newCounters } from "./counters.ts";
import { type Tier, TIERS } from "./observer.ts";
import { prefetch } from "./prefetch.ts";
import { ReadAhead } from "./read_ahead.ts";
import { planRead } from "./read_plan.ts";
import { Rests } from "./rests.ts";
import { SpanFetcher } from "./span_fetcher.ts";
import { SpanStore } from "./span_store.ts";

const DEADLINE_MS = 30_000;
/** A span that was had and is gone again when it is looked at is got again so many times. */
const MAX_TRIES = 10;
/** Decoders write what they have given away within milliseconds, unless the disk or the machine is very busy. */
const SETTLE_TIMEOUT_MS = 1000;

/** A part of a read that lies in one span. */
interface Part {
  readonly layer: number;
  readonly span: number;
  /** Of its first byte in the span. */
  readonly offset: number;
  readonly target: Uint8Array;
}

/**
 * The files' contents: reads are answered from what is at hand, or fetched, decoded, verified, kept and then answered.
 * All bytes that come out have been verified against the archive's digests since this object was made. Concurrent
 * reads of one span share one fetch.
 *
 *     read ──▶ SpanStore: cache files, memory
 *       └────▶ SpanFetcher: each span once ──▶ RunFetcher: queue, claims, remote cache ──▶ fetchRuns ──▶ DecodePool
 *
 * What is asked for is a span; what is fetched is a run (see read_plan.ts), together with those that follow it where they
 * are wanted too; what is decoded is again a run, in a thread of the pool that verifies its spans and writes them to the
 * cache file itself. So this thread only passes on what arrives, and the compressed bytes of one run are decoded while
 * those of the next arrive.
 *
 * Who goes through a file gets what is next before asking for it ({@linkcode ReadAhead}). The thread that serves a mount
 * answers by itself what is at hand, unseen from here; it tells of the spans that `notify` is set for, once each.
 */
export class Content {
  /** The archive whose files are read. */
  readonly archive: Archive;
  /** What reading has cost so far. */
  readonly counters: ContentCounters = newCounters();
  /**
   * What is shared with a thread that serves reads from the cache files by itself. A span is set `verified` in the same
   * turn in which the cache said that it has it.
   */
  readonly localReaders: LocalReaders;
  #options: ContentOptions;
  #store: SpanStore;
  #fetcher: SpanFetcher;
  #readAhead: ReadAhead;
  #touched: Uint8Array;
  #lastLoggedError: unknown;

  /** Opens nothing yet: caches are opened as layers are read. */
  constructor(options: ContentOptions) {
    const { archive, log, observer } = options;
    this.#options = options;
    this.archive = archive;
    const { counters } = this;
    this.#store = new SpanStore({
      archive,
      cache: options.cache,
      memoryBytes: options.memoryBytes,
      log,
      onVerified: (layer, span) => {
        counters.cachedSpans++;
        observer?.onSpan?.(layer, span, "disk");
      },
    });
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#fetcher = new SpanFetcher({ options, store: this.#store, rests: new Rests(), counters, deadlineMs });
    this.#readAhead = new ReadAhead(archive.layers);
    this.localReaders = this.#store.readers;
    this.#touched = new Uint8Array(this.localReaders.spanStates.length);
  }

  /**
   * Reads [offset, offset + length) of a file to `target` at `at`, as far as the file goes; the number of bytes.
   * @throws {ClipError} when the bytes cannot be had or cannot be verified; the reason of the signal. `target` is then
   * undefined in that range.
   */
  async read(
    inode: number,
    offset: number,
    length: number,
    target: Uint8Array,
    at: number,
    { signal, pid }: ReadOptions = {},
  ): Promise<number> {
    const started = performance.now();
    const bytes = Math.max(0, Math.min(length, this.archive.tree.sizeBytes(inode) - offset));
    // What no part covers.
    if (this.archive.tree.columns.layer[inode] === SPARSE_LAYER) target.fill(0, at, at + bytes);
    const tiers: Tier[] = ["memory"];
    let failed: { error: unknown } | undefined;
    const missing: Promise<void>[] = [];
    for (const part of this.#parts(inode, offset, target.subarray(at, at + bytes))) {
      this.touched(inode, part.layer, part.span);
      const tier = this.#store.read(part.layer, part.span, part.offset, part.target);
      if (tier !== undefined) tiers.push(tier);
      else {
        const got = this.#get(part, signal).then((tier) => void tiers.push(tier));
        missing.push(got.catch((error) => this.#tellOfFailure(inode, part, failed ??= { error }, signal)));
      }
    }
    // All of them, even if one fails: nothing is to be written to the target afterwards.
    if (missing.length > 0) await Promise.all(missing);
    if (failed === undefined) this.counters.servedBytes += bytes;
    const tier = TIERS[Math.max(...tiers.map((tier) => TIERS.indexOf(tier)))]!;
    const durationMs = performance.now() - started;
    this.#options.observer?.onRead?.({
      inode,
      offset,
      lengthBytes: bytes,
      ...(pid === undefined ? {} : { pid }),
      tier,
      durationMs,
      ...failed,
    });
    if (failed !== undefined) throw (failed as { error: unknown }).error;
    return bytes;
  }

  /** The parts of a read in the order of the file; what none covers is zeros. */
  *#parts(inode: number, offset: number, target: Uint8Array): Generator<Part> {
    const { layers, tree } = this.archive;
    for (const { layer, plainOffset, lengthBytes, targetOffset } of planRead(tree, inode, offset, target.length)) {
      let span = layers.spanAt(layer, plainOffset);
      for (let done = 0; done < lengthBytes; span++) {
        const inSpan = plainOffset + done - layers.spanOffsets[span]!;
        const take = Math.min(lengthBytes - done, layers.spanEnd(layer, span) - plainOffset - done);
        const start = targetOffset + done;
        yield { layer, span, offset: inSpan, target: target.subarray(start, start + take) };
        done += take;
      }
    }
  }

  async #get({ layer, span, offset, target }: Part, signal: AbortSignal | undefined): Promise<Tier> {
    const part = { start: offset, endExclusive: offset + target.length };
    for (let attempt = 1;; attempt++) {
      const had = await this.#fetcher.want(layer, span, "read", { signal, part });
      const { bytes, tier } = had;
      if (bytes !== undefined) {
        if (had.offset <= offset && part.endExclusive <= had.offset + bytes.length) {
          target.set(bytes.subarray(offset - had.offset, part.endExclusive - had.offset));
          return tier;
        }
        // Given for others, who came before: the rest is about to be in the store.
      } else if (this.#store.read(layer, span, offset, target) !== undefined) return tier;
      if (attempt >= MAX_TRIES) throw new ClipError("io", `span ${span} went away ${MAX_TRIES} times`);
    }
  }

  #tellOfFailure(inode: number, { layer, span }: Part, { error }: { error: unknown }, signal?: AbortSignal): void {
    if (signal?.aborted && error === signal.reason) return;
    // While a failure rests, readers that poll would fill the log with it.
    const repeated = error === this.#lastLoggedError;
    this.#lastLoggedError = error;
    const path = displayByteString(this.archive.tree.path(inode));
    const fields = { layer, span: span - this.archive.layers.firstSpan[layer]! };
    this.#options.log[repeated ? "debug" : "error"](`cannot read ${path}: ${messageOf(error)}`, fields);
  }

  /**
   * A reader of a file has touched a span, wherever it was answered from: the thread that serves a mount tells of spans
   * that `notify` was set for.
   */
  touched(inode: number, layer: number, span: number): void {
    this.localReaders.takeNotify(span);
    if (this.#touched[span] === 0) {
      this.#touched[span] = 1;
      this.#options.observer?.onFirstTouch?.(layer, span);
    }
    const ahead = this.#readAhead.touch(inode, layer, span, this.#endSpan(inode, layer, span));
    if (ahead === undefined) return;
    this.localReaders.setNotify(ahead.firstSpan);
    for (let next = ahead.firstSpan; next < ahead.endSpan; next++) {
      // Who reads there will be told why it cannot be had.
      if (!this.#store.has(layer, next)) this.#fetcher.want(layer, next, "readahead").catch(() => {});
    }
  }

  /** One past the last span of a layer that has data of a file; of sparse files, whose data lie anywhere, no other. */
  #endSpan(inode: number, layer: number, span: number): number {
    const { layers, tree } = this.archive;
    if (tree.columns.layer[inode] === SPARSE_LAYER) return span + 1;
    return layers.spanAt(layer, tree.plainOffset(inode) + tree.sizeBytes(inode) - 1) + 1;
  }

  /** Has threads ready, and the source open, for reads that are about to come. Asks the source for nothing. */
  warm(): void {
    if (this.#options.offline || this.archive.layers.layerCount === 0) return;
    this.#fetcher.warm();
    // Who reads will be told why it cannot be had.
    (async () => await this.#options.blob(0))().catch(() => {});
  }

  /** From now on the observer hears of each span's first touch, of those too that the serving thread answers. */
  watchTouches(): void {
    for (let span = 0; span < this.#touched.length; span++) this.localReaders.setNotify(span);
  }

  /**
   * Brings spans to the cache that nobody waits for yet, in order, several with one request where they are neighbours.
   * `ranges` are of archive-wide span numbers; what is cached is passed over. Readers go first. `onProgress` is told how
   * many spans are done, of how many.
   * @throws {ClipError} the first failure, after which nothing more is asked for; the reason of `signal`.
   */
  async prefetch(ranges: Iterable<SpanRange>, options: PrefetchOptions = {}): Promise<void> {
    await prefetch(
      this.archive.layers,
      {
        has: (layer, span) => this.#store.has(layer, span),
        fetch: (layer, span, signal) => this.#fetcher.want(layer, span, "prefetch", { signal }),
      },
      ranges,
      options,
    );
  }

  /** Whether the cache file holds a span, verified or not. */
  isCached(layer: number, span: number): boolean {
    return this.layerCache(layer)?.has(span - this.archive.layers.firstSpan[layer]!) ?? false;
  }

  /** The cache of a layer; undefined where it cannot be used (which is logged once): reads then go on without it. */
  layerCache(layer: number): LayerCache | undefined {
    return this.#store.layerCache(layer);
  }

  /**
   * Resolves when what readers have been given is in the cache as well, a moment later; at the latest after a second.
   * For who is about to close it.
   */
  async settle(): Promise<void> {
    const ending = new AbortController();
    await Promise.race([this.#fetcher.settle(), sleep(SETTLE_TIMEOUT_MS, ending.signal).catch(() => {})]);
    ending.abort();
  }

  /** Ends what is under way, which fails, and closes the caches. */
  close(): void {
    this.#fetcher.close();
    this.#store.close();
  }
}
