import { fromPlainError } from "../base/mod.ts";
import type { DecodeJob, FromDecoder } from "./decode_messages.ts";
import type { DecodeThread } from "./decode_thread.ts";
import type { Demand } from "./observer.ts";

/**
 * Sent in one message, at least, to a thread that has as many messages to go on with: each takes both threads time, and
 * bytes arrive in pieces of some KiB.
 */
const MESSAGE_BYTES = 128 * 1024;
const ENOUGH_MESSAGES = 2;

/** Told of the spans of a run as they are verified; spans are counted from 0 in the run. */
export interface DecodeEvents {
  /** What was wanted of a span when the job was made, before it is written; one of the others follows. */
  onEarly(index: number, offset: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** Verified spans, [firstIndex, endIndex), are in the file. */
  onWritten(firstIndex: number, endIndex: number): void;
  /** A verified span that is not, because of `problem` where there is a file. */
  onSpan(index: number, bytes: Uint8Array<ArrayBuffer>, problem: string | undefined): void;
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
export interface Seat {
  readonly thread: DecodeThread;
  isReady: boolean;
  /** Messages with bytes that it has not dealt with, and how many bytes those are. */
  sentMessages: number;
  sentBytes: number;
}

/** What a task tells its pool. */
export interface PoolHooks {
  onWork(): void;
  onWaiting(bytes: number): void;
  onEnd(): void;
}

/** A task of a pool, which says when its pieces go to which thread. */
export class PoolTask implements DecodeTask {
  demand: Demand;
  readonly ended: Promise<void>;
  /** The thread that has its beginning. */
  seat: Seat | undefined;
  #id: number;
  #job: DecodeJob;
  #events: DecodeEvents;
  #hooks: PoolHooks;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
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

  /** The same, if it is worth a message to that thread now. */
  hasWorkFor({ sentMessages }: Seat): boolean {
    return this.hasWork && (sentMessages < ENOUGH_MESSAGES || this.#isAtEnd || this.#waitingBytes >= MESSAGE_BYTES);
  }

  push(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isOver) return;
    this.#pieces.push(bytes);
    this.#addWaiting(bytes.length);
    this.#hooks.onWork();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isAtEnd = true;
    this.#hooks.onWork();
  }

  /** Sends the next pieces, in one message. */
  feed(seat: Seat): void {
    if (this.seat === undefined) {
      this.seat = seat;
      seat.thread.post({ type: "start", id: this.#id, job: this.#job });
    }
    if (this.#pieces.length === 0) {
      this.#isAtEnd = false;
      return seat.thread.post({ type: "end", id: this.#id });
    }
    let count = 0;
    let compressedBytes = 0;
    while (count < this.#pieces.length && compressedBytes < MESSAGE_BYTES) {
      compressedBytes += this.#pieces[count++]!.length;
    }
    const pieces = this.#pieces.splice(0, count);
    seat.thread.post({ type: "bytes", id: this.#id, pieces }, pieces.map(({ buffer }) => buffer));
    seat.sentMessages++;
    seat.sentBytes += compressedBytes;
    this.#addWaiting(-compressedBytes);
  }

  #addWaiting(bytes: number): void {
    this.#waitingBytes += bytes;
    this.#hooks.onWaiting(bytes);
  }

  cancel(reason: unknown): void {
    if (this.#isOver) return;
    this.seat?.thread.post({ type: "cancel", id: this.#id });
    this.#finish();
    this.#result.reject(reason);
  }

  onMessage(message: Exclude<FromDecoder, { type: "ready" | "taken" }>): void {
    if (message.type === "early") this.#events.onEarly(message.index, message.offset, message.bytes);
    else if (message.type === "written") this.#events.onWritten(message.firstIndex, message.endIndex);
    else if (message.type === "span") this.#events.onSpan(message.index, message.bytes, message.problem);
    else {
      this.#finish();
      if (message.type === "done") this.#result.resolve();
      else this.#result.reject(fromPlainError(message.error));
    }
  }

  #finish(): void {
    this.#isOver = true;
    this.#pieces = [];
    this.#isAtEnd = false;
    this.#hooks.onEnd();
    this.#addWaiting(-this.#waitingBytes);
  }
}
