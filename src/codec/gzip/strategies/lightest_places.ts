import { type BlockHead, CheckpointKind } from "../../codec.ts";
import { markedWindow, NO_WINDOW, wholeWindow, type Window } from "../../window.ts";
import { HISTORY_BYTES } from "../engine.ts";
import type { CheckpointStrategy, Place, SymbolStrategyOptions } from "./strategy.ts";

/** The search for an interval's place goes this far to both sides of the spacing, or a quarter of it if that is less. */
const MAX_REACH_BYTES = 1024 * 1024;
/** A window this light is taken at once. */
const LIGHT_ENOUGH_BYTES = 160;
/** Nearer than this a search would not be over when the next begins: the spacing is this at least. */
const MIN_SPACING_BYTES = 8 * HISTORY_BYTES;
/** Where there are no block ends, places inside the block are tried at this distance. */
const IN_BLOCK_STEP_BYTES = 48 * 1024;
/** Between files, places are tried at this distance. */
const FILE_STEP_BYTES = 8 * 1024;
/** A match that lies across a file's first byte ends at most so far behind it. Source: RFC 1951, the longest match. */
const MAX_PREFIX_BYTES = 257;

/** A place whose window is being traced, or has been. */
interface Candidate {
  readonly kind: CheckpointKind;
  /** The plain byte that the checkpoint is for. */
  readonly plainOffset: number;
  readonly prefixBytes: number;
  /** Where decoding would start; the plain offset there is `plainOffset` + `prefixBytes`. */
  readonly compressedBitOffset: number;
  readonly windowBytes: number;
  readonly atHeader: boolean;
  readonly block: BlockHead | undefined;
  /** The trace; −1 where none is needed. */
  readonly slot: number;
}

/**
 * Chooses places with light windows: of a window only the bytes count that the following output refers to, and they
 * differ between places by two orders of magnitude.
 *
 * Every candidate is traced: the engine marks what the next HISTORY_BYTES refer to, after which the window is known, and
 * stops there, so that it can be copied while the bytes before the candidate are still held. An interval's candidates
 * are the block ends and, where the engine stops at them anyway, the boundaries between files around the spacing; where
 * there are none (one block may be the whole stream), places inside the block. The lightest wins once the search has passed its reach, or a file's checkpoint makes it superfluous.
 */
export class LightestPlaces implements CheckpointStrategy {
  readonly wantsFileStops: boolean;
  #options: SymbolStrategyOptions;
  #spacingBytes: number;
  #reachBytes: number;
  #lastPlainOffset = 0;
  /** The last candidate inside a block. */
  #triedPlainOffset = 0;
  /** Ascending; traces under way. */
  #traced: Candidate[] = [];
  #freeSlots: number[];
  #best: { candidate: Candidate; window: Window; costBytes: number } | undefined;
  /** Where to try a place inside the block, if no block end comes before. */
  #inBlockStop: number;

  /** Makes the start checkpoint at once. */
  constructor(options: SymbolStrategyOptions, { atFiles }: { atFiles: boolean }) {
    this.#options = options;
    this.wantsFileStops = atFiles;
    this.#spacingBytes = Math.max(options.spacingBytes, MIN_SPACING_BYTES);
    this.#reachBytes = Math.min(MAX_REACH_BYTES, Math.floor(this.#spacingBytes / 4));
    this.#freeSlots = Array.from({ length: options.symbols.traceSlots }, (_, slot) => slot);
    this.#inBlockStop = this.#spacingBytes;
    options.onCheckpoint({
      kind: CheckpointKind.start,
      plainOffset: 0,
      compressedBitOffset: 0,
      window: NO_WINDOW,
      prefixBytes: 0,
      atHeader: true,
      block: undefined,
    });
  }

  get nextStop(): number {
    if (this.#traced.length > 0) return placeOffset(this.#traced[0]!) + HISTORY_BYTES;
    return this.#best === undefined ? this.#inBlockStop : this.#searchEnd;
  }

  get #searchEnd(): number {
    return this.#lastPlainOffset + this.#spacingBytes + this.#reachBytes;
  }

