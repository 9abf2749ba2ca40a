import { MAX_CHECKPOINT_LAG_BYTES, type Scanner, type ScanOptions } from "../codec.ts";
import { MAX_ENTERED_WINDOW_BYTES, packBlockState } from "./block_state.ts";
import { Cuts } from "../cuts.ts";
import type { FrameHeader } from "./frame_header.ts";
import { type FrameHandler, FrameReader } from "./frame_reader.ts";
import { MAX_BLOCK_BYTES, ZstdKernel } from "./kernel/kernel.ts";
import { Places } from "./places.ts";

/** A scan of a zstd blob: frames → plain bytes for the sink, and checkpoints. */
export class ZstdScanner implements Scanner, FrameHandler {
  #kernel = new ZstdKernel();
  #reader: FrameReader = new FrameReader(this.#kernel, this, 0);
  #options: ScanOptions;
  #cuts: Cuts;
  #places: Places | undefined;
  #plainOffset = 0;
  #frame: FrameHeader | undefined;
  #framePlainOffset = 0;
  /** Whether the current frame's blocks are places to start at. */
  #entersBlocks = false;

  /** Nothing pushed yet. */
  constructor(options: ScanOptions) {
    this.#options = options;
    this.#cuts = new Cuts(options.cuts);
  }

  push(compressed: Uint8Array): void {
    if (compressed.length > 0) this.#start();
    this.#reader.push(compressed);
  }

  finish(): void {
    const places = this.#start();
    this.#reader.finish();
    places.finish(this.#plainOffset, this.#reader.offset);
  }

  #start(): Places {
    const { spacingBytes, onCheckpoint, sink, strategy } = this.#options;
    return this.#places ??= new Places({
      spacingBytes,
      onCheckpoint,
      fileStarts: strategy === "file" || strategy === "exact" ? sink.fileStarts : [],
      history: (plainOffset, lengthBytes) => this.#history(plainOffset, lengthBytes),
    });
  }

  #history(plainOffset: number, lengthBytes: number): Uint8Array {
    return this.#kernel.newest(this.#plainOffset - plainOffset + lengthBytes).subarray(0, lengthBytes);
  }

  onFrameStart(compressedOffset: number, frame: FrameHeader): number {
    const plainOffset = this.#plainOffset;
    this.#cuts.offer(plainOffset, compressedOffset * 8);
    if (compressedOffset > 0) {
      this.#start().offerFrame({ plainOffset, compressedOffset, state: undefined, windowBytes: 0, historyBytes: 0 });
    }
    this.#frame = frame;
    this.#framePlainOffset = plainOffset;
    const { windowBytes } = frame;
    this.#entersBlocks = this.#options.strategy !== "interval" && windowBytes <= MAX_ENTERED_WINDOW_BYTES;
    this.#kernel.notesReferences = this.#entersBlocks;
    if (!this.#entersBlocks) return windowBytes;
    // To a place whose window is being made, or that is still looked at, and as far back from it as matches reach.
    return 2 * windowBytes + MAX_CHECKPOINT_LAG_BYTES + MAX_BLOCK_BYTES;
  }

  onPlain(bytes: Uint8Array): boolean {
    const plainOffset = this.#plainOffset;
    this.#plainOffset += bytes.length;
    this.#options.sink.write(bytes);
    this.#places!.addBlock(plainOffset, this.#plainOffset, this.#kernel.references);
    return false;
  }

  onBlockEnd(compressedOffset: number): void {
    const plainOffset = this.#plainOffset;
    this.#cuts.offer(plainOffset, compressedOffset * 8);
    if (!this.#entersBlocks || !this.#places!.wants(plainOffset)) return;
    const state = packBlockState(this.#frame!, this.#kernel.saveState());
    const { windowBytes } = this.#frame!;
    const historyBytes = Math.min(windowBytes, plainOffset - this.#framePlainOffset);
    this.#places!.offerBlock({ plainOffset, compressedOffset, state, windowBytes, historyBytes });
  }
}
