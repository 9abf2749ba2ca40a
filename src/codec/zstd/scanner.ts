import type { PlainSink, Scanner, ScanOptions } from "../codec.ts";
import { BlockEnds } from "../gzip/strategies/block_ends.ts";
import type { CheckpointStrategy } from "../gzip/strategies/mod.ts";
import { type FrameHandler, FrameReader } from "./frame_reader.ts";
import { ZstdKernel } from "./kernel/kernel.ts";

/** Room for nothing: frames need no history. */
const NO_HISTORY = new Uint8Array(0);

/** A scan of a zstd blob: frames → plain bytes for the sink, and checkpoints at frames' starts. */
export class ZstdScanner implements Scanner, FrameHandler {
  #reader: FrameReader = new FrameReader(new ZstdKernel(), this, 0);
  #options: ScanOptions;
  #sink: PlainSink;
  #strategy: CheckpointStrategy | undefined;
  #plainOffset = 0;

  /** Nothing pushed yet. */
  constructor(options: ScanOptions) {
    this.#options = options;
    this.#sink = options.sink;
  }

  push(compressed: Uint8Array): void {
    if (compressed.length > 0) this.#start();
    this.#reader.push(compressed);
  }

  finish(): void {
    const strategy = this.#start();
    this.#reader.finish();
    strategy.finish({ plainOffset: this.#plainOffset, compressedBitOffset: this.#reader.offset * 8 });
  }

  #start(): CheckpointStrategy {
    return this.#strategy ??= new BlockEnds({
      spacingBytes: this.#options.spacingBytes,
      fileStarts: this.#options.strategy === "interval" ? [] : this.#sink.fileStarts,
      onCheckpoint: this.#options.onCheckpoint,
      windowBytes: () => 0,
      history: () => NO_HISTORY,
    });
  }

  onFrameStart(compressedOffset: number): void {
    if (compressedOffset === 0) return;
    this.#strategy!.offer({
      plainOffset: this.#plainOffset,
      compressedBitOffset: compressedOffset * 8,
      atHeader: true,
      inBlock: false,
    });
  }

  onPlain(bytes: Uint8Array): boolean {
    this.#plainOffset += bytes.length;
    this.#sink.write(bytes);
    this.#strategy!.advance(this.#plainOffset);
    return false;
  }
}
