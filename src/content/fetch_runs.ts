import { ClipError, formatDuration, type RangeSource } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { DataFile, DecodeJob, SpanPart } from "./decode_messages.ts";
import type { DecodePool } from "./decode_pool.ts";
import type { DecodeTask } from "./decode_task.ts";
import type { Run } from "./read_plan.ts";
import type { Demand } from "./observer.ts";

/** A link of this speed, 64 KiB a second, still meets deadlines. */
const SLOWEST_LINK_BYTES_PER_MS = 64;

/** How long so many compressed bytes may take beyond what an answer may take. */
export function transferMs(compressedBytes: number): number {
  return compressedBytes / SLOWEST_LINK_BYTES_PER_MS;
}

/** A run to be fetched, and who wants to know of it. Spans have archive-wide numbers. */
export interface RunRequest {
  readonly run: Run;
  /** How urgent decoding is at first. */
  readonly demand: Demand;
  /** Where its spans are to be written; undefined: all are given. */
  readonly file: DataFile | undefined;
  /** What of a span somebody waits for now. */
  wanted(span: number): SpanPart | undefined;
  /** Decoding has begun. */
  onTask(task: DecodeTask): void;
  /** See {@linkcode DecodeEvents}. */
  onEarly(span: number, offset: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** See {@linkcode DecodeEvents}. */
  onWritten(firstSpan: number, endSpan: number): void;
  /** See {@linkcode DecodeEvents}. */
  onSpan(span: number, bytes: Uint8Array<ArrayBuffer>, problem: string | undefined): void;
  /** It is over: all spans were told of, or there are no more because of `error`. Once for each run, in any order. */
  onEnd(error: unknown): void;
}

/** What runs are fetched with. */
export interface FetchContext {
  readonly archive: Archive;
  readonly source: RangeSource;
  readonly pool: DecodePool;
  readonly inflate: InflateName | undefined;
  /** Nothing may take longer to arrive than this. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Fetches runs that follow one another with one request. The stream is cut where they begin, and each is decoded as its
 * bytes arrive, so that a long request keeps several threads busy. A run that fails does not stop the others.
 * Returns once all runs are over; rejects with what ended the request early, when the runs have been told of it.
 */
export async function fetchRuns(requests: readonly RunRequest[], context: FetchContext): Promise<void> {
  const { source, pool } = context;
  const offset = requests[0]!.run.compressedOffset;
  const endExclusive = Math.max(...requests.map(({ run }) => run.compressedEndExclusive));
  const watch = new Watch(context);
  const open: OpenRun[] = [];
  const ends: Promise<void>[] = [];
  let next = 0;
  let window = startWindow(context, requests[0]!);
  try {
    let at = offset;
    for await (const piece of source.stream({ offset, endExclusive, signal: watch.signal })) {
      // Looked at now: a piece that is given away has no length any more.
      const end = at + piece.length;
      watch.received(piece.length);
      while (next < requests.length && requests[next]!.run.compressedOffset < end) {
        const request = requests[next++]!;
        const begun = await OpenRun.begin(request, window, context);
        if (begun !== undefined) {
          open.push(begun);
          ends.push(begun.ended);
        }
        if (next < requests.length) window = startWindow(context, requests[next]!);
      }
      for (const run of open) run.take(piece, at);
      at = end;
      while (open.length > 0 && open[0]!.run.compressedEndExclusive <= at) open.shift();
      if (next === requests.length && open.every((run) => run.isOver)) break;
      if (!pool.hasRoom) {
        watch.pause();
        await pool.room();
        watch.resume();
      }
    }
    watch.pause();
    // A stream of nothing: runs without compressed bytes do not exist, but archives come from outside.
    for (; next < requests.length; next++) requests[next]!.onEnd(new ClipError("corrupt", "a run of no bytes"));
    for (const run of open) run.end();
    await Promise.all(ends);
  } catch (caught) {
    const error = watch.reasonOf(caught);
    for (const run of open) run.cancel(error);
    for (; next < requests.length; next++) requests[next]!.onEnd(error);
    await Promise.all(ends);
    throw error;
  } finally {
    watch.end();
  }
}

type PendingWindow = ReturnType<Archive["window"]>;

function startWindow({ archive }: FetchContext, { run }: RunRequest): PendingWindow {
  const window = archive.window(run.checkpoint);
  window.catch(() => {}); // told when it is looked at
  return window;
}

/** A run whose first byte has arrived and whose last has not. */
class OpenRun {
  readonly run: Run;
  readonly ended: Promise<void>;
  isOver = false;
  #task: DecodeTask;

  private constructor(request: RunRequest, task: DecodeTask) {
    this.run = request.run;
    this.#task = task;
    this.ended = task.ended.then(() => request.onEnd(undefined), (error) => request.onEnd(error))
      .finally(() => this.isOver = true);
  }

