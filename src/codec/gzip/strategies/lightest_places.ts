import { type BlockHead, CheckpointKind } from "../../codec.ts";
import { markedWindow, NO_WINDOW, wholeWindow, type Window } from "../../window.ts";
import { CELL_BYTES, CELL_COUNT, HISTORY_BYTES } from "../engine.ts";
import type { CheckpointStrategy, Place, SymbolStrategyOptions } from "./strategy.ts";

/** The search for an interval's place goes this far to both sides of the spacing, or a quarter of it if that is less. */
const MAX_REACH_BYTES = 1024 * 1024;
/** Nearer than this a search would not be over when the next begins: the spacing is this at least. */
const MIN_SPACING_BYTES = 12 * HISTORY_BYTES;
/** A place this light is not searched beyond. */
const LIGHT_ENOUGH = 300;
/** What the header of a block costs in bytes of a window: it has about 105, which do not deflate as a window does. */
const HEADER_WEIGHT = 250;
/** The tally counts bytes that are referred to several times as often: it may be too high by so much. */
const TALLY_SHARE = 0.6;
/** Of so many cells the lightest is looked at. */
const BATCH_CELLS = 32;
/** While places wait to be weighed, the engine stops so often. */
const STEP_BYTES = 32 * 1024;
/** Ends of blocks are tried at this distance. */
const BLOCK_END_STEP_BYTES = CELL_BYTES;
/** A match that lies across a file's first byte ends at most so far behind it. Source: RFC 1951, the longest match. */
const MAX_PREFIX_BYTES = 257;

/** A place that is to be weighed. */
interface Candidate {
  readonly kind: CheckpointKind;
  /** The plain byte that the checkpoint is for. */
  readonly plainOffset: number;
  readonly prefixBytes: number;
  /** Where decoding would start; the plain offset there is `plainOffset` + `prefixBytes`. */
  readonly compressedBitOffset: number;
  readonly atHeader: boolean;
  /** Its header may have bytes behind it. */
  readonly block: BlockHead | undefined;
}

/** The part of a stream that an interval's place is looked for in. */
interface Search {
  /** Where the tally begins. */
  readonly origin: number;
  /** The weights of the cells that are final. */
  readonly weights: number[];
  /** Cells that have been looked at. */
  seen: number;
}

/**
 * Chooses places with light windows: of a window only the bytes count that the following output refers to, and they
 * differ between places by two orders of magnitude.
 *
 * Around each spacing the engine logs what is referred to, which tells of every place, once HISTORY_BYTES more have been
 * made, what a window there would hold. Ends of blocks are weighed one by one, for they need no header; of the places
 * between symbols those that the engine's tally shows to be light. The lightest wins once the search has passed its reach, unless a file's checkpoint has made it
 * superfluous. All is decided in the order of offsets, so that it does not depend on how the input comes.
 */
export class LightestPlaces implements CheckpointStrategy {
  readonly wantsFileStops: boolean;
  #options: SymbolStrategyOptions;
  #spacingBytes: number;
  #reachBytes: number;
  #plainOffset = 0;
  #lastPlainOffset = 0;
  /** Ascending; less than HISTORY_BYTES have been made behind them. */
  #waiting: Candidate[] = [];
  #search: Search | undefined;
  #isLogging = false;
  #best: { candidate: Candidate; window: Window; weight: number } | undefined;

  /** Makes the start checkpoint at once. */
  constructor(options: SymbolStrategyOptions, { atFiles }: { atFiles: boolean }) {
    this.#options = options;
    this.wantsFileStops = atFiles;
    this.#spacingBytes = Math.max(options.spacingBytes, MIN_SPACING_BYTES);
    this.#reachBytes = Math.min(MAX_REACH_BYTES, Math.floor(this.#spacingBytes / 4));
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
    const step = this.#isLogging ? this.#plainOffset + STEP_BYTES : Infinity;
    const next = this.#best !== undefined
      ? this.#decideAt
      : this.#search === undefined
      ? this.#searchStart
      : this.#searchEnd;
    return next > this.#plainOffset ? Math.min(next, step) : step;
  }

