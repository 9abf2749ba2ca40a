import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { ClipError, messageOf, toPlainError } from "../base/mod.ts";
import type { DataFile, DecodeJob, FromDecoder, ToDecoder } from "./decode_messages.ts";
import { RunDecoder } from "./run_decoder.ts";

/** Says something to the main thread; `transfer` are buffers that are given away. */
export type Reply = (message: FromDecoder, transfer?: ArrayBuffer[]) => void;

/** Memory of jobs that are over, kept for the next: jobs take turns, but few at a time. */
const MAX_IDLE_BUFFERS = 2;

/** Decodes the jobs that it is sent, in a Worker or, where there can be none, in place. */
export class DecodeServer {
  #jobs = new Map<number, OpenJob>();
  #reply: Reply;
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
        this.#jobs.set(id, new OpenJob(id, message.job, this.#reply, this.#idleBuffers.pop()));
      } else if (message.type === "cancel") this.#close(id);
      else if (message.type === "end") this.#goOn(id, undefined);
      else for (const bytes of message.pieces) this.#goOn(id, bytes);
    } catch (error) {
      this.#close(id);
      this.#reply({ type: "failed", id, error: toPlainError(error) });
    }
    if (message.type !== "bytes") return;
    this.#reply({ type: "taken", compressedBytes: message.pieces.reduce((sum, { length }) => sum + length, 0) });
  }

  #goOn(id: number, bytes: Uint8Array | undefined): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (bytes === undefined) job.decoder.finish();
    else if (!job.decoder.push(bytes)) return;
    this.#close(id);
    this.#reply({ type: "done", id });
  }

  #close(id: number): void {
    const job = this.#jobs.get(id);
    this.#jobs.delete(id);
    job?.close();
    if (job?.buffer !== undefined && this.#idleBuffers.length < MAX_IDLE_BUFFERS) this.#idleBuffers.push(job.buffer);
  }
}

/** A job under way. Spans that are only written are decoded into the same memory one after another. */
class OpenJob {
  readonly decoder: RunDecoder;
  /** The memory, for jobs that come after. */
  buffer: Uint8Array<ArrayBuffer> | undefined;
  #id: number;
  #job: DecodeJob;
  #reply: Reply;
  #file: number | undefined;
  #problem: string | undefined;

  constructor(id: number, job: DecodeJob, reply: Reply, buffer: Uint8Array<ArrayBuffer> | undefined) {
    this.#id = id;
    this.#job = job;
    this.#reply = reply;
    this.buffer = buffer;
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

  #room(lengthBytes: number): Uint8Array<ArrayBuffer> {
    if (this.#file === undefined) return new Uint8Array(lengthBytes);
    if (this.buffer === undefined || this.buffer.length < lengthBytes) this.buffer = new Uint8Array(lengthBytes);
    return this.buffer.subarray(0, lengthBytes);
  }

  #onSpan(index: number, bytes: Uint8Array<ArrayBuffer>): void {
    const id = this.#id;
    if (this.#file === undefined) {
      const problem = this.#problem;
      return this.#reply({ type: "span", id, index, bytes, problem }, [bytes.buffer]);
    }
    const wanted = this.#job.wanted[index];
    if (wanted !== undefined) {
      const part = bytes.slice(wanted.start, wanted.endExclusive);
      this.#reply({ type: "early", id, index, offset: wanted.start, bytes: part }, [part.buffer]);
    }
    try {
      const stat = fstatSync(this.#file);
      if (stat.isFile() && stat.size < this.#job.file!.sizeBytes) throw new Error("somebody has cut it short");
      writeAll(this.#file, bytes, this.#job.offsets[index]!);
      this.#reply({ type: "span", id, index, bytes: undefined, problem: undefined });
    } catch (error) {
      const problem = `cannot write to the cache file ${this.#job.file!.path}: ${messageOf(error)}`;
      const copy = bytes.slice();
      this.#reply({ type: "span", id, index, bytes: copy, problem }, [copy.buffer]);
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
