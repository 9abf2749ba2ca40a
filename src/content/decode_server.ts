import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { ClipError, messageOf, MIB, toPlainError } from "../base/mod.ts";
import type { DataFile, DecodeJob, FromDecoder, ToDecoder } from "./decode_messages.ts";
import { RunDecoder } from "./run_decoder.ts";

/** Says something to the main thread; `transfer` are buffers that are given away. */
export type Reply = (messages: readonly FromDecoder[], transfer: ArrayBuffer[]) => void;

/** Memory of jobs that are over, kept for the next: jobs take turns, but few at a time. */
const MAX_IDLE_BUFFERS = 2;
/** Spans are decoded into so much memory, a run at the usual spacing, and written together as far as it goes. */
const BUFFER_BYTES = 2.5 * MIB;

/** Decodes the jobs that it is sent, in a Worker or, where there can be none, in place. */
export class DecodeServer {
  #jobs = new Map<number, OpenJob>();
  #reply: Reply;
  #replies: FromDecoder[] = [];
  #idleBuffers: Uint8Array<ArrayBuffer>[] = [];

  /** Serves nothing yet. */
  constructor(reply: Reply) {
    this.#reply = reply;
  }

  /** Does what is asked, and tells what came of it. Never throws. */
  handle(message: ToDecoder): void {
    const { id } = message;
    try {
      if (message.type === "start") {
        const say: Say = (reply, bytes) => this.#say(reply, bytes);
        this.#jobs.set(id, new OpenJob(id, message.job, say, this.#idleBuffers.pop()));
      } else if (message.type === "cancel") this.#close(id);
      else if (message.type === "end") this.#goOn(id, undefined);
      else for (const bytes of message.pieces) this.#goOn(id, bytes);
      const job = this.#jobs.get(id);
      // Who waits for a span that is to come does not wait for the disk as well.
      if (job?.isAwaited === false) job.flush();
    } catch (error) {
      // What came before is good.
      this.#jobs.get(id)?.flush();
      this.#close(id);
      this.#say({ type: "failed", id, error: toPlainError(error) });
    }
    if (message.type === "bytes") {
      this.#say({ type: "taken", compressedBytes: message.pieces.reduce((sum, { length }) => sum + length, 0) });
    }
    this.#flush([]);
  }

  /** Bytes are told of at once, since somebody waits for them; all else together, when a message has been dealt with. */
  #say(reply: FromDecoder, bytes?: Uint8Array<ArrayBuffer>): void {
    this.#replies.push(reply);
    if (bytes !== undefined) this.#flush([bytes.buffer]);
  }

  #flush(transfer: ArrayBuffer[]): void {
    if (this.#replies.length === 0) return;
    const replies = this.#replies;
    this.#replies = [];
    this.#reply(replies, transfer);
  }

  #goOn(id: number, bytes: Uint8Array | undefined): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (bytes === undefined) job.decoder.finish();
    else if (!job.decoder.push(bytes)) return;
    job.flush();
    this.#close(id);
    this.#say({ type: "done", id });
  }

  #close(id: number): void {
    const job = this.#jobs.get(id);
    this.#jobs.delete(id);
    job?.close();
    if (job?.buffer !== undefined && this.#idleBuffers.length < MAX_IDLE_BUFFERS) this.#idleBuffers.push(job.buffer);
  }
}

/** A reply, and the bytes in it. */
type Say = (reply: FromDecoder, bytes?: Uint8Array<ArrayBuffer>) => void;

/** A job under way. Spans that are only written are decoded into the same memory one after another. */
class OpenJob {
  readonly decoder: RunDecoder;
  /** The memory, for jobs that come after. */
  buffer: Uint8Array<ArrayBuffer> | undefined;
  #id: number;
  #job: DecodeJob;
  #say: Say;
  #file: number | undefined;
  #problem: string | undefined;
  /** Where in the buffer the next span goes. */
  #roomAt = 0;
  /** Verified and not written yet: spans [unwritten, verified), the first of them at this place of the buffer. */
  #unwritten = 0;
  #verified = 0;
  #unwrittenAt = 0;
  #lastWanted: number;

  constructor(id: number, job: DecodeJob, say: Say, buffer: Uint8Array<ArrayBuffer> | undefined) {
    this.#id = id;
    this.#job = job;
    this.#say = say;
    this.buffer = buffer;
    this.#lastWanted = job.wanted.findLastIndex((part) => part !== undefined);
    if (job.file !== undefined) this.#openFile(job.file);
    try {
      this.decoder = new RunDecoder(job, {
        room: (lengthBytes) => this.#room(lengthBytes),
        onSpan: (index, bytes) => this.#onSpan(index, bytes),
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether somebody waits for a span that has not been verified yet. */
  get isAwaited(): boolean {
    return this.#verified <= this.#lastWanted;
  }

  /** Asked for when all spans before have been verified. */
  #room(lengthBytes: number): Uint8Array<ArrayBuffer> {
    if (this.#file === undefined) return new Uint8Array(lengthBytes);
    if (this.buffer === undefined || this.#roomAt + lengthBytes > this.buffer.length) {
      this.flush();
      this.#roomAt = this.#unwrittenAt = 0;
      if (lengthBytes > (this.buffer?.length ?? 0)) this.buffer = new Uint8Array(Math.max(lengthBytes, BUFFER_BYTES));
    }
    const start = this.#roomAt;
    this.#roomAt += lengthBytes;
    return this.buffer!.subarray(start, this.#roomAt);
  }

  #onSpan(index: number, bytes: Uint8Array<ArrayBuffer>): void {
    const id = this.#id;
    if (this.#file === undefined) {
      return this.#say({ type: "span", id, index, bytes, problem: this.#problem }, bytes);
    }
    const wanted = this.#job.wanted[index];
    if (wanted !== undefined) {
      const part = bytes.slice(wanted.start, wanted.endExclusive);
      this.#say({ type: "early", id, index, offset: wanted.start, bytes: part }, part);
    }
    this.#verified = index + 1;
  }

  /** Writes the spans that have been verified, and tells of them. */
  flush(): void {
    if (this.#unwritten === this.#verified) return;
    const { offsets, file } = this.#job;
    const [first, end] = [this.#unwritten, this.#verified];
    const start = offsets[first]!;
    const bytes = this.buffer!.subarray(this.#unwrittenAt, this.#unwrittenAt + offsets[end]! - start);
    this.#unwritten = end;
    this.#unwrittenAt += bytes.length;
    let problem: string | undefined;
    try {
      const stat = fstatSync(this.#file!);
      if (stat.isFile() && stat.size < file!.sizeBytes) throw new Error("somebody has cut it short");
      writeAll(this.#file!, bytes, start);
    } catch (error) {
      problem = `cannot write to the cache file ${file!.path}: ${messageOf(error)}`;
    }
    const id = this.#id;
    if (problem === undefined) return this.#say({ type: "written", id, firstIndex: first, endIndex: end });
    for (let index = first; index < end; index++) {
      const copy = bytes.slice(offsets[index]! - start, offsets[index + 1]! - start);
      this.#say({ type: "span", id, index, bytes: copy, problem }, copy);
    }
  }

  #openFile({ path, device, inode }: DataFile): void {
    try {
      const file = openSync(path, "r+");
      const { dev, ino } = fstatSync(file);
      if (dev === device && ino === inode) this.#file = file;
      else {
        closeSync(file);
        throw new ClipError("io", "another file has come to lie there");
      }
    } catch (error) {
      this.#problem = `cannot open the cache file ${path}: ${messageOf(error)}`;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

function writeAll(file: number, bytes: Uint8Array, offset: number): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, offset + at);
}
