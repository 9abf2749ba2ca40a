import { ClipError, formatDuration, messageOf, RangesIgnoredError } from "../base/mod.ts";
import type { SpanPart } from "./decode_messages.ts";
import type { Demand } from "./observer.ts";
import { firstDemand } from "./demand.ts";
import { transferMs } from "./fetch_runs.ts";
import { planRun, type Run } from "./read_plan.ts";
import { isContentError } from "./rests.ts";
import { AT_HAND, type HadSpan, RunFlight } from "./run_flight.ts";
import { RunFetcher, type RunFetcherParts } from "./run_fetcher.ts";

/** A read waits so many times as long as an answer may take: it may have to wait for others, and for a second try. */
const WAIT_DEADLINES = 2;

/** What timers can hold. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** How to want a span. */
export interface WantOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** What is needed of it: that may be had before the rest. */
  readonly part?: SpanPart | undefined;
}

/** A span that is wanted, by one or several. */
interface Want {
  readonly layer: number;
  readonly span: number;
  demand: Demand;
  /** What readers need of it; undefined where there are none. */
  part: SpanPart | undefined;
  /** Those who wait. */
  holders: number;
  /** How long a read may wait for it. */
  patienceMs: number;
  /** Where it is waited for. */
  flight: RunFlight | undefined;
  isAbandoned: boolean;
  promise: Promise<HadSpan>;
}

/**
 * Gets spans that are not at hand, each once for all who want it at the same time. Bytes that turn out wrong are fetched
 * again, and then, for readers, decoded from the start of the layer; what has failed for good rests for a while.
 */
export class SpanFetcher {
  #parts: RunFetcherParts;
  #runs: RunFetcher;
  #wants = new Map<number, Want>();
  #toldOfWholeLayers = new Set<number>();

  /** Nothing is started yet. */
  constructor(parts: RunFetcherParts) {
    this.#parts = parts;
    this.#runs = new RunFetcher(parts);
  }

  /**
   * A span that is not at hand.
   * @throws {ClipError} when it cannot be had; the reason of `signal`, whereupon it is not fetched if nobody else wants
   * it and its fetch has not begun.
   */
  async want(layer: number, span: number, demand: Demand, { signal, part }: WantOptions = {}): Promise<HadSpan> {
    signal?.throwIfAborted();
    const want = this.#wants.get(span) ?? this.#newWant(layer, span, demand, part);
    want.demand = firstDemand(want.demand, demand);
    want.part = union(want.part, part);
    if (want.flight !== undefined) this.#runs.raise(want.flight, want.demand);
    want.holders++;
    const stopped = Promise.withResolvers<never>();
    const onAbort = () => stopped.reject(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = demand === "read" ? new Patience(want, stopped.reject) : undefined;
    try {
      return await (signal === undefined && timer === undefined
        ? want.promise
        : Promise.race([want.promise, stopped.promise]));
    } finally {
      timer?.end();
      signal?.removeEventListener("abort", onAbort);
      if (--want.holders === 0) this.#abandon(want, signal?.reason);
    }
  }

  /** @see Content.warm */
  warm(): void {
    this.#runs.warm();
  }

  /** @see Content.settle */
  settle(): Promise<void> {
    return this.#runs.settle();
  }

  /** Gives everything up. */
  close(): void {
    this.#runs.close();
  }

  #newWant(layer: number, span: number, demand: Demand, part: SpanPart | undefined): Want {
    const promise = Promise.resolve() as Promise<never>;
    const want: Want = {
      layer,
      span,
      demand,
      part,
      holders: 0,
      patienceMs: 0,
      flight: undefined,
      isAbandoned: false,
      promise,
    };
    this.#wants.set(span, want);
    want.promise = this.#obtain(want).finally(() => this.#forget(want));
    want.promise.catch(() => {}); // told to those who wait
    return want;
  }

  #forget(want: Want): void {
    if (this.#wants.get(want.span) === want) this.#wants.delete(want.span);
  }

  /** Nobody waits for it any more, or it has been had. */
  #abandon(want: Want, reason: unknown): void {
    if (this.#wants.get(want.span) !== want) return;
    const { flight } = want;
    if (flight === undefined || flight.isUnderWay) return;
    // Whoever comes next is not to hear of this one's end.
    this.#forget(want);
    want.isAbandoned = true;
    this.#runs.leave(flight, want.span, reason ?? new ClipError("aborted", "nobody wants it any more"));
  }