  /** Whether there is an interval's candidate already. */
  get #isSearching(): boolean {
    return this.#best !== undefined || this.#traced.some(({ kind }) => kind !== CheckpointKind.file);
  }

  /** @see CheckpointStrategy.offer */
  offer(place: Place): void {
    // A member's history ends with it: nothing can be added to the traces.
    if (place.atHeader) this.#weighAll(Infinity);
    const file = this.#takeFileStart(place.plainOffset);
    if (file >= 0 && file > this.#lastPlainOffset) return this.#trace(place, CheckpointKind.file, file);
    if (place.plainOffset < this.#lastPlainOffset + this.#spacingBytes - this.#reachBytes) return;
    // Further out, the first that comes will do.
    if (place.plainOffset > this.#searchEnd && this.#isSearching) return;
    if (place.block === undefined) {
      this.#trace(place, place.atHeader ? CheckpointKind.member : CheckpointKind.interval, place.plainOffset);
    } else if (place.plainOffset >= this.#inBlockStop || this.#isFileBoundary(place)) {
      this.#inBlockStop = place.plainOffset + IN_BLOCK_STEP_BYTES;
      this.#triedPlainOffset = place.plainOffset;
      this.#trace(place, CheckpointKind.interval, place.plainOffset);
    }
  }

  /**
   * Whether it is one of the sink's stops, between two files: there the contents change, and little is referred to. Not
   * all of them are tried, for a trace costs time.
   */
  #isFileBoundary(place: Place): boolean {
    return this.wantsFileStops && place.plainOffset >= this.#triedPlainOffset + FILE_STEP_BYTES;
  }

  /** The large file that begins at `plainOffset`, or less than a match before it; −1 where there is none. */
  #takeFileStart(plainOffset: number): number {
    const { fileStarts } = this.#options;
    let found = -1;
    while (fileStarts.length > 0 && fileStarts[0]! <= plainOffset) found = fileStarts.shift()!;
    return plainOffset - found <= MAX_PREFIX_BYTES ? found : -1;
  }

  #trace(place: Place, kind: CheckpointKind, plainOffset: number): void {
    const needsTrace = place.windowBytes > 0;
    if (needsTrace && this.#freeSlots.length === 0) {
      if (kind !== CheckpointKind.file) return;
      this.#dropIntervals();
      if (this.#freeSlots.length === 0) return;
    }
    // The lowest: the engine looks through all up to the highest in use.
    const slot = needsTrace ? Math.min(...this.#freeSlots) : -1;
    this.#freeSlots = this.#freeSlots.filter((free) => free !== slot);
    if (needsTrace) this.#options.symbols.startTrace(slot);
    const { compressedBitOffset, windowBytes, atHeader } = place;
    const prefixBytes = place.plainOffset - plainOffset;
    const block = place.block?.();
    this.#traced.push({ kind, plainOffset, prefixBytes, compressedBitOffset, windowBytes, atHeader, block, slot });
    if (!needsTrace) this.#weighAll(Infinity);
  }

  /** @see CheckpointStrategy.advance */
  advance(plainOffset: number): void {
    this.#weighAll(plainOffset);
    if (this.#best === undefined || this.#traced.length > 0) return;
    if (this.#best.costBytes <= LIGHT_ENOUGH_BYTES || plainOffset >= this.#searchEnd) this.#emitBest();
  }

  /** Weighs the candidates whose traces are complete once all bytes before `plainOffset` have been made. */
  #weighAll(plainOffset: number): void {
    while (this.#traced.length > 0 && placeOffset(this.#traced[0]!) + HISTORY_BYTES <= plainOffset) {
      const candidate = this.#traced.shift()!;
      if (candidate.kind === CheckpointKind.file) this.#settleFile(candidate, this.#takeWindow(candidate));
      else this.#weigh(candidate);
      this.#freeSlot(candidate);
    }
  }

  /** Keeps the candidate if it is the lightest so far; only then is its window worth the making. */
  #weigh(candidate: Candidate): void {
    const markedBytes = candidate.slot < 0 ? 0 : this.#options.symbols.tracedBytes(candidate.slot);
    const costBytes = markedBytes + (candidate.block?.header.length ?? 0);
    if (this.#best !== undefined && costBytes >= this.#best.costBytes) return;
    this.#best = { candidate, window: this.#takeWindow(candidate), costBytes };
  }

  #takeWindow(candidate: Candidate): Window {
    const { symbols, history } = this.#options;
    if (candidate.slot < 0) return wholeWindow(history(placeOffset(candidate), candidate.prefixBytes));
    const bytes = history(placeOffset(candidate), candidate.windowBytes);
    return markedWindow(bytes, symbols.traceMap(candidate.slot), candidate.prefixBytes);
  }

  /** A file's checkpoint is made whatever it weighs; the interval's before it only if it is needed to keep the spacing. */
  #settleFile(candidate: Candidate, window: Window): void {
    if (this.#best !== undefined && candidate.plainOffset > this.#searchEnd) this.#emitBest();
    if (candidate.plainOffset > this.#lastPlainOffset) this.#emit(candidate, window);
    this.#dropIntervals();
  }

  #dropIntervals(): void {
    for (const candidate of this.#traced) if (candidate.kind !== CheckpointKind.file) this.#freeSlot(candidate);
    this.#traced = this.#traced.filter(({ kind }) => kind === CheckpointKind.file);
    this.#best = undefined;
  }

  #freeSlot({ slot }: Candidate): void {
    if (slot < 0) return;
    this.#options.symbols.stopTrace(slot);
    this.#freeSlots.push(slot);
  }

  #emitBest(): void {
    const { candidate, window } = this.#best!;
    this.#best = undefined;
    this.#emit(candidate, window);
  }

  #emit(candidate: Candidate, window: Window): void {
    const { slot: _slot, windowBytes: _windowBytes, ...place } = candidate;
    this.#lastPlainOffset = candidate.plainOffset;
    this.#inBlockStop = candidate.plainOffset + this.#spacingBytes;
    this.#options.onCheckpoint({ ...place, window });
  }

  beforeSlide(): void {}

  /** @see CheckpointStrategy.finish */
  finish({ plainOffset, compressedBitOffset }: { plainOffset: number; compressedBitOffset: number }): void {
    // Nothing starts at the very end, and a last span that is a little longer needs no checkpoint.
    this.#traced = this.#traced.filter((candidate) => candidate.plainOffset < plainOffset);
    this.#weighAll(Infinity);
    if (this.#best !== undefined && plainOffset > this.#searchEnd) this.#emitBest();
    this.#options.onCheckpoint({
      kind: CheckpointKind.final,
      plainOffset,
      compressedBitOffset,
      window: NO_WINDOW,
      prefixBytes: 0,
      atHeader: false,
      block: undefined,
    });
  }
}

/** The plain offset at which decoding would start. */
function placeOffset({ plainOffset, prefixBytes }: Candidate): number {
  return plainOffset + prefixBytes;
}
