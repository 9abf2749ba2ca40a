import { LRUCache } from "lru-cache";
import { ClipError, type Logger, messageOf } from "../base/mod.ts";
import { ReadRing } from "./read_ring.ts";

const FLUSH_EVERY_MS = 250;
/** Lines made and written at one go, so that reads which wait for this thread wait a few milliseconds at most. */
const LINES_AT_ONCE = 2048;
/** Reads of this thread that wait to be written; no disk is so slow for long. */
const MAX_PENDING = 65_536;
const PATHS_KEPT = 4096;

/** A read to be traced. */
export interface TracedRead {
  /** When it was asked for, in microseconds of the clock that the trace was given. */
  readonly started: number;
  /** Of the file. */
  readonly inode: number;
  /** In the file. */
  readonly offset: number;
  /** Bytes of the file that were asked for and are there. */
  readonly bytes: number;
  /** Of the process that asked, where it is known. */
  readonly pid: number | undefined;
  /** Where the bytes came from. */
  readonly tier: string;
  /** In microseconds. */
  readonly duration: number;
  /** The code of the error that it ended with. */
  readonly error?: string;
}

/** What a {@linkcode ReadTrace} needs. */
export interface ReadTraceOptions {
  /** Where lines are added. */
  readonly path: string;
  /** A file's path for people, by inode. */
  readonly pathOf: (inode: number) => string;
  /** The clock of all reads, in microseconds. */
  readonly now: () => number;
  /** Told when the trace ends before its time. */
  readonly log: Logger;
}

/**
 * A file of JSON lines, one for each read, in the order of their beginning as far as they are written together: about
 * four times a second, away from the reads themselves. A trace that cannot be written is given up with a log line.
 */
export class ReadTrace {
  /** Reads of the serving thread come through here. They are of tier `disk`. */
  readonly ring: ReadRing = new ReadRing();
  readonly #options: ReadTraceOptions;
  readonly #file: Deno.FsFile;
  readonly #paths = new LRUCache<number, string>({ max: PATHS_KEPT });
  readonly #timer: ReturnType<typeof setInterval>;
  #pending: TracedRead[] = [];
  #droppedHere = 0;
  #droppedTold = 0;
  #writing: Promise<void> | undefined;
  #failed = false;

  /** Opens the file. @throws {ClipError} of code `io` naming it. */
  constructor(options: ReadTraceOptions) {
    this.#options = options;
    try {
      this.#file = Deno.openSync(options.path, { append: true, create: true, mode: 0o600 });
    } catch (error) {
      throw new ClipError("io", `cannot open the trace file ${options.path}: ${messageOf(error)}`, { cause: error });
    }
    this.#timer = setInterval(() => void this.#flush(), FLUSH_EVERY_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Adds a read of this thread. */
  add(read: TracedRead): void {
    if (this.#pending.length < MAX_PENDING) this.#pending.push(read);
    else this.#droppedHere++;
  }

  /** Writes what is left and closes the file. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    // One that is under way may have looked already.
    await this.#flush();
    await this.#flush();
    this.#file.close();
  }

  #flush(): Promise<void> {
    return this.#writing ??= this.#write().finally(() => this.#writing = undefined);
  }

  async #write(): Promise<void> {
    for (;;) {
      const own = this.#pending.splice(0, LINES_AT_ONCE);
      const served = this.ring.take(LINES_AT_ONCE);
      const dropped = this.ring.dropped + this.#droppedHere;
      if (this.#failed || (own.length + served.length === 0 && dropped === this.#droppedTold)) return;
      const reads = [...own, ...served.map((read) => ({ ...read, tier: "disk" }))];
      reads.sort((a, b) => a.started - b.started);
      let text = this.#lines(reads);
      if (dropped > this.#droppedTold) {
        text += `${JSON.stringify({ time: new Date().toISOString(), dropped: dropped - this.#droppedTold })}\n`;
      }
      this.#droppedTold = dropped;
      await this.#append(new TextEncoder().encode(text));
    }
  }

  async #append(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    } catch (error) {
      this.#failed = true;
      this.#options.log.warn(`the trace ends here: cannot write ${this.#options.path}: ${messageOf(error)}`);
    }
  }

  #lines(reads: readonly TracedRead[]): string {
    // What the clock shows now is as far from the time of day as it was at the reads, but for settings of that.
    const offsetUs = Date.now() * 1000 - this.#options.now();
    let text = "";
    for (const { started, inode, offset, bytes, pid, tier, duration, error } of reads) {
      text += `${
        JSON.stringify({
          time: timestamp(offsetUs + started),
          pid,
          path: this.#path(inode),
          offset,
          length: bytes,
          tier,
          durationMs: Math.round(duration) / 1000,
          error,
        })
      }\n`;
    }
    return text;
  }

  #path(inode: number): string {
    let path = this.#paths.get(inode);
    if (path === undefined) this.#paths.set(inode, path = this.#options.pathOf(inode));
    return path;
  }
}

/** RFC 3339 with microseconds, UTC. */
function timestamp(microseconds: number): string {
  const whole = Math.round(microseconds);
  return new Date(Math.floor(whole / 1000)).toISOString().replace("Z", `${String(whole % 1000).padStart(3, "0")}Z`);
}