  async #obtain(want: Want): Promise<HadSpan> {
    const { rests, options } = this.#parts;
    const resting = rests.ofSpan(want.span) ?? (options.offline ? undefined : rests.ofLayer(want.layer));
    if (resting !== undefined) throw resting;
    try {
      return await this.#tryAll(want);
    } catch (error) {
      const isOwnDoing = error instanceof ClipError && error.code === "aborted";
      // Of wrong bytes that nobody waited for, a reader may have better luck: see tryAll.
      const mayBeLuckier = isContentError(error) && want.demand !== "read";
      if (!want.isAbandoned && !isOwnDoing && !options.offline && !mayBeLuckier) {
        rests.failed(want.layer, want.span, error);
      }
      throw error;
    }
  }

  async #tryAll(want: Want): Promise<HadSpan> {
    const { options: { archive: { layers }, useCheckpoints, log }, rests } = this.#parts;
    const { layer, span } = want;
    if (!useCheckpoints) this.#tellOfWholeLayer(layer, "checkpoints are off");
    const run = planRun(layers, layer, span, !useCheckpoints);
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#fromRun(want, run);
      } catch (error) {
        if (error instanceof RangesIgnoredError) return await this.#fromWholeLayer(want, "its source has no ranges");
        // What nobody waits for is not worth more than one try: a reader will see to it.
        if (!isContentError(error) || want.demand !== "read") throw error;
        if (attempt === 1) {
          log.warn(`fetching again: ${messageOf(error)}`, { layer, span: span - layers.firstSpan[layer]! });
          continue;
        }
        if (run.checkpoint === layers.firstCheckpoint[layer]!) throw error;
        const isUnderWay = this.#runs.find(planRun(layers, layer, span, true)) !== undefined;
        if (!isUnderWay && !this.#parts.store.has(layer, span) && !rests.takeWholeLayer(layer)) throw error;
        return await this.#fromWholeLayer(want, `a checkpoint is unusable (${messageOf(error)})`);
      }
    }
  }

  /** A span out of the run of the whole layer, unless another such run has just left it in the cache. */
  async #fromWholeLayer(want: Want, reason: string): Promise<HadSpan> {
    const { options: { archive: { layers } }, store } = this.#parts;
    const { layer, span } = want;
    const whole = planRun(layers, layer, span, true);
    if (this.#runs.find(whole) === undefined && store.has(layer, span)) return AT_HAND;
    this.#tellOfWholeLayer(layer, reason);
    return await this.#fromRun(want, whole);
  }

  #tellOfWholeLayer(layer: number, reason: string): void {
    if (this.#toldOfWholeLayers.has(layer)) return;
    this.#toldOfWholeLayers.add(layer);
    this.#parts.options.log.warn(`inflating the whole of layer ${layer}: ${reason}`);
  }

  /** A span out of a run, joined where it is queued or under way. */
  async #fromRun(want: Want, run: Run): Promise<HadSpan> {
    const compressedBytes = run.compressedEndExclusive - run.compressedOffset;
    want.patienceMs += WAIT_DEADLINES * this.#parts.deadlineMs + transferMs(compressedBytes);
    for (;;) {
      let flight = this.#runs.find(run);
      if (flight === undefined) this.#runs.add(flight = new RunFlight(run, want.demand));
      if (!flight.hasPassed(want.span)) {
        want.flight = flight;
        this.#runs.raise(flight, want.demand);
        return await flight.span(want.span, want);
      }
      // It went by before anybody asked for it, or was left out of a prefetch.
      if (this.#parts.store.has(want.layer, want.span)) return AT_HAND;
      // Who waits for the end of a prefetch is not to wait behind all others.
      this.#runs.raise(flight, want.demand);
      await flight.ended;
    }
  }
}

function union(a: SpanPart | undefined, b: SpanPart | undefined): SpanPart | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { start: Math.min(a.start, b.start), endExclusive: Math.max(a.endExclusive, b.endExclusive) };
}

/** Ends a wait that takes longer than the want, as it stands by then, is worth. */
class Patience {
  #want: Want;
  #started = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #onEnd: (error: ClipError) => void;

  constructor(want: Want, onEnd: (error: ClipError) => void) {
    this.#want = want;
    this.#onEnd = onEnd;
    // A want that fails at once, since it rests, is not to be overtaken by this.
    this.#timer = setTimeout(() => this.#arm(), Math.min(want.patienceMs, MAX_TIMER_MS));
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const { patienceMs, layer } = this.#want;
    const leftMs = patienceMs - (performance.now() - this.#started);
    if (leftMs > 0) this.#timer = setTimeout(() => this.#arm(), Math.min(leftMs, MAX_TIMER_MS));
    else this.#onEnd(new ClipError("network", `layer ${layer}: nothing within ${formatDuration(patienceMs)}`));
  }
}
