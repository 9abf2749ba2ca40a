import { ClipError, fromPlainError } from "../base/mod.ts";
import { DigestThread } from "./digest_thread.ts";
import { takeLayerWorker } from "./early.ts";
import type { FromLayerWorker, ToLayerWorker } from "./layer_messages.ts";
import type { LayerIndexKey } from "./layer_index.ts";
import type { InflateName } from "../codec/mod.ts";
import type { ScanBounds } from "./layer_scan.ts";

/** Pieces under way to a Worker before the network has to wait. */
const MAX_PIECES_UNDER_WAY = 4;
/** Network chunks are gathered to pieces of this size: a message costs as much as scanning some KiB. */
const PIECE_BYTES = 1024 * 1024;

/** A layer to be scanned. */
export interface LayerJob {
  readonly mediaType: string;
  /** Names the layer and the options. */
  readonly key: LayerIndexKey;
  /** Who inflates. */
  readonly inflate: InflateName;
  /** Where the scan gives up. */
  readonly bounds: ScanBounds;
  /** Plain offsets that are to have a checkpoint, ascending. */
  readonly starts: readonly number[];
  /** The compressed bytes in order; their buffers are used up. */
  readonly chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Told of each chunk as it arrives, before it is scanned. */
  readonly onCompressed: (chunk: Uint8Array) => void;
  /** Told how many plain bytes have been scanned so far. */
  readonly onPlain: (plainBytes: number) => void;
}

/** A Worker that scans layers one at a time, and one that digests for it where that is wanted. */
export class LayerScanThread {
  #worker: Worker;
  #digestThread: DigestThread | undefined;
  #underWay = 0;
  #wake: (() => void) | undefined;
  #result: Uint8Array | undefined;
  #error: Error | undefined;
  #onPlain: (plainBytes: number) => void = () => {};

  /** Starts the Workers. @param options `digestApart`: whether plain bytes are digested in a thread of their own. */
  constructor({ digestApart }: { digestApart: boolean }) {
    this.#worker = takeLayerWorker();
    this.#worker.onmessage = ({ data }: MessageEvent<FromLayerWorker>) => this.#onMessage(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new ClipError("internal", `internal error: layer worker: ${event.message}`));
    };
    if (!digestApart) return;
    this.#digestThread = new DigestThread((error) => this.#fail(error));
    const { port } = this.#digestThread;
    this.#post({ type: "digester", port }, [port]);
  }

  #onMessage(message: FromLayerWorker): void {
    if (message.type === "taken") {
      this.#underWay--;
      this.#onPlain(message.plainBytes);
    } else if (message.type === "done") this.#result = message.body;
    else return this.#fail(fromPlainError(message.error));
    this.#wake?.();
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#wake?.();
  }

  /**
   * Scans one layer, and returns the body of its layer index; the bytes wait where the Worker falls behind.
   * @throws what the chunks, the callbacks or the scan throw; after that the thread is of no more use.
   */
  async scan(job: LayerJob): Promise<Uint8Array> {
    this.#onPlain = job.onPlain;
    this.#post({
      type: "start",
      mediaType: job.mediaType,
      key: job.key,
      inflate: job.inflate,
      bounds: job.bounds,
      starts: job.starts,
    });
    for await (const piece of gather(job.chunks, job.onCompressed)) {
      this.#underWay++;
      this.#post({ type: "bytes", bytes: piece }, [piece.buffer]);
      await this.#until(() => this.#underWay < MAX_PIECES_UNDER_WAY);
    }
    this.#post({ type: "end" });
    await this.#until(() => this.#result !== undefined);
    const body = this.#result!;
    this.#result = undefined;
    return body;
  }

  /** Ends the Workers at once. */
  close(): void {
    this.#worker.terminate();
    this.#digestThread?.close();
  }

  #post(message: ToLayerWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (this.#error === undefined && !condition()) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#error !== undefined) throw this.#error;
  }
}

/** Chunks joined to pieces of at least {@linkcode PIECE_BYTES}, in buffers of their own; chunks are used up. */
async function* gather(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  onChunk: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const join = () => {
    const piece = new Uint8Array(heldBytes);
    let at = 0;
    for (const chunk of held) {
      piece.set(chunk, at);
      at += chunk.length;
    }
    held = [];
    heldBytes = 0;
    return piece;
  };
  for await (const chunk of chunks) {
    onChunk(chunk);
    if (heldBytes === 0 && chunk.length >= PIECE_BYTES && chunk.length === chunk.buffer.byteLength) {
      yield chunk;
      continue;
    }
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes >= PIECE_BYTES) yield join();
  }
  if (heldBytes > 0) yield join();
}
