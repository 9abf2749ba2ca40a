import { setImmediate } from "node:timers";
import type { FromDecoder, ToDecoder } from "./decode_messages.ts";
import { DecodeServer } from "./decode_server.ts";

/** Takes jobs and tells what came of them: a Worker, or this very thread. */
export interface DecodeThread {
  /** Sends a message; buffers in `transfer` are given away. */
  post(message: ToDecoder, transfer?: Transferable[]): void;
  /** Ends it; nothing is told afterwards. */
  close(): void;
}

/** What a thread tells. */
export interface DecodeThreadEvents {
  /** Answers, in order. */
  onMessages(messages: readonly FromDecoder[]): void;
  /** The thread died, or never came to life; it is of no more use. */
  onCrash(problem: string): void;
}

/** Starts a Worker. Its first message is `ready`. */
export function startDecodeWorker(events: DecodeThreadEvents): DecodeThread {
  const worker = new Worker(new URL("./decode_worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<readonly FromDecoder[]>) => events.onMessages(data);
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    events.onCrash(event.message);
  };
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    close: () => worker.terminate(),
  };
}

/** Decodes in this thread, a message at a time, so that others have their turns. */
export function decodeInPlace(events: DecodeThreadEvents): DecodeThread {
  let isClosed = false;
  const server = new DecodeServer((messages) => {
    if (!isClosed) events.onMessages(messages);
  });
  return {
    post: (message) => void setImmediate(() => server.handle(message)),
    close: () => void (isClosed = true),
  };
}