  get #searchStart(): number {
    return this.#lastPlainOffset + this.#spacingBytes - this.#reachBytes;
  }

  get #searchEnd(): number {
    return this.#lastPlainOffset + this.#spacingBytes + this.#reachBytes;
  }

  /** Until here a file could begin that makes the interval's checkpoint superfluous. */
  get #decideAt(): number {
    return this.#searchEnd + MAX_PREFIX_BYTES + 1;
  }

  /** Whether there is an interval's candidate already. */
  get #hasCandidate(): boolean {
    return this.#best !== undefined || this.#waiting.some(({ kind }) => kind !== CheckpointKind.file);
  }

  /** @see CheckpointStrategy.offer */
  offer(place: Place): void {
    const { plainOffset, compressedBitOffset, atHeader, inBlock } = place;
    const file = this.#takeFileStart(plainOffset);
    const isFile = file >= 0 && file > this.#lastPlainOffset;
    if (!isFile && !this.#isWanted(place)) return;
    const block = inBlock ? this.#options.blockAt(compressedBitOffset) : undefined;
    const kind = isFile ? CheckpointKind.file : atHeader ? CheckpointKind.member : CheckpointKind.interval;
    const forByte = isFile ? file : plainOffset;
    const prefixBytes = plainOffset - forByte;
    this.#waiting.push({ kind, plainOffset: forByte, prefixBytes, compressedBitOffset, atHeader, block });
    if (atHeader) this.#weighUpTo(Infinity);
    else this.#log();
  }

  /** Whether a place is to be weighed for an interval. */
  #isWanted({ plainOffset, atHeader, inBlock }: Place): boolean {
    if (this.#search === undefined && !(atHeader && plainOffset >= this.#searchStart)) return false;
    // Further out, the first that comes will do.
    if (plainOffset > this.#searchEnd && this.#hasCandidate) return false;
    if (inBlock) return plainOffset >= this.#searchEnd && !this.#hasCandidate;
    const last = this.#waiting.at(-1);
    return last === undefined || placeOffset(last) + BLOCK_END_STEP_BYTES <= plainOffset;
  }

  /** The large file that begins at `plainOffset`, or less than a match before it; −1 where there is none. */
  #takeFileStart(plainOffset: number): number {
    const { fileStarts } = this.#options;
    let found = -1;
    while (fileStarts.length > 0 && fileStarts[0]! <= plainOffset) found = fileStarts.shift()!;
    return plainOffset - found <= MAX_PREFIX_BYTES ? found : -1;
  }

  /** @see CheckpointStrategy.advance */
  advance(plainOffset: number): void {
    this.#plainOffset = plainOffset;
    if (this.#search === undefined && this.#best === undefined && plainOffset >= this.#searchStart) {
      this.#log();
      this.#options.symbols.startTally();
      this.#search = { origin: plainOffset, weights: [], seen: 0 };
    }
    this.#weighUpTo(plainOffset);
    if (this.#best === undefined || plainOffset < this.#decideAt) return;
    const end = this.#searchEnd;
    if (this.#search !== undefined && this.#batchEnd(this.#search) <= end) return;
    if (!this.#waiting.some((candidate) => candidate.plainOffset <= end)) this.#emitBest();
  }

  #log(): void {
    if (!this.#isLogging) this.#options.symbols.startLog();
    this.#isLogging = true;
  }

  /** Logging costs time: it ends with the need for it. */
  #logNoMore(): void {
    if (!this.#isLogging || this.#search !== undefined || this.#waiting.length > 0) return;
    this.#options.symbols.stopLog();
    this.#isLogging = false;
  }

  /** Nothing behind a member refers to it: all is known of its places. */
  endMember(): void {
    this.#weighUpTo(Infinity);
    this.#endSearch();
    this.#logNoMore();
  }

  #batchEnd({ origin, seen }: Search): number {
    return origin + (seen + BATCH_CELLS) * CELL_BYTES;
  }

  /** Weighs, in their order, the places of which all is known once all bytes before `plainOffset` have been made. */
  #weighUpTo(plainOffset: number): void {
    for (;;) {
      const candidate = this.#waiting[0];
      const next = candidate === undefined ? Infinity : placeOffset(candidate);
      const batchEnd = this.#search === undefined ? Infinity : this.#batchEnd(this.#search);
      if (candidate !== undefined && next <= batchEnd) {
        if (next + HISTORY_BYTES > plainOffset) break;
        this.#waiting.shift();
        if (candidate.kind === CheckpointKind.file) this.#settleFile(candidate);
        else if (this.#isPromising(candidate)) this.#weigh(candidate);
      } else {
        if (batchEnd + CELL_BYTES + HISTORY_BYTES > plainOffset) break;
        if (batchEnd > this.#searchEnd || batchEnd > this.#plainOffset) break;
        this.#weighBatch(this.#search!);
      }
    }
    this.#logNoMore();
  }

  /** The weight of a cell of which all is known. */
  #cellWeight({ weights }: Search, cell: number): number {
    if (weights.length <= cell) {
      const steps = this.#options.symbols.tally();
      for (let at = weights.length; at <= cell; at++) weights.push((weights.at(-1) ?? 0) + steps[at]!);
    }
    return weights[cell]!;
  }

  /** Looks at the lightest of the next cells. */
  #weighBatch(search: Search): void {
    const end = search.seen + BATCH_CELLS;
    let lightest = search.seen;
    for (let cell = search.seen; cell < end; cell++) {
      if (this.#cellWeight(search, cell) < this.#cellWeight(search, lightest)) lightest = cell;
    }
    search.seen = end;
    if (!this.#couldBeLighter(this.#cellWeight(search, lightest) * TALLY_SHARE + HEADER_WEIGHT)) return;
    const place = this.#options.symbols.lightestNear(search.origin + lightest * CELL_BYTES);
    const block = place && this.#options.blockAt(place.compressedBitOffset);
    if (place === undefined || block === undefined) return;
    this.#weigh({ kind: CheckpointKind.interval, ...place, prefixBytes: 0, atHeader: false, block });
  }

  #couldBeLighter(weight: number): boolean {
    return this.#best === undefined || weight < this.#best.weight;
  }

  /** Whether the tally does not say that there is a lighter place than an end of a block. */
  #isPromising(candidate: Candidate): boolean {
    const search = this.#search;
    if (this.#best === undefined || search === undefined || candidate.block !== undefined) return true;
    const cell = Math.floor((candidate.plainOffset - search.origin) / CELL_BYTES);
    return cell >= CELL_COUNT || this.#couldBeLighter(this.#cellWeight(search, cell) * TALLY_SHARE);
  }

  /** Keeps the candidate if it is the lightest so far; only then is its window worth the making. */
  #weigh(candidate: Candidate): void {
    const weight = this.#mark(candidate) + (candidate.block === undefined ? 0 : HEADER_WEIGHT);
    if (!this.#couldBeLighter(weight)) return;
    this.#best = { candidate, window: this.#takeWindow(candidate), weight };
    if (weight <= LIGHT_ENOUGH) this.#endSearch();
  }

  #mark(candidate: Candidate): number {
    return candidate.atHeader ? 0 : this.#options.symbols.mark(placeOffset(candidate));
  }

  /** The window, its bytes having been marked. */
  #takeWindow(candidate: Candidate): Window {
    const { symbols, history, windowBytes } = this.#options;
    const place = placeOffset(candidate);
    if (candidate.atHeader) return wholeWindow(history(place, candidate.prefixBytes));
    return markedWindow(history(place, windowBytes(place)), symbols.marks, candidate.prefixBytes);
  }

  /** A file's checkpoint is made whatever it weighs; the interval's before it only if it is needed to keep the spacing. */
  #settleFile(candidate: Candidate): void {
    this.#mark(candidate);
    const window = this.#takeWindow(candidate);
    if (this.#best !== undefined && candidate.plainOffset > this.#searchEnd) this.#emitBest();
    if (candidate.plainOffset > this.#lastPlainOffset) this.#emit(candidate, window);
    this.#best = undefined;
    this.#endSearch();
  }

  #endSearch(): void {
    this.#search = undefined;
    this.#waiting = this.#waiting.filter(({ kind }) => kind === CheckpointKind.file);
  }

  #emitBest(): void {
    const { candidate, window } = this.#best!;
    this.#best = undefined;
    this.#endSearch();
    this.#emit(candidate, window);
  }

  #emit(candidate: Candidate, window: Window): void {
    this.#lastPlainOffset = candidate.plainOffset;
    this.#options.onCheckpoint({ ...candidate, block: candidate.block && this.#trimmed(candidate.block), window });
  }

  /** The block's header without what follows it. */
  #trimmed({ headerBitOffset, header }: BlockHead): BlockHead {
    const { symbols } = this.#options;
    return { headerBitOffset, header: header.slice(0, symbols.headerBytes(header, headerBitOffset)) };
  }

  beforeSlide(): void {}

  /** @see CheckpointStrategy.finish */
  finish({ plainOffset, compressedBitOffset }: { plainOffset: number; compressedBitOffset: number }): void {
    // Nothing starts at the very end, and a last span that is a little longer needs no checkpoint.
    this.#waiting = this.#waiting.filter((candidate) => candidate.plainOffset < plainOffset);
    this.#weighUpTo(Infinity);
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
