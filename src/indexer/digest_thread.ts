import { SpanList } from "../archive/mod.ts";
import { ClipError, fromPlainError } from "../base/mod.ts";
import type { DigestStart, FromDigestWorker } from "./digest_messages.ts";
import type { PlainDigester } from "./plain_digester.ts";
import { createPlainRing, PlainRingWriter } from "./plain_ring.ts";
import { type PlainDigests, ringBytes, type SpanLimits } from "./stream_digester.ts";

/**
 * A Worker that digests plain streams, so that a core inflates while another digests: two sha256 over all plain bytes
 * cost half as much as inflating them. Started by a thread that never blocks, since a Worker comes up by the help of the
 * one that started it; used, by a `ThreadDigester`, in another.
 */
export class DigestThread {
  /** The end to give to a `ThreadDigester`. */
  readonly port: MessagePort;
  #worker: Worker;

  /** Starts the Worker. @param onError Told when it fails as a whole. */
  constructor(onError: (error: Error) => void) {
    this.#worker = new Worker(new URL("./digest_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      onError(new ClipError("internal", `internal error: digest worker: ${event.message}`));
    };
    const { port1, port2 } = new MessageChannel();
    this.#worker.postMessage(port1, [port1]);
    this.port = port2;
  }

  /** Ends the Worker at once. */
  close(): void {
    this.#worker.terminate();
  }
}

/** Has one plain stream after another digested by a `DigestThread`. Writing blocks while the ring is full. */
export class ThreadDigester {
  #port: MessagePort;

  /** @param port That of a thread, used by nobody else. */
  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Begins a stream; the one before must have ended. */
  start(limits: SpanLimits): PlainDigester & { finish(): Promise<PlainDigests> } {
    const ring = createPlainRing(ringBytes(limits));
    const writer = new PlainRingWriter(ring);
    const result = Promise.withResolvers<PlainDigests>();
    result.promise.catch(() => {}); // told to whoever finishes; a scan that failed does not
    this.#port.onmessage = ({ data }: MessageEvent<FromDigestWorker>) => {
      if (data.type === "digests") result.resolve({ diffId: data.diffId, spans: new SpanList(data.spanRecords) });
      else result.reject(fromPlainError(data.error));
    };
    this.#port.postMessage({ ring, limits } satisfies DigestStart);
    return {
      write: (bytes) => writer.write(bytes),
      checkpoint: (plainOffset) => writer.mark(plainOffset),
      // Below zero, so that it is told from a checkpoint: none is at 0.
      cut: (plainOffset) => writer.mark(-plainOffset),
      finish: () => {
        writer.end();
        return result.promise;
      },
    };
  }
}
