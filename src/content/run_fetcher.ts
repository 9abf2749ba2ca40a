import { ClipError, type RangeSource, sleep } from "../base/mod.ts";
import type { ContentOptions } from "./content_options.ts";
import type { ContentCounters } from "./counters.ts";
import { DecodePool } from "./decode_pool.ts";
import { fetchRuns, type RunRequest } from "./fetch_runs.ts";
import { FlightQueue } from "./flight_queue.ts";
import type { Demand, Tier } from "./observer.ts";
import { planRun, type Run } from "./read_plan.ts";
import { isContentError, type Rests } from "./rests.ts";
import { AT_HAND, consecutive, type RunFlight } from "./run_flight.ts";
import type { SpanStore } from "./span_store.ts";

/** Requests to the source at a time. */
const MAX_REQUESTS = 8;
/** Of them, those that nobody waits for. */
const MAX_BACKGROUND_REQUESTS = 2;
/** Runs that follow one another are asked for together, up to so many plain bytes: more gains nothing measurable. */
const MAX_REQUEST_PLAIN_BYTES = 32 * 1024 * 1024;
/** How soon, and then how seldom, to look whether another process has fetched what it has the right to. */
const FIRST_POLL_MS = 5;
const LAST_POLL_MS = 200;
/** Runs of more spans than this are looked for in the remote cache only as far as somebody waits for them. */
const MAX_REMOTE_SPANS = 64;

const NOTHING: Uint8Array = new Uint8Array(0);

/** What a {@linkcode RunFetcher} works with. */
export interface RunFetcherParts {
  readonly options: ContentOptions;
  readonly store: SpanStore;
  readonly rests: Rests;
  readonly counters: ContentCounters;
  /** How long an answer may take. */
  readonly deadlineMs: number;
}

/**
 * Brings runs to where they are wanted: queued, claimed against other processes of the machine, looked for in the remote
 * cache, and else fetched, several with one request where they follow one another. Reads go before read-aheads, those
 * before prefetches.
 */
export class RunFetcher {
  #parts: RunFetcherParts;
  #pool: DecodePool;
  #queue = new FlightQueue();
  #flights = new Map<number, RunFlight>();
  #requests = 0;
  #backgroundRequests = 0;
  #isScheduled = false;
  #closing = new AbortController();

  /** Nothing is started yet. */
  constructor(parts: RunFetcherParts) {
    this.#parts = parts;
    const { log, decodeWorkers: workers, onIdle } = parts.options;
    this.#pool = new DecodePool({ log, workers, onIdle });
  }

  /** The flight for that run that is queued or under way, if there is one. */
  find(run: Run): RunFlight | undefined {
    return this.#flights.get(this.#key(run));
  }

