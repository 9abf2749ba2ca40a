import { ClipError } from "../../base/mod.ts";
import type { DecodedValue, DecodeRequest, EncodeRequest, ValueAnswer } from "./value_messages.ts";

/**
 * Turns spans into stored values and back in a Worker: node:zlib, streams included, holds up the event loop of Deno
 * for the tens of milliseconds that a span takes. The Worker starts at once, so that it is there for the first
 * value.
 */
export class ValueCoder {
  #waiting = new Map<number, { resolve: (answer: ValueAnswer) => void; reject: (error: Error) => void }>();
  #worker: Worker | undefined = this.#start();
  #lastId = 0;
  #isClosed = false;

  /**
   * The span in a stored value, with `plainBytes` and that sha256; undefined where there is something else in it.
   * `value` is the coder's from now on.
   */
  async decode(
    value: Uint8Array<ArrayBuffer>,
    span: { sha256: Uint8Array; plainBytes: number; keepsValue: boolean },
  ): Promise<DecodedValue | undefined> {
    // A part of a buffer would take the whole of it along.
    const sha256 = span.sha256.slice();
    const request: DecodeRequest = { type: "decode", id: ++this.#lastId, value, ...span, sha256 };
    const answer = await this.#ask(request, [value.buffer]);
    return answer.type === "decoded" ? answer.decoded : undefined;
  }

  /** A gzip stream of `bytes`; undefined where that is hardly smaller. */
  async encode(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const copy = new Uint8Array(bytes);
    const answer = await this.#ask({ type: "encode", id: ++this.#lastId, bytes: copy }, [copy.buffer]);
    return answer.type === "encoded" ? answer.gzip : undefined;
  }

  #ask(request: DecodeRequest | EncodeRequest, transfer: Transferable[]): Promise<ValueAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new ClipError("aborted", "the remote cache has been closed"));
      this.#waiting.set(request.id, { resolve, reject });
      (this.#worker ??= this.#start()).postMessage(request, transfer);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./value_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<ValueAnswer>) => {
      this.#waiting.get(data.id)?.resolve(data);
      this.#waiting.delete(data.id);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new ClipError("internal", `internal error: value worker: ${event.message}`));
    };
    return worker;
  }

  #end(error: ClipError): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Ends the Worker; what is under way fails. */
  close(): void {
    this.#isClosed = true;
    this.#end(new ClipError("aborted", "the remote cache has been closed"));
  }
}