  /** Undefined where the run has failed already. */
  static async begin(request: RunRequest, window: PendingWindow, context: FetchContext): Promise<OpenRun | undefined> {
    try {
      const { run } = request;
      const job = decodeJob(request, await window, context);
      const task = context.pool.decode(job, request.demand, {
        onEarly: (index, offset, bytes) => request.onEarly(run.firstSpan + index, offset, bytes),
        onWritten: (first, end) => request.onWritten(run.firstSpan + first, run.firstSpan + end),
        onSpan: (index, bytes, problem) => request.onSpan(run.firstSpan + index, bytes, problem),
      });
      request.onTask(task);
      return new OpenRun(request, task);
    } catch (error) {
      request.onEnd(error);
      return undefined;
    }
  }

  /** Takes its part of a piece that lies at byte `at` of the blob. */
  take(piece: Uint8Array<ArrayBuffer>, at: number): void {
    const { compressedOffset, compressedEndExclusive } = this.run;
    const from = Math.max(compressedOffset - at, 0);
    const isLast = compressedEndExclusive <= at + piece.length;
    const end = Math.min(compressedEndExclusive - at, piece.length);
    if (from < end) {
      // A piece that is this run's alone is given away; of others, neighbours share a byte or more.
      const isAlone = from === 0 && end === piece.length && compressedEndExclusive > at + end &&
        piece.length === piece.buffer.byteLength;
      this.#task.push(isAlone ? piece : piece.slice(from, end));
    }
    if (isLast) this.#task.end();
  }

  end(): void {
    this.#task.end();
  }

  cancel(error: unknown): void {
    this.#task.cancel(error);
  }
}

function decodeJob(
  request: RunRequest,
  { window, blockHeader }: Awaited<PendingWindow>,
  { archive, source, inflate }: FetchContext,
): DecodeJob {
  const { layers } = archive;
  const { run, file } = request;
  const from = layers.checkpoint(run.checkpoint);
  const spans = run.endSpan - run.firstSpan;
  const offsets = new Float64Array(spans + 1);
  const digests = new Uint8Array(spans * 32);
  const wanted: (SpanPart | undefined)[] = [];
  for (let index = 0; index < spans; index++) {
    offsets[index] = layers.spanOffsets[run.firstSpan + index]!;
    digests.set(layers.spanDigest(run.firstSpan + index), index * 32);
    wanted.push(request.wanted(run.firstSpan + index));
  }
  offsets[spans] = layers.spanEnd(run.layer, run.endSpan - 1);
  return {
    codec: archive.image.layers[run.layer]!.codec,
    inflate,
    from: {
      plainOffset: from.plainOffset,
      compressedBitOffset: from.compressedBitOffset,
      prefixBytes: from.prefixBytes,
      atHeader: from.atHeader,
      window: window.slice(),
      block: from.blockBitOffset === undefined
        ? undefined
        : { headerBitOffset: from.blockBitOffset, header: blockHeader.slice() },
    },
    plainBytes: run.plainBytes,
    offsets,
    digests,
    wanted,
    file,
    source: source.description,
    layer: run.layer,
    firstSpan: run.firstSpan - layers.firstSpan[run.layer]!,
  };
}

/**
 * Gives a request up that does not get on: every piece has to come within the deadline, and all so far within the
 * deadline and what a slow link takes for them. Time in which nothing was asked for does not count.
 */
class Watch {
  readonly signal: AbortSignal;
  #context: FetchContext;
  #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #allowanceMs: number;
  /** Since when the next piece is waited for. */
  #waitsSinceMs = 0;
  #isPaused = false;
  #failure: ClipError | undefined;

  constructor(context: FetchContext) {
    this.#context = context;
    this.#allowanceMs = context.deadlineMs;
    this.signal = context.signal === undefined
      ? this.#stop.signal
      : AbortSignal.any([context.signal, this.#stop.signal]);
    this.resume();
  }

  received(bytes: number): void {
    this.#allowanceMs += transferMs(bytes) - this.#takeWaitedMs();
  }

  pause(): void {
    this.#allowanceMs -= this.#takeWaitedMs();
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#waitsSinceMs = performance.now();
    this.#timer ??= setTimeout(() => this.#look(), this.#leftMs());
  }

  end(): void {
    this.#isPaused = true;
    clearTimeout(this.#timer);
  }

  #takeWaitedMs(): number {
    const now = performance.now();
    const waitedMs = this.#isPaused ? 0 : now - this.#waitsSinceMs;
    this.#waitsSinceMs = now;
    return waitedMs;
  }

  /** How much longer the next piece may take. */
  #leftMs(): number {
    const waitedMs = performance.now() - this.#waitsSinceMs;
    return Math.max(0, Math.min(this.#allowanceMs, this.#context.deadlineMs) - waitedMs);
  }

  /** The timer, which is not set anew for each piece, has run out. */
  #look(): void {
    this.#timer = undefined;
    if (this.#isPaused) return;
    const leftMs = this.#leftMs();
    if (leftMs > 0) this.#timer = setTimeout(() => this.#look(), leftMs);
    else this.#giveUp();
  }

  /** What is to be said of an error: that of the signal is of no meaning to anybody. */
  reasonOf(error: unknown): unknown {
    return this.#failure ?? error;
  }

  #giveUp(): void {
    const { source, deadlineMs } = this.#context;
    this.#failure = new ClipError("network", `${source.description}: no answer within ${formatDuration(deadlineMs)}`);
    this.#stop.abort(this.#failure);
  }
}
