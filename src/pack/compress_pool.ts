import { ClipError } from "../base/mod.ts";
import type { CompressedChunk, Compression, CompressRequest } from "./compress_messages.ts";

/** More threads than this would wait for the one that reads files. */
const MAX_WORKERS = 16;

/** A chunk on its way. */
interface Waiting {
  readonly resolve: (chunk: CompressedChunk) => void;
  readonly reject: (error: unknown) => void;
}

/** Threads that compress chunks, each one after another. */
export class CompressPool {
  /** How many there are. */
  readonly size: number = Math.max(1, Math.min(navigator.hardwareConcurrency, MAX_WORKERS));
  #compression: Compression;
  #workers: { readonly worker: Worker; chunks: number }[] = [];
  #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #failure: ClipError | undefined;

  /** Starts the Workers. */
  constructor(compression: Compression) {
    this.#compression = compression;
    for (let number = 0; number < this.size; number++) this.#workers.push(this.#start());
  }

  /** The first `lengthBytes` of `buffer`, compressed. The buffer is the pool's until it is given back with the result. */
  compress(buffer: ArrayBuffer, lengthBytes: number): Promise<CompressedChunk> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const idlest = this.#workers.reduce((one, other) => other.chunks < one.chunks ? other : one);
      idlest.chunks++;
      const id = ++this.#lastId;
      const done = () => void idlest.chunks--;
      this.#waiting.set(id, {
        resolve: (chunk) => (done(), resolve(chunk)),
        reject: (error) => (done(), reject(error)),
      });
      const request: CompressRequest = { id, buffer, lengthBytes, compression: this.#compression };
      idlest.worker.postMessage(request, [buffer]);
    });
  }

  #start(): { readonly worker: Worker; chunks: number } {
    const worker = new Worker(new URL("./compress_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<CompressedChunk>) => {
      this.#waiting.get(data.id)?.resolve(data);
      this.#waiting.delete(data.id);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new ClipError("internal", `internal error: compress worker: ${event.message}`));
    };
    return { worker, chunks: 0 };
  }

  #end(error: ClipError): void {
    this.#failure ??= error;
    for (const { worker } of this.#workers) worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Ends the Workers; what is under way fails. */
  close(): void {
    this.#end(new ClipError("aborted", "packing has ended"));
  }
}
