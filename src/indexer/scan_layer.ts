import { assert, ClipError, formatBytes, GIB, KIB, MIB } from "../base/mod.ts";
import {
  MAX_SPAN_COMPRESSED_BYTES,
  packWindow,
  type Span,
  type SpanList,
  SpanListWriter,
  type StoredCheckpoint,
} from "../archive/mod.ts";
import {
  type Checkpoint,
  codecForLayer,
  FIRST_BYTES,
  type InflateName,
  MAX_CHECKPOINT_LAG_BYTES,
  type Scanner,
} from "../codec/mod.ts";
import { type TarEntry, TarScanner } from "../tar/mod.ts";
import { TooManyEntriesError } from "./entry_bound.ts";
import { EntryListWriter } from "./entry_list.ts";
import { unpacksToMore } from "./scan_bounds.ts";
import type { LayerScan, ScanBounds, ScanLayerOptions } from "./layer_scan.ts";
import { InlineDigester, type PlainDigester } from "./plain_digester.ts";
import type { PlainDigests, SpanLimits } from "./stream_digester.ts";

/**
 * Between checkpoints, spans are about so long, and no shorter than the other: a cold read waits for what comes before the
 * end of its span. Shorter ones would cost the archive 36 bytes each, and whoever decodes a message.
 */
const CUT_BYTES = 256 * KIB;
const MIN_SPAN_BYTES = CUT_BYTES / 2;
/** Spans are closed without a cut at twice the spacing, or at this. */
const LEAST_LONGEST_SPAN_BYTES = 4 * MIB;
/** All windows of a layer. A layer of 64 GiB whose every window is needed whole has so much at the usual spacing. */
const MAX_WINDOW_BYTES_IN_ALL = GIB;
/** A layer of more warnings than these is told of the rest in one line. */
const MAX_WARNINGS = 20;

/** How the spans of a scan with these options are cut. */
export function spanLimits({ spacingBytes }: ScanLayerOptions): SpanLimits {
  return {
    lagBytes: MAX_CHECKPOINT_LAG_BYTES,
    minSpanBytes: MIN_SPAN_BYTES,
    maxSpanBytes: Math.max(2 * spacingBytes, LEAST_LONGEST_SPAN_BYTES),
  };
}

/**
 * One pass over one layer: compressed bytes in, {@linkcode LayerScan} out. Holds no more of the layer than a codec's
 * buffers, what the span digester holds back, and the entries.
 */
export class LayerScanner {
  #options: ScanLayerOptions;
  #mediaType: string;
  #inflate: InflateName | undefined;
  #inline: InlineDigester | undefined;
  #codecName = "";
  #scanner: Scanner | undefined;
  #head = new Uint8Array(0);
  #compressedBytes = 0;
  #plainBytes = 0;
  #digester: PlainDigester;
  #tar: TarScanner;
  #entries = new EntryListWriter();
  #fileStarts: number[] = [];
  /** Further places for checkpoints, ascending; those before #nextStart are known to the codec. */
  #starts: readonly number[];
  #nextStart = 0;
  #checkpoints: StoredCheckpoint[] = [];
  #newest: Checkpoint | undefined;
  /** Compressed bits before each cut. */
  #cuts = new Map<number, number>();
  #windowBytes = 0;
  #bounds: ScanBounds | undefined;
  #warnings: string[] = [];
  #moreWarnings = 0;