  /** Queues a flight; there must be none for its run. */
  add(flight: RunFlight): void {
    this.#flights.set(flight.key = this.#key(flight.run), flight);
    if (this.#closing.signal.aborted) return this.#over(flight, this.#closing.signal.reason);
    this.#pool.warmSoon();
    this.#queue.add(flight, { joinable: !this.#isWhole(flight.run) });
    this.#schedule();
  }

  /** Makes a flight as urgent as `demand`, if it is not yet: there may be room for it now. */
  raise(flight: RunFlight, demand: Demand): void {
    flight.raise(demand);
    if (!flight.isUnderWay) this.#schedule();
  }

  /** Nobody waits for a span any more: its flight is taken back, if it has not begun and is of no use to others. */
  leave(flight: RunFlight, span: number, reason: unknown): void {
    if (flight.isUnderWay || flight.isOver) return;
    flight.leave(span, reason);
    if (flight.waiting > 0) return;
    this.#queue.remove(flight);
    this.#over(flight, reason);
  }

  /** @see Content.warm */
  warm(): void {
    this.#pool.warm();
  }

  /** Resolves when what readers have been given is in the cache as well. Never rejects. */
  async settle(): Promise<void> {
    await Promise.all([...this.#flights.values()].map((flight) => flight.settled()));
  }

  /** Gives everything up. */
  close(): void {
    const error = new ClipError("aborted", "closed while it was read");
    this.#closing.abort(error);
    for (const flight of [...this.#flights.values()]) {
      this.#queue.remove(flight);
      // A source may take its time to notice.
      this.#over(flight, error);
    }
    this.#pool.close();
  }

  /** A whole layer and the run from its first checkpoint share the checkpoint, but not the extent. */
  #key(run: Run): number {
    return run.checkpoint * 2 + (this.#isWhole(run) ? 1 : 0);
  }

  #isWhole(run: Run): boolean {
    const { firstSpan } = this.#parts.options.archive.layers;
    return run.firstSpan === firstSpan[run.layer] && run.endSpan === firstSpan[run.layer + 1];
  }

  /** What is asked for in one turn of the event loop is looked at together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#requests < MAX_REQUESTS) {
      const group = this.#queue.take({
        leastDemand: this.#backgroundRequests < MAX_BACKGROUND_REQUESTS ? "prefetch" : "read",
        maxPlainBytes: MAX_REQUEST_PLAIN_BYTES,
        // What is looked for in a remote cache first is not to make a read wait for it.
        mixed: this.#parts.options.remote === undefined,
        layers: this.#parts.options.archive.layers,
      });
      if (group.length === 0) return;
      const isBackground = group[0]!.demand !== "read";
      this.#requests++;
      if (isBackground) this.#backgroundRequests++;
      this.#fetch(group).finally(() => {
        this.#requests--;
        if (isBackground) this.#backgroundRequests--;
        this.#schedule();
      });
    }
  }

  /** Never rejects. */
  async #fetch(group: RunFlight[]): Promise<void> {
    // One that another process fetches may be back in the queue, and under way again, before this is over.
    let flights: RunFlight[] = [];
    try {
      for (const flight of group) flight.isUnderWay = true;
      flights = group.filter((flight) => this.#claim(flight));
      if (this.#parts.options.remote !== undefined) flights = await this.#fetchFromRemote(flights);
      if (this.#parts.options.offline) return this.#failOffline(flights);
      for (const part of consecutive(flights)) await this.#fetchFromSource(part);
    } catch (error) {
      for (const flight of flights) this.#over(flight, error);
    }
  }

  /** Whether the flight is this process's to fetch: not what is at hand by now. A cache that throws ends it alone. */
  #claim(flight: RunFlight): boolean {
    try {
      if (!flight.isClaimed && !this.#parts.store.claim(flight.run.layer, flight.run.firstSpan)) {
        this.#awaitOther(flight);
        return false;
      }
      flight.isClaimed = true;
      if (!this.#answerFromStore(flight)) return true;
      this.#over(flight, undefined);
    } catch (error) {
      this.#over(flight, error);
    }
    return false;
  }

  /** Answers those whose spans are at hand by now; whether nobody is left. */
  #answerFromStore(flight: RunFlight): boolean {
    const { layer, firstSpan, endSpan } = flight.run;
    for (let span = firstSpan; span < endSpan && flight.waiting > 0; span++) {
      if (!flight.isWanted(span)) continue;
      if (this.#parts.store.read(layer, span, 0, NOTHING) !== undefined) flight.answer(span, AT_HAND);
    }
    return flight.waiting === 0;
  }

  /** Another process fetches that run: waits until it is there, or until the right to fetch it is to be had. */
  async #awaitOther(flight: RunFlight): Promise<void> {
    try {
      for (let pauseMs = FIRST_POLL_MS;; pauseMs = Math.min(pauseMs * 1.5, LAST_POLL_MS)) {
        await sleep(pauseMs, this.#closing.signal);
        if (this.#answerFromStore(flight)) return this.#over(flight, undefined);
        if (!this.#parts.store.claim(flight.run.layer, flight.run.firstSpan)) continue;
        flight.isClaimed = true;
        flight.isUnderWay = false;
        this.#queue.add(flight, { joinable: !this.#isWhole(flight.run) });
        return this.#schedule();
      }
    } catch (error) {
      this.#over(flight, error);
    }
  }

  /** Those that the remote cache does not have. */
  async #fetchFromRemote(flights: RunFlight[]): Promise<RunFlight[]> {
    const { options: { archive, remote, observer }, store } = this.#parts;
    const { layers } = archive;
    const look = async (flight: RunFlight, span: number) => {
      const plainBytes = layers.spanEnd(flight.run.layer, span) - layers.spanOffsets[span]!;
      const bytes = await remote!.get(layers.spanDigest(span), plainBytes, this.#closing.signal);
      if (bytes === undefined) return;
      store.keep(flight.run.layer, span, bytes);
      flight.pass(span, { bytes, offset: 0, tier: "remote" });
      observer?.onSpan?.(flight.run.layer, span, "remote");
    };
    await Promise.all(flights.flatMap((flight) => {
      const { firstSpan, endSpan } = flight.run;
      const spans = Array.from({ length: endSpan - firstSpan }, (_, index) => firstSpan + index);
      const sought = spans.length > MAX_REMOTE_SPANS ? spans.filter((span) => flight.isWanted(span)) : spans;
      return sought.map((span) => look(flight, span));
    }));
    const missing = flights.filter((flight) => flight.waiting > 0);
    for (const flight of flights) if (flight.waiting === 0) this.#over(flight, undefined);
    return missing;
  }

  #failOffline(flights: RunFlight[]): void {
    for (const flight of flights) {
      this.#over(flight, new ClipError("io", "it is in no cache, and --offline forbids fetching it"));
    }
  }

  async #fetchFromSource(flights: RunFlight[]): Promise<void> {
    const { options, rests, deadlineMs, counters } = this.#parts;
    const [first, last] = [flights[0]!.run, flights.at(-1)!.run];
    const { layer } = first;
    const resting = rests.ofLayer(layer);
    if (resting !== undefined) throw resting;
    const source = await options.blob(layer);
    const started = performance.now();
    const compressedBytes = last.compressedEndExclusive - first.compressedOffset;
    const layerFirst = options.archive.layers.firstSpan[layer]!;
    const spans = { layer, firstSpan: first.firstSpan - layerFirst, spans: last.endSpan - first.firstSpan };
    const wantedBytes = flights.reduce((sum, { run }) => sum + run.plainBytes, 0);
    const offset = first.compressedOffset;
    options.log.debug("fetching", { ...spans, offset, bytes: compressedBytes, plainBytes: wantedBytes });
    counters.requests++;
    counters.fetchedBytes += compressedBytes;
    let plainBytes = 0;
    const { demand } = flights[0]!;
    const requests = flights.map((flight) => this.#request(flight, source, (spanBytes) => plainBytes += spanBytes));
    const error = await fetchRuns(requests, {
      archive: options.archive,
      source,
      pool: this.#pool,
      inflate: options.inflate,
      deadlineMs,
      signal: this.#closing.signal,
    }).then(() => undefined, (error) => error);
    const durationMs = performance.now() - started;
    options.log.debug("fetched", { ...spans, durationMs: Math.round(durationMs) });
    options.observer?.onFetch?.({
      layer,
      firstSpan: first.firstSpan,
      endSpan: last.endSpan,
      compressedBytes,
      plainBytes,
      demand,
      durationMs,
      ...(error === undefined ? {} : { error }),
    });
  }

  /** A flight as a request that tells of what comes of it. */
  #request(flight: RunFlight, source: RangeSource, onPlain: (bytes: number) => void): RunRequest {
    const { options, store, counters } = this.#parts;
    const { run } = flight;
    const { layers } = options.archive;
    const tier = this.#tierOf(run);
    const isAdmitted = store.admit(run.layer, run.firstSpan, run.endSpan);
    const file = isAdmitted ? store.dataFile(run.layer) : undefined;
    const passed = (span: number, bytes: Uint8Array | undefined) => {
      const spanBytes = layers.spanEnd(run.layer, span) - layers.spanOffsets[span]!;
      onPlain(spanBytes);
      counters.decodedSpans++;
      counters.decodedBytes += spanBytes;
      flight.pass(span, { bytes, offset: 0, tier });
      options.observer?.onSpan?.(run.layer, span, tier);
    };
    return {
      run,
      demand: flight.demand,
      file,
      wanted: (span) => {
        // Nobody looks at what was read ahead or prefetched before it is in the file.
        if (options.remote === undefined) return flight.wanted(span);
        return { start: 0, endExclusive: layers.spanEnd(run.layer, span) - layers.spanOffsets[span]! };
      },
      onTask: (task) => {
        flight.task = task;
        task.demand = flight.demand;
      },
      onEarly: (span, offset, bytes) => {
        // A prefetch is over when the cache has the span, not before.
        if (flight.demand === "read") flight.answerEarly(span, { bytes, offset, tier });
        options.remote?.offer(layers.spanDigest(span), bytes);
      },
      onWritten: (firstSpan, endSpan) => {
        store.noteInFile(run.layer, firstSpan, endSpan);
        for (let span = firstSpan; span < endSpan; span++) passed(span, undefined);
      },
      onSpan: (span, bytes, problem) => {
        if (problem !== undefined || !isAdmitted) store.keepInMemory(span, bytes);
        else store.keep(run.layer, span, bytes);
        if (problem !== undefined) store.tellOfFailure(problem);
        if (file === undefined) options.remote?.offer(layers.spanDigest(span), bytes);
        passed(span, bytes);
      },
      onEnd: (error) => {
        if (isContentError(error)) source.mistrust?.();
        this.#over(flight, error);
      },
    };
  }

  #tierOf(run: Run): Tier {
    if (!this.#isWhole(run)) return "registry";
    const { layers } = this.#parts.options.archive;
    return planRun(layers, run.layer, run.firstSpan, false).endSpan < run.endSpan ? "layer" : "registry";
  }

  #over(flight: RunFlight, error: unknown): void {
    if (flight.isOver) return;
    this.#flights.delete(flight.key);
    const { layer, firstSpan, endSpan } = flight.run;
    if (flight.isClaimed) this.#parts.store.release(layer, firstSpan, endSpan);
    flight.finish(error);
  }
}
