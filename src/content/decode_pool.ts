import { clearTimeout, setTimeout } from "node:timers";
import { ClipError, fromPlainError, type Logger } from "../base/mod.ts";
import type { DecodeJob, FromDecoder } from "./decode_messages.ts";
import { decodeInPlace, type DecodeThread, startDecodeWorker } from "./decode_thread.ts";
import { compareDemand } from "./demand.ts";
import type { Demand } from "./observer.ts";

/** More Workers than this gain little: the network, and then the main thread, are slower than four of them. */
const MAX_WORKERS = 4;
/** Sent to a thread and not dealt with yet: what a more urgent run has to wait for. A few milliseconds of work. */
const MAX_SENT_BYTES = 512 * 1024;
/** Sent in one message, at least: each takes the main thread time. */
const MESSAGE_BYTES = 128 * 1024;
/** Compressed bytes that may wait in the pool before those who fetch more of them are asked to stop. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Workers that have had nothing to do for so long are ended: each holds 20 to 30 MiB. A new one is up in 50 ms. */
const IDLE_MS = 10_000;

/** Told of the spans of a run as they are verified; spans are counted from 0 in the run. */
export interface DecodeEvents {
  /** What was wanted of a span when the job was made, before it is written; `onSpan` follows. */
  onEarly(index: number, offset: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** A verified span: in the file where `bytes` is undefined; else not, because of `problem` where there is a file. */
  onSpan(index: number, bytes: Uint8Array<ArrayBuffer> | undefined, problem: string | undefined): void;
}

/** A run being decoded. */
export interface DecodeTask {
  /** Decides who goes first. */
  demand: Demand;
  /** Resolves once all spans have been told of; rejects with why there are not more of them. */
  readonly ended: Promise<void>;
  /** The next compressed bytes, given away. Nothing happens when the task has ended. */
  push(bytes: Uint8Array<ArrayBuffer>): void;
  /** There are no more bytes. */
  end(): void;
  /** Gives it up: `ended` rejects with `reason`. */
  cancel(reason: unknown): void;
}

/** A thread and what it is doing. */
interface Seat {
  thread: DecodeThread;
  isReady: boolean;
  sentBytes: number;
}

/**
 * Threads that decode runs, started when there is more to do than those running can take, and ended when nothing is
 * left to do for a while. Pieces of runs wait here rather than with the threads, so that what is urgent goes first.
 * Until the first Worker is ready, and where none can be had, runs are decoded in place.
 */
export class DecodePool {
  #log: Logger;
  #start: typeof startDecodeWorker;
  #maxWorkers: number;
  #workers: Seat[] = [];
  #inPlace: Seat | undefined;
  #tasks = new Map<number, PoolTask>();
  #nextId = 1;
  #waitingBytes = 0;
  #roomWaiters: (() => void)[] = [];
  #hasNoWorkers = false;
  #idleMs: number;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #onIdle: () => void;
  #isClosed = false;

  /**
   * Starts nothing yet. `workers`: at most so many; 0: decode in place. `start`: how one is started. `onIdle`: told when
   * there was nothing to do for `idleMs`, and Workers have been let go.
   */
  constructor(
    { log, workers, idleMs = IDLE_MS, onIdle = () => {}, start = startDecodeWorker }: {
      log: Logger;
      workers?: number | undefined;
      idleMs?: number;
      onIdle?: (() => void) | undefined;
      start?: typeof startDecodeWorker;
    },
  ) {
    this.#log = log;
    this.#start = start;
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
    this.#maxWorkers = workers ?? Math.max(1, Math.min(navigator.hardwareConcurrency, MAX_WORKERS));
    this.#hasNoWorkers = this.#maxWorkers === 0;
  }

