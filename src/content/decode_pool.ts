import { clearTimeout, setTimeout } from "node:timers";
import { ClipError, type Logger } from "../base/mod.ts";
import type { DecodeJob, FromDecoder } from "./decode_messages.ts";
import { type DecodeEvents, type DecodeTask, PoolTask, type Seat } from "./decode_task.ts";
import { decodeInPlace, startDecodeWorker } from "./decode_thread.ts";
import { compareDemand } from "./demand.ts";
import type { Demand } from "./observer.ts";

/** More Workers than this gain little: the network, and then the main thread, are slower than four of them. */
const MAX_WORKERS = 4;
/** Sent to a thread and not dealt with yet: what a more urgent run has to wait for. A few milliseconds of work. */
const MAX_SENT_BYTES = 512 * 1024;
/** Compressed bytes that may wait in the pool before those who fetch more of them are asked to stop. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Workers that have had nothing to do for so long are ended: each holds 20 to 30 MiB. A new one is up in 50 ms. */
const IDLE_MS = 10_000;
/** Starting a Worker stops this thread for 25 ms: what there is to decode is asked for first, which takes as long. */
const ASK_FIRST_MS = 30;

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
  #warmTimer: ReturnType<typeof setTimeout> | undefined;
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

  /** The same, once what is about to be asked for is on its way. */
  warmSoon(): void {
    if (this.#workers.length > 0 || this.#isClosed) return;
    this.#warmTimer ??= setTimeout(() => {
      this.#warmTimer = undefined;
      this.warm();
    }, ASK_FIRST_MS).unref();
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

  /** Whether more bytes may be pushed. */
  get hasRoom(): boolean {
    return this.#waitingBytes <= MAX_WAITING_BYTES;
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
    clearTimeout(this.#warmTimer);
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
        task.feed(seat);
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
      if (!task.hasWorkFor(seat) || (task.seat === undefined ? !mayBegin : task.seat !== seat)) continue;
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
        onMessages: (messages) => this.#onMessages(seat, messages),
        onCrash: (problem) => this.#onCrash(seat, problem),
      }),
      isReady: false,
      sentMessages: 0,
      sentBytes: 0,
    };
    return seat;
  }

  #onMessages(seat: Seat, messages: readonly FromDecoder[]): void {
    let isFreer = false;
    for (const message of messages) {
      if (message.type === "ready") {
        isFreer = seat.isReady = true;
        // It may turn out that there is nothing to decode.
        this.#restWhenIdle();
      } else if (message.type === "taken") {
        seat.sentBytes -= message.compressedBytes;
        seat.sentMessages--;
        isFreer = true;
      } else this.#tasks.get(message.id)?.onMessage(message);
    }
    if (isFreer) this.#dispatch();
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
