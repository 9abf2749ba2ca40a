import type { PlainSink, Scanner, ScanOptions } from "../codec.ts";
import { CheckpointPicker } from "./checkpoint_picker.ts";
import { HISTORY_BYTES, type InflateEngine } from "./engine.ts";
import { type MemberHandler, MemberReader } from "./member_reader.ts";

/** A scan of a gzip blob: members → plain bytes for the sink, and checkpoints. */
export class GzipScanner implements Scanner, MemberHandler {
  #engine: InflateEngine;
  #reader: MemberReader;
  #picker: CheckpointPicker | undefined;
  #options: ScanOptions;
  #sink: PlainSink;
  #plainOffset = 0;
  #memberPlainOffset = 0;

  /** The engine is the scanner's from now on. */
  constructor(engine: InflateEngine, options: ScanOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#sink = options.sink;
    this.#reader = new MemberReader(engine, this, { compressedBitOffset: 0, window: undefined });
  }

  push(compressed: Uint8Array): void {
    this.#reader.push(compressed);
  }

  finish(): void {
    this.#reader.finish();
    // After the last trailer: padding and garbage behind it are of no use to any reader.
    this.#picker!.finish({ plainOffset: this.#plainOffset, compressedBitOffset: this.#reader.usedBytes * 8 });
  }

  onMemberStart(compressedOffset: number): void {
    this.#memberPlainOffset = this.#plainOffset;
    if (this.#picker === undefined) {
      this.#picker = new CheckpointPicker({
        spacingBytes: this.#options.spacingBytes,
        fileStarts: this.#sink.fileStarts,
        onCheckpoint: this.#options.onCheckpoint,
        history: (plainOffset, lengthBytes) => this.#history(plainOffset, lengthBytes),
      });
    } else {
      const compressedBitOffset = compressedOffset * 8;
      this.#picker.offer({ plainOffset: this.#plainOffset, compressedBitOffset, windowBytes: 0, atHeader: true });
    }
  }

  onPlain(bytes: Uint8Array): boolean {
    this.#plainOffset += bytes.length;
    this.#sink.write(bytes);
    this.#picker!.advance(this.#plainOffset);
    return false;
  }

  onBlockEnd(compressedBitOffset: number): void {
    const plainOffset = this.#plainOffset;
    const windowBytes = Math.min(plainOffset - this.#memberPlainOffset, HISTORY_BYTES);
    this.#picker!.offer({ plainOffset, compressedBitOffset, windowBytes, atHeader: false });
  }

  onSlide(): void {
    this.#picker!.keepWindow();
  }

  onTrailingGarbage(compressedOffset: number): void {
    this.#options.onWarning(`gzip: bytes from ${compressedOffset} on belong to no member and are ignored`);
  }

  #history(plainOffset: number, lengthBytes: number): Uint8Array {
    const endExclusive = this.#engine.outputEnd - (this.#plainOffset - plainOffset);
    return this.#engine.output.subarray(endExclusive - lengthBytes, endExclusive);
  }
}