  /**
   * Nothing pushed yet.
   * @param mediaType Of the layer's descriptor; the bytes themselves have the last word on the format.
   * @param tools `digester`: who takes the plain stream, instead of the scanner itself; then `drain` and `result` are to
   * be called in place of `finish`. `bounds`: default none. `starts`: plain offsets, ascending, that are to have a
   * checkpoint besides large files; default none.
   */
  constructor(
    mediaType: string,
    options: ScanLayerOptions,
    { inflate, digester, bounds, starts = [] }: {
      inflate?: InflateName;
      digester?: PlainDigester;
      bounds?: ScanBounds;
      starts?: readonly number[];
    } = {},
  ) {
    this.#inflate = inflate;
    this.#starts = hasFileCheckpoints(options) ? starts : [];
    this.#bounds = bounds;
    this.#inline = digester === undefined ? new InlineDigester(spanLimits(options)) : undefined;
    this.#digester = digester ?? this.#inline!;
    this.#mediaType = mediaType;
    this.#options = options;
    this.#tar = new TarScanner({
      onEntry: (entry) => this.#onEntry(entry),
      onWarning: (message) => this.#warn(message),
    });
  }

  /** Plain bytes seen so far. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** The next compressed bytes. @throws {CorruptError} @throws {ClipError} `limit` beyond the bounds. */
  push(compressed: Uint8Array): void {
    this.#compressedBytes += compressed.length;
    if (this.#scanner !== undefined) return this.#scanner.push(compressed);
    const head = new Uint8Array(this.#head.length + compressed.length);
    head.set(this.#head);
    head.set(compressed, this.#head.length);
    this.#head = head;
    if (head.length >= FIRST_BYTES) this.#start();
  }

  #start(): Scanner {
    const { codec, warning } = codecForLayer({ mediaType: this.#mediaType, firstBytes: this.#head });
    if (warning !== undefined) this.#warn(warning);
    this.#codecName = codec.name;
    const nextStop = () => Math.min(this.#tar.nextStop, this.#starts[this.#nextStart] ?? Infinity);
    this.#scanner = codec.scanner({
      strategy: this.#options.strategy,
      inflate: this.#inflate,
      spacingBytes: this.#options.spacingBytes,
      sink: {
        write: (bytes) => this.#onPlain(bytes),
        fileStarts: this.#fileStarts,
        get nextStop() {
          return nextStop();
        },
      },
      cuts: {
        everyBytes: CUT_BYTES,
        onCut: (plainOffset, compressedBitOffset) => {
          this.#cuts.set(plainOffset, compressedBitOffset);
          this.#digester.cut(plainOffset);
        },
      },
      onCheckpoint: (checkpoint) => this.#onCheckpoint(checkpoint),
      onWarning: (message) => this.#warn(message),
    });
    this.#scanner.push(this.#head);
    this.#head = new Uint8Array(0);
    return this.#scanner;
  }

  /** Says that the layer has been pushed whole. @throws {CorruptError} when it is not complete. */
  finish(): LayerScan {
    this.drain();
    return this.result(this.#inline!.finish());
  }

  /** The first half of `finish`: gives the digester the rest. @throws {CorruptError} when the layer is not complete. */
  drain(): void {
    (this.#scanner ?? this.#start()).finish();
    this.#keepCheckpoint();
    this.#tar.finish();
  }

  /** The second half of `finish`, with what the digester came to. */
  result({ diffId, spans }: PlainDigests): LayerScan {
    if (this.#moreWarnings > 0) this.#warnings.push(`${this.#moreWarnings} further warnings`);
    return {
      codec: this.#codecName,
      compressedBytes: this.#compressedBytes,
      plainBytes: this.#plainBytes,
      diffId,
      checkpoints: this.#checkpoints,
      spans: this.#withCompressedBytes(spans),
      entries: this.#entries.finish(),
      warnings: this.#warnings,
    };
  }

  #withCompressedBytes(spans: SpanList): SpanList {
    const writer = new SpanListWriter();
    let before: Span | undefined;
    for (const span of spans) {
      if (before !== undefined) writer.add({ ...before, compressedBytes: this.#compressedBytesTo(before, span) });
      before = span;
    }
    if (before !== undefined) writer.add(before);
    return writer.finish();
  }

  /** Those that make all of a span, from its checkpoint on; 0 where they are all up to the next checkpoint. */
  #compressedBytesTo(span: Span, next: Span): number {
    const end = this.#cuts.get(next.plainOffset);
    if (end === undefined || next.checkpoint !== span.checkpoint) return 0;
    const start = Math.floor(this.#checkpoints[span.checkpoint]!.compressedBitOffset / 8);
    const compressedBytes = Math.ceil(end / 8) - start;
    return compressedBytes > MAX_SPAN_COMPRESSED_BYTES ? 0 : compressedBytes;
  }

  #onPlain(bytes: Uint8Array): void {
    this.#plainBytes += bytes.length;
    if (this.#bounds !== undefined && this.#plainBytes > this.#bounds.plainBytes) throw unpacksToMore(this.#bounds);
    this.#digester.write(bytes);
    this.#tar.push(bytes);
    while (this.#starts[this.#nextStart]! <= this.#plainBytes) this.#addFileStart(this.#starts[this.#nextStart++]!);
  }

  /** Ascending, whoever knows of it first. */
  #addFileStart(plainOffset: number): void {
    let at = this.#fileStarts.length;
    while (at > 0 && this.#fileStarts[at - 1]! > plainOffset) at--;
    if (this.#fileStarts[at - 1] !== plainOffset) this.#fileStarts.splice(at, 0, plainOffset);
  }

  #onEntry(entry: TarEntry): void {
    if (this.#bounds !== undefined && this.#entries.length === this.#bounds.entries) {
      throw new TooManyEntriesError(this.#bounds.entries);
    }
    this.#entries.add(entry);
    const { fileCheckpointBytes } = this.#options;
    if (!hasFileCheckpoints(this.#options) || fileCheckpointBytes === null) return;
    if (entry.storedBytes >= fileCheckpointBytes && entry.storedBytes > 0) this.#addFileStart(entry.dataPlainOffset);
  }

  #onCheckpoint(checkpoint: Checkpoint): void {
    const { plainOffset } = checkpoint;
    assert(this.#plainBytes - plainOffset <= MAX_CHECKPOINT_LAG_BYTES, "a codec names a checkpoint too late");
    this.#digester.checkpoint(plainOffset);
    this.#keepCheckpoint();
    this.#newest = checkpoint;
  }

  /** Keeps the newest checkpoint, whose window is complete once the next one comes, or none does any more. */
  #keepCheckpoint(): void {
    const checkpoint = this.#newest;
    if (checkpoint === undefined) return;
    const { kind, plainOffset, compressedBitOffset, atHeader, prefixBytes, window, block } = checkpoint;
    const packedWindow = packWindow({ ...window, blockHeader: block?.header ?? new Uint8Array(0) });
    this.#windowBytes += packedWindow.length;
    if (this.#windowBytes > MAX_WINDOW_BYTES_IN_ALL) {
      throw new ClipError("limit", `its windows take more than ${formatBytes(MAX_WINDOW_BYTES_IN_ALL)}`);
    }
    this.#checkpoints.push({
      kind,
      plainOffset,
      compressedBitOffset,
      atHeader,
      prefixBytes,
      blockBitOffset: block?.headerBitOffset,
      packedWindow,
    });
  }

  #warn(message: string): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push(message);
    else this.#moreWarnings++;
  }
}

/** Whether the strategy takes places that it is told of. */
export function hasFileCheckpoints({ strategy }: ScanLayerOptions): boolean {
  return strategy === "exact" || strategy === "file";
}
