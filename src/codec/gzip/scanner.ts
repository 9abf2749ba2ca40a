import type { PlainSink, Scanner, ScanOptions } from "../codec.ts";
import { HISTORY_BYTES, type InflateEngine } from "./engine.ts";
import { type MemberHandler, MemberReader } from "./member_reader.ts";
import { createStrategy } from "./strategies/mod.ts";
import type { CheckpointStrategy, Place } from "./strategies/mod.ts";

/** A scan of a gzip blob: members → plain bytes for the sink, and checkpoints. */
export class GzipScanner implements Scanner, MemberHandler {
  plainOffset = 0;
  #engine: InflateEngine;
  #reader: MemberReader;
  #strategy: CheckpointStrategy | undefined;
  #options: ScanOptions;
  #sink: PlainSink;
  #memberPlainOffset = 0;

  /** The engine is the scanner's from now on. */
  constructor(engine: InflateEngine, options: ScanOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#sink = options.sink;
    this.#reader = new MemberReader(engine, this, { compressedBitOffset: 0, inDeflate: false });
  }

  push(compressed: Uint8Array): void {
    this.#reader.push(compressed);
  }

  finish(): void {
    this.#reader.finish();
    // After the last trailer: padding and garbage behind it are of no use to any reader.
    this.#strategy!.finish({ plainOffset: this.plainOffset, compressedBitOffset: this.#reader.usedBytes * 8 });
  }

  get limit(): number {
    const strategy = this.#strategy!;
    const limit = strategy.wantsFileStops ? Math.min(strategy.nextStop, this.#sink.nextStop) : strategy.nextStop;
    return limit > this.plainOffset ? limit : Infinity;
  }

  onMemberStart(compressedOffset: number): void {
    this.#memberPlainOffset = this.plainOffset;
    if (this.#strategy === undefined) {
      this.#strategy = createStrategy(this.#options.strategy, {
        spacingBytes: this.#options.spacingBytes,
        fileStarts: this.#sink.fileStarts,
        onCheckpoint: this.#options.onCheckpoint,
        history: (plainOffset, lengthBytes) => this.#history(plainOffset, lengthBytes),
        symbols: this.#engine.symbols,
      });
    } else this.#offer({ compressedBitOffset: compressedOffset * 8, atHeader: true, block: undefined });
  }

  onPlain(bytes: Uint8Array): boolean {
    this.plainOffset += bytes.length;
    this.#sink.write(bytes);
    this.#strategy!.advance(this.plainOffset);
    return false;
  }

  onBlockEnd(compressedBitOffset: number): void {
    this.#offer({ compressedBitOffset, atHeader: false, block: undefined });
  }

  onLimit(): void {
    const { symbols, bitOffset } = this.#engine;
    // Between two blocks, the end of the first has been offered already.
    if (symbols?.isInBlock !== true) return;
    const { headerBitOffset } = symbols;
    const block = () => {
      const header = this.#reader.blockHead();
      return { headerBitOffset, header: header.slice(0, symbols.headerBytes(header, headerBitOffset)) };
    };
    this.#offer({ compressedBitOffset: bitOffset, atHeader: false, block });
  }

  onSlide(): void {
    this.#strategy!.beforeSlide();
  }

  onTrailingGarbage(compressedOffset: number): void {
    this.#options.onWarning(`gzip: bytes from ${compressedOffset} on belong to no member and are ignored`);
  }

  #offer(place: Pick<Place, "compressedBitOffset" | "atHeader" | "block">): void {
    const { plainOffset } = this;
    const windowBytes = Math.min(plainOffset - this.#memberPlainOffset, HISTORY_BYTES);
    this.#strategy!.offer({ ...place, plainOffset, windowBytes });
  }

  #history(plainOffset: number, lengthBytes: number): Uint8Array {
    const endExclusive = this.#engine.outputEnd - (this.plainOffset - plainOffset);
    return this.#engine.output.subarray(endExclusive - lengthBytes, endExclusive);
  }
}