  /** Starts a Worker if there is none, so that it is ready when the first bytes arrive. */
  warm(): void {
    if (this.#workers.length === 0 && !this.#hasNoWorkers) this.#addWorker();
  }

  /** Workers that take runs. */
  get readyWorkers(): number {
    return this.#workers.filter(({ isReady }) => isReady).length;
  }

  /** Begins a run. */
  decode(job: DecodeJob, demand: Demand, events: DecodeEvents): DecodeTask {
    const id = this.#nextId++;
    const task = new PoolTask(id, job, demand, events, {
      onWork: () => this.#dispatch(),
      onWaiting: (bytes) => this.#addWaiting(bytes),
      onEnd: () => {
        this.#tasks.delete(id);
        this.#restWhenIdle();
      },
    });
    this.#tasks.set(id, task);
    clearTimeout(this.#idleTimer);
    if (this.#isClosed) task.cancel(closedError());
    return task;
  }

  /** Resolves when more bytes may be pushed. */
  async room(): Promise<void> {
    while (this.#waitingBytes > MAX_WAITING_BYTES) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
  }

  #restWhenIdle(): void {
    clearTimeout(this.#idleTimer);
    if (this.#tasks.size > 0 || this.#isClosed) return;
    this.#idleTimer = setTimeout(() => {
      for (const { thread } of this.#workers.splice(0)) thread.close();
      this.#inPlace?.thread.close();
      this.#inPlace = undefined;
      this.#onIdle();
    }, this.#idleMs);
    // Nobody is to wait for it at the end of the program.
    this.#idleTimer.unref();
  }

  /** Ends all threads; runs under way fail. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    for (const task of [...this.#tasks.values()]) task.cancel(closedError());
    for (const { thread } of this.#workers) thread.close();
    this.#inPlace?.thread.close();
    this.#workers = [];
    this.#addWaiting(-this.#waitingBytes);
  }

  #addWaiting(bytes: number): void {
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > MAX_WAITING_BYTES) return;
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }

  /** Hands out pieces as far as threads can take them. */
  #dispatch(): void {
    if (this.#isClosed) return;
    for (const seat of this.#seats()) {
      while (seat.sentBytes < MAX_SENT_BYTES) {
        const task = this.#mostUrgent(seat);
        if (task === undefined) break;
        seat.sentBytes += task.feed(seat);
      }
    }
  }

  /** Those that can work; one more Worker is called where all are busy and work is left. */
  #seats(): Seat[] {
    const ready = this.#workers.filter((seat) => seat.isReady);
    const isWaiting = [...this.#tasks.values()].some((task) => task.seat === undefined && task.hasWork);
    if (isWaiting && !this.#hasNoWorkers && ready.length === this.#workers.length) {
      const allBusy = ready.every((seat) => seat.sentBytes > 0);
      if (allBusy && ready.length < this.#maxWorkers) this.#addWorker();
    }
    if (ready.length === 0) this.#inPlace ??= this.#seat(decodeInPlace);
    // Idle ones first: a run stays with the thread that has its first piece.
    ready.sort((a, b) => a.sentBytes - b.sentBytes);
    return this.#inPlace === undefined ? ready : [...ready, this.#inPlace];
  }

  #mostUrgent(seat: Seat): PoolTask | undefined {
    let best: PoolTask | undefined;
    const mayBegin = seat !== this.#inPlace || !this.#workers.some(({ isReady }) => isReady);
    for (const task of this.#tasks.values()) {
      if (!task.hasWork || (task.seat === undefined ? !mayBegin : task.seat !== seat)) continue;
      if (best === undefined || compareDemand(task.demand, best.demand) < 0) best = task;
    }
    return best;
  }

  #addWorker(): void {
    try {
      this.#workers.push(this.#seat(this.#start));
    } catch (error) {
      this.#goOnWithoutWorkers(String(error));
    }
  }

  #seat(start: typeof startDecodeWorker): Seat {
    const seat: Seat = {
      thread: start({
        onMessage: (message) => this.#onMessage(seat, message),
        onCrash: (problem) => this.#onCrash(seat, problem),
      }),
      isReady: false,
      sentBytes: 0,
    };
    return seat;
  }

  #onMessage(seat: Seat, message: FromDecoder): void {
    if (message.type === "ready") {
      seat.isReady = true;
      // It may turn out that there is nothing to decode.
      this.#restWhenIdle();
    } else if (message.type === "taken") seat.sentBytes -= message.compressedBytes;
    else return this.#tasks.get(message.id)?.onMessage(message);
    this.#dispatch();
  }

  #onCrash(seat: Seat, problem: string): void {
    this.#workers = this.#workers.filter((other) => other !== seat);
    if (!seat.isReady) this.#goOnWithoutWorkers(problem);
    else this.#log.error(`a decode worker died: ${problem}`);
    for (const task of [...this.#tasks.values()]) {
      if (task.seat === seat) task.cancel(new ClipError("internal", `internal error: decode worker: ${problem}`));
    }
    this.#dispatch();
  }

  #goOnWithoutWorkers(problem: string): void {
    if (!this.#hasNoWorkers) this.#log.warn(`decoding on the main thread, which is slower: no worker: ${problem}`);
    this.#hasNoWorkers = true;
  }
}

function closedError(): ClipError {
  return new ClipError("aborted", "closed while it was read");
}

/** What a task tells its pool. */
interface PoolHooks {
  onWork(): void;
  onWaiting(bytes: number): void;
  onEnd(): void;
}

class PoolTask implements DecodeTask {
  demand: Demand;
  readonly ended: Promise<void>;
  /** The thread that has its beginning. */
  seat: Seat | undefined;
  #id: number;
  #job: DecodeJob;
  #events: DecodeEvents;
  #hooks: PoolHooks;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #isAtEnd = false;
  #isOver = false;
  #result = Promise.withResolvers<void>();

  constructor(id: number, job: DecodeJob, demand: Demand, events: DecodeEvents, hooks: PoolHooks) {
    this.#id = id;
    this.#job = job;
    this.demand = demand;
    this.#events = events;
    this.#hooks = hooks;
    this.ended = this.#result.promise;
    this.ended.catch(() => {}); // told to whoever looks
  }

  /** Whether there is something to send. */
  get hasWork(): boolean {
    return this.#pieces.length > 0 || this.#isAtEnd;
  }

  push(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isOver) return;
    this.#pieces.push(bytes);
    this.#hooks.onWaiting(bytes.length);
    this.#hooks.onWork();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isAtEnd = true;
    this.#hooks.onWork();
  }

  /** Sends the next pieces, in one message; how many bytes. */
  feed(seat: Seat): number {
    if (this.seat === undefined) {
      this.seat = seat;
      seat.thread.post({ type: "start", id: this.#id, job: this.#job });
    }
    if (this.#pieces.length === 0) {
      this.#isAtEnd = false;
      seat.thread.post({ type: "end", id: this.#id });
      return 0;
    }
    let count = 0;
    let compressedBytes = 0;
    while (count < this.#pieces.length && compressedBytes < MESSAGE_BYTES) {
      compressedBytes += this.#pieces[count++]!.length;
    }
    const pieces = this.#pieces.splice(0, count);
    seat.thread.post({ type: "bytes", id: this.#id, pieces }, pieces.map(({ buffer }) => buffer));
    this.#hooks.onWaiting(-compressedBytes);
    return compressedBytes;
  }

  cancel(reason: unknown): void {
    if (this.#isOver) return;
    this.seat?.thread.post({ type: "cancel", id: this.#id });
    this.#finish();
    this.#result.reject(reason);
  }

  onMessage(message: Exclude<FromDecoder, { type: "ready" | "taken" }>): void {
    if (message.type === "early") this.#events.onEarly(message.index, message.offset, message.bytes);
    else if (message.type === "span") this.#events.onSpan(message.index, message.bytes, message.problem);
    else {
      this.#finish();
      if (message.type === "done") this.#result.resolve();
      else this.#result.reject(fromPlainError(message.error));
    }
  }

  #finish(): void {
    this.#isOver = true;
    let waitingBytes = 0;
    for (const { length } of this.#pieces) waitingBytes += length;
    this.#pieces = [];
    this.#isAtEnd = false;
    this.#hooks.onEnd();
    this.#hooks.onWaiting(-waitingBytes);
  }
}
