/** No compression: plain and compressed bytes are the same, and every byte is a place to start at. */
import { type Checkpoint, CheckpointKind, type Codec, type DecodeOptions, type Decoder } from "../codec.ts";
import { MAX_CHECKPOINT_LAG_BYTES, type Scanner, type ScanOptions } from "../codec.ts";
import { Cuts } from "../cuts.ts";
import { NO_WINDOW } from "../window.ts";

/** Layers that are not compressed. Checkpoints lie exactly on the spacing and on the starts of large files. */
export const none: Codec = {
  name: "none",
  scanner: (options: ScanOptions): Scanner => new NoneScanner(options),
  decoder: (options: DecodeOptions): Decoder => new NoneDecoder(options),
};

class NoneScanner implements Scanner {
  #options: ScanOptions;
  #cuts: Cuts;
  #plainOffset = 0;
  /** Of the last checkpoint; −1 before the first. */
  #lastPlainOffset = -1;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#cuts = new Cuts(options.cuts);
  }

  push(compressed: Uint8Array): void {
    if (compressed.length === 0) return;
    if (this.#lastPlainOffset < 0) this.#emit(CheckpointKind.start, 0);
    for (let at = 0; at < compressed.length; at += MAX_CHECKPOINT_LAG_BYTES) {
      const piece = compressed.subarray(at, at + MAX_CHECKPOINT_LAG_BYTES);
      this.#plainOffset += piece.length;
      this.#options.sink.write(piece);
      for (let next = this.#cuts.next; next <= this.#plainOffset; next = this.#cuts.next) {
        this.#cuts.offer(next, next * 8);
      }
      this.#settle();
    }
  }

  finish(): void {
    if (this.#lastPlainOffset < 0) this.#emit(CheckpointKind.start, 0);
    this.#emit(CheckpointKind.final, this.#plainOffset);
  }

  /** Makes the checkpoints before the end of what was seen; one exactly there waits, for the stream may end there. */
  #settle(): void {
    const { spacingBytes, sink: { fileStarts } } = this.#options;
    for (;;) {
      while (fileStarts.length > 0 && fileStarts[0]! <= this.#lastPlainOffset) fileStarts.shift();
      const intervalAt = this.#lastPlainOffset + spacingBytes;
      const fileAt = fileStarts[0] ?? Infinity;
      const nextAt = Math.min(intervalAt, fileAt);
      if (nextAt >= this.#plainOffset) return;
      this.#emit(nextAt === intervalAt ? CheckpointKind.interval : CheckpointKind.file, nextAt);
    }
  }

  #emit(kind: CheckpointKind, plainOffset: number): void {
    this.#lastPlainOffset = plainOffset;
    const checkpoint: Checkpoint = {
      kind,
      plainOffset,
      compressedBitOffset: plainOffset * 8,
      window: NO_WINDOW,
      prefixBytes: 0,
      atHeader: false,
      block: undefined,
    };
    this.#options.onCheckpoint(checkpoint);
  }
}

class NoneDecoder implements Decoder {
  #onPlain: (bytes: Uint8Array) => void;
  #missingBytes: number;

  constructor({ plainBytes, onPlain }: DecodeOptions) {
    this.#missingBytes = plainBytes;
    this.#onPlain = onPlain;
  }

  push(compressed: Uint8Array): boolean {
    const wanted = compressed.length > this.#missingBytes ? compressed.subarray(0, this.#missingBytes) : compressed;
    this.#missingBytes -= wanted.length;
    if (wanted.length > 0) this.#onPlain(wanted);
    return this.#missingBytes === 0;
  }
}
