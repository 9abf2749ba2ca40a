import { ClipError, fromPlainError } from "../base/mod.ts";
import { DigestRecord, type DigestStart, type FromDigestWorker } from "./digest_messages.ts";
import type { PlainDigester, PlainDigests, SpanLimits } from "./plain_digester.ts";
import { createRing, RingWriter } from "./record_ring.ts";

/** Room for the plain bytes that one thread has made and the other has not digested. */
const RING_BYTES = 8 * 1024 * 1024;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Digests in a Worker of its own, so that a core inflates while another digests: two sha256 over all plain bytes cost
 * half as much as inflating them. For one stream after another. Writing blocks while the ring is full.
 */
export class DigestThread {
  #worker: Worker;
  #failed: ((error: Error) => void) | undefined;

  /** Starts the Worker. */
  constructor() {
    this.#worker = new Worker(new URL("./digest_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#failed?.(new ClipError("internal", `internal error: digest worker: ${event.message}`));
    };
  }

  /** Begins a stream; the one before must have ended. */
  start(limits: SpanLimits): PlainDigester & { finish(): Promise<PlainDigests> } {
    const ring = createRing(RING_BYTES);
    const writer = new RingWriter(ring);
    const offset = new DataView(new ArrayBuffer(8));
    const offsetBytes = new Uint8Array(offset.buffer);
    const result = Promise.withResolvers<PlainDigests>();
    result.promise.catch(() => {}); // told to whoever finishes; a scan that failed does not
    this.#failed = result.reject;
    this.#worker.onmessage = ({ data }: MessageEvent<FromDigestWorker>) => {
      if (data.type === "digests") result.resolve(data.digests);
      else result.reject(fromPlainError(data.error));
    };
    this.#worker.postMessage({ ring, limits } satisfies DigestStart);
    return {
      write: (bytes) => writer.put(DigestRecord.bytes, bytes),
      checkpoint: (plainOffset) => {
        offset.setFloat64(0, plainOffset, true);
        writer.put(DigestRecord.checkpoint, offsetBytes);
      },
      finish: () => {
        writer.put(DigestRecord.end, NO_BYTES);
        writer.flush();
        return result.promise;
      },
    };
  }

  /** Ends the Worker at once. */
  close(): void {
    this.#worker.terminate();
  }
}
