import type { PlainSink, Scanner, ScanOptions } from "../codec.ts";
import { Cuts } from "../cuts.ts";
import { BlockHeads } from "./block_heads.ts";
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
  #heads = new BlockHeads();
  #cuts: Cuts;
  /** Where the engine is to stop for the strategy's sake. */
  #strategyStop = Infinity;

  /** The engine is the scanner's from now on. */
  constructor(engine: InflateEngine, options: ScanOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#sink = options.sink;
    this.#cuts = new Cuts(options.cuts);
    this.#reader = new MemberReader(engine, this, {
      compressedBitOffset: 0,
      inDeflate: false,
      heads: this.#heads,
    });
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
    const stop = strategy.wantsFileStops ? Math.min(strategy.nextStop, this.#sink.nextStop) : strategy.nextStop;
    this.#strategyStop = stop > this.plainOffset ? stop : Infinity;
    return this.#cuts.next > this.plainOffset ? Math.min(this.#strategyStop, this.#cuts.next) : this.#strategyStop;
  }

  onMemberStart(compressedOffset: number): void {
    this.#strategy?.endMember();
    this.#memberPlainOffset = this.plainOffset;
    if (this.#strategy === undefined) {
      this.#strategy = createStrategy(this.#options.strategy, {
        spacingBytes: this.#options.spacingBytes,
        fileStarts: this.#sink.fileStarts,
        onCheckpoint: this.#options.onCheckpoint,
        windowBytes: (plainOffset) => this.#windowBytes(plainOffset),
        history: (plainOffset, lengthBytes) => this.#history(plainOffset, lengthBytes),
        blockAt: (compressedBitOffset) => this.#heads.at(compressedBitOffset),
        symbols: this.#engine.symbols,
      });
    } else this.#offer({ compressedBitOffset: compressedOffset * 8, atHeader: true, inBlock: false });
  }

  onPlain(bytes: Uint8Array): boolean {
    this.plainOffset += bytes.length;
    this.#sink.write(bytes);
    this.#strategy!.advance(this.plainOffset);
    return false;
  }

  onBlockEnd(compressedBitOffset: number): void {
    this.#cuts.offer(this.plainOffset, compressedBitOffset);
    this.#offer({ compressedBitOffset, atHeader: false, inBlock: false });
  }

  onLimit(): void {
    const { symbols, bitOffset } = this.#engine;
    // Between two blocks, the end of the first has been offered already.
    if (symbols?.isInBlock !== true) return;
    this.#cuts.offer(this.plainOffset, bitOffset);
    if (this.plainOffset < this.#strategyStop) return;
    this.#offer({ compressedBitOffset: bitOffset, atHeader: false, inBlock: true });
  }

  onSlide(): void {
    this.#strategy!.beforeSlide();
  }

  onTrailingGarbage(compressedOffset: number): void {
    this.#options.onWarning(`gzip: bytes from ${compressedOffset} on belong to no member and are ignored`);
  }

  #offer(place: Omit<Place, "plainOffset">): void {
    this.#strategy!.offer({ ...place, plainOffset: this.plainOffset });
  }

  #windowBytes(plainOffset: number): number {
    return Math.min(plainOffset - this.#memberPlainOffset, HISTORY_BYTES);
  }

  #history(plainOffset: number, lengthBytes: number): Uint8Array {
    const endExclusive = this.#engine.outputEnd - (this.plainOffset - plainOffset);
    return this.#engine.output.subarray(endExclusive - lengthBytes, endExclusive);
  }
}
