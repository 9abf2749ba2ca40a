import { type Checkpoint, CheckpointKind, MAX_CHECKPOINT_LAG_BYTES, type ScanOptions } from "../codec.ts";
import { markedWindow, NO_WINDOW } from "../window.ts";

/** The search for an interval's place goes this far to both sides of the spacing, or a quarter of it if that is less. */
const MAX_REACH_BYTES = 512 * 1024;
/** Places are weighed by what is referred to in at least so many plain bytes behind them. */
const LOOK_AHEAD_BYTES = 2 * 1024 * 1024;
/** A frame's start is used when no later one has come so many plain bytes after it: who digests must hear of it soon. */
const USE_FRAME_AFTER_BYTES = 1024 * 1024;
/** Places nearer to each other than this are not told apart: blocks can be a few bytes long. */
const STEP_BYTES = 32 * 1024;
/**
 * A place between blocks is used if the bytes that it has to keep are at most this share of the compressed bytes since the
 * checkpoint before. Where they are more, the stream goes on without one, until the share is met.
 */
const MOST_KEPT_SHARE = 1 / 32;

/** A place where a decoder could start. Offsets are in the layer. */
export interface Place {
  readonly plainOffset: number;
  readonly compressedOffset: number;
  /** What it takes to start between blocks; undefined at the start of a frame, which needs nothing. */
  readonly state: Uint8Array | undefined;
  /** How far back matches reach in its frame. */
  readonly windowBytes: number;
  /** How much there is to refer to: at most `windowBytes`. */
  readonly historyBytes: number;
}

const FIRST_PLACE: Place = { plainOffset: 0, compressedOffset: 0, state: undefined, windowBytes: 0, historyBytes: 0 };

/** References of one block: pairs of the distance back from its start and the length. */
interface BlockReferences {
  readonly plainOffset: number;
  readonly pairs: Uint32Array;
}

/** A checkpoint that has been named, whose window is still being made. */
interface OpenCheckpoint extends Checkpoint {
  window: Checkpoint["window"];
}

/** What {@linkcode Places} needs. */
export interface PlacesOptions extends Pick<ScanOptions, "spacingBytes" | "onCheckpoint"> {
  /** Where large files begin, as the sink has found them; those used are taken away. */
  readonly fileStarts: number[];
  /** The plain bytes [plainOffset − lengthBytes, plainOffset): valid until more is made. */
  readonly history: (plainOffset: number, lengthBytes: number) => Uint8Array;
}

/**
 * Chooses checkpoints among the starts of frames and the ends of blocks.
 *
 * Frames cost nothing: the last within reach of the spacing is taken, and the last at or before each large file. Between
 * blocks, a decoder needs those bytes of the history that are referred to from behind the place, up to the next
 * checkpoint. They differ between places by orders of magnitude, so each place around the spacing is weighed, by the
 * bytes that matches in what follows copy across it, and the lightest wins. Its window is known when the next
 * checkpoint is, or when all that follows is further away than the window reaches.
 */
export class Places {
  #options: PlacesOptions;
  #reachBytes: number;
  #lastPlainOffset = 0;
  #lastCompressedOffset = 0;
  /** Places between blocks of the current frame, ascending, behind the last checkpoint; and the weight of each, in bytes. */
  #candidates: Place[] = [];
  #weights: number[] = [];
  /** The last start of a frame, which a large file behind it may make a checkpoint. */
  #lastFrame: Place | undefined;
  /** The last start of a frame that is far enough from the last checkpoint to be one. */
  #frame: Place | undefined;
  /** What blocks from the earliest place of interest on refer to. */
  #references: BlockReferences[] = [];
  #open: { checkpoint: OpenCheckpoint; place: Place } | undefined;

  /** Makes the start checkpoint at once. */
  constructor(options: PlacesOptions) {
    this.#options = options;
    this.#reachBytes = Math.min(MAX_REACH_BYTES, Math.floor(options.spacingBytes / 4));
    this.#emit(CheckpointKind.start, FIRST_PLACE);
  }

  /** A frame begins; all before it has been added. */
  offerFrame(place: Place): void {
    this.#settleFiles(place.plainOffset);
    // No history goes across: what is to be chosen in the frame before has to be chosen now.
    while (place.plainOffset >= this.#due && this.#chooseFrom(this.#due)) { /* until no candidate is left */ }
    this.#closeWindow();
    this.#dropCandidates(Infinity);
    this.#references = [];
    const { spacingBytes } = this.#options;
    if (this.#frame !== undefined && place.plainOffset - this.#lastPlainOffset > spacingBytes) this.#emitFrame();
    if (place.plainOffset - this.#lastPlainOffset >= spacingBytes / 2) this.#frame = place;
    this.#lastFrame = place;
  }

  #emitFrame(): void {
    this.#emit(CheckpointKind.member, this.#frame!);
  }

  /** Where the search for the interval's place begins, and where it ends. */
  get #from(): number {
    return this.#lastPlainOffset + this.#options.spacingBytes - this.#reachBytes;
  }
  get #due(): number {
    return this.#from + 2 * this.#reachBytes;
  }

  /** Whether a place between blocks here would be looked at: to make one takes time. */
  wants(plainOffset: number): boolean {
    if (this.#frame !== undefined || plainOffset < this.#from) return false;
    return plainOffset - (this.#candidates.at(-1)?.plainOffset ?? -Infinity) >= STEP_BYTES;
  }

  /** A block ends, and another follows in its frame. */
  offerBlock(place: Place): void {
    this.#candidates.push(place);
    this.#weights.push(0);
  }

  /**
   * A block of the plain bytes from `plainOffset` to `endExclusive` was made.
   * @param pairs What it refers to; copied if need be.
   */
  addBlock(plainOffset: number, endExclusive: number, pairs: Uint32Array): void {
    if (pairs.length > 0 && (this.#open !== undefined || this.#candidates.length > 0)) {
      this.#weigh(plainOffset, pairs);
      this.#references.push({ plainOffset, pairs: pairs.slice() });
    }
    if (this.#open !== undefined) {
      const { place } = this.#open;
      if (endExclusive - place.plainOffset >= place.windowBytes) this.#closeWindow();
    }
    this.#settleFiles(endExclusive);
    if (this.#frame !== undefined && endExclusive - this.#frame.plainOffset >= USE_FRAME_AFTER_BYTES) this.#emitFrame();
    this.#settle(endExclusive);
  }

  /** Adds to the weight of each candidate what is copied across it. */
  #weigh(plainOffset: number, pairs: Uint32Array): void {
    const candidates = this.#candidates;
    const weights = this.#weights;
    for (let i = 0; i < pairs.length; i += 2) {
      const from = plainOffset - pairs[i]!;
      const end = from + pairs[i + 1]!;
      for (let c = candidates.length - 1; c >= 0; c--) {
        const place = candidates[c]!.plainOffset;
        if (place <= from) break;
        weights[c]! += Math.min(end, place) - from;
      }
    }
  }

  /** Names the last frame at or before each large file that begins before `plainOffset`. */
  #settleFiles(plainOffset: number): void {
    const { fileStarts } = this.#options;
    while (fileStarts.length > 0 && fileStarts[0]! < plainOffset) {
      const file = fileStarts.shift()!;
      const frame = this.#lastFrame;
      if (frame === undefined || frame.plainOffset <= this.#lastPlainOffset || frame.plainOffset > file) continue;
      // Too far back to be named any more; the file is too far from it to gain much.
      if (plainOffset - frame.plainOffset > MAX_CHECKPOINT_LAG_BYTES) continue;
      if (this.#frame !== undefined && frame.plainOffset > this.#due && this.#frame !== frame) this.#emitFrame();
      this.#emit(CheckpointKind.file, frame);
    }
  }

  /** Decides about the interval's place as soon as enough has followed its candidates. */
  #settle(plainOffset: number): void {
    while (this.#candidates.length > 0) {
      const end = Math.max(this.#due, this.#firstEligible);
      if (plainOffset < end + LOOK_AHEAD_BYTES || !this.#chooseFrom(end)) return;
    }
  }

  /** The first candidate within reach, or beyond; −Infinity where there is none. */
  get #firstEligible(): number {
    return this.#candidates.find((place) => place.plainOffset >= this.#from)?.plainOffset ?? -Infinity;
  }

  /**
   * Names the lightest candidate from where the search begins to `end`, or none, where all are too heavy; false where
   * there was nothing to choose from.
   */
  #chooseFrom(end: number): boolean {
    const from = this.#from;
    let best = -1;
    for (let i = 0; i < this.#candidates.length && this.#candidates[i]!.plainOffset <= end; i++) {
      if (this.#candidates[i]!.plainOffset < from) continue;
      if (best < 0 || this.#weights[i]! < this.#weights[best]!) best = i;
    }
    if (best < 0) return false;
    const place = this.#candidates[best]!;
    const mostBytes = (place.compressedOffset - this.#lastCompressedOffset) * MOST_KEPT_SHARE;
    if (this.#weights[best]! <= mostBytes) this.#emit(CheckpointKind.interval, place);
    else this.#dropCandidates(end);
    this.#dropReferences();
    return true;
  }

  /** Forgets the candidates up to `plainOffset`. */
  #dropCandidates(plainOffset: number): void {
    const kept = this.#candidates.findIndex((place) => place.plainOffset > plainOffset);
    const count = kept < 0 ? this.#candidates.length : kept;
    this.#candidates.splice(0, count);
    this.#weights.splice(0, count);
  }

  #emit(kind: CheckpointKind, place: Place): void {
    const { plainOffset, compressedOffset, state } = place;
    this.#closeWindow(plainOffset);
    this.#frame = undefined;
    this.#lastPlainOffset = plainOffset;
    this.#lastCompressedOffset = compressedOffset;
    const compressedBitOffset = compressedOffset * 8;
    const checkpoint: OpenCheckpoint = {
      kind,
      plainOffset,
      compressedBitOffset,
      window: NO_WINDOW,
      prefixBytes: 0,
      atHeader: state === undefined,
      block: state === undefined ? undefined : { headerBitOffset: compressedBitOffset, header: state },
    };
    if (state !== undefined) this.#open = { checkpoint, place };
    this.#options.onCheckpoint(checkpoint);
    // What lies before the next search's beginning cannot be chosen.
    this.#dropCandidates(Math.max(plainOffset, this.#from - 1));
    this.#dropReferences();
  }

  /** Makes the window of the open checkpoint from what was referred to by blocks before `endExclusive`. */
  #closeWindow(endExclusive = Infinity): void {
    if (this.#open === undefined) return;
    const { checkpoint, place: { plainOffset, historyBytes } } = this.#open;
    this.#open = undefined;
    const map = new Uint8Array(Math.ceil(historyBytes / 8));
    const bits = map.length * 8;
    for (const block of this.#references) {
      if (block.plainOffset < plainOffset || block.plainOffset >= endExclusive) continue;
      for (let i = 0; i < block.pairs.length; i += 2) {
        const from = block.plainOffset - block.pairs[i]!;
        const end = Math.min(from + block.pairs[i + 1]!, plainOffset);
        if (from < end) mark(map, bits - (plainOffset - from), bits - (plainOffset - end));
      }
    }
    checkpoint.window = markedWindow(this.#options.history(plainOffset, historyBytes), map, 0);
  }

  #dropReferences(): void {
    const from = this.#open?.place.plainOffset ?? this.#candidates[0]?.plainOffset ?? Infinity;
    const kept = this.#references.findIndex((block) => block.plainOffset >= from);
    this.#references.splice(0, kept < 0 ? this.#references.length : kept);
  }

  /** Makes the last window and the final checkpoint. */
  finish(plainOffset: number, compressedOffset: number): void {
    this.#settleFiles(plainOffset);
    // Nothing starts at the very end, and a last span that is a little longer needs no checkpoint.
    while (plainOffset > this.#due && this.#chooseFrom(this.#due)) { /* until no candidate is left */ }
    this.#closeWindow();
    this.#options.onCheckpoint({
      kind: CheckpointKind.final,
      plainOffset,
      compressedBitOffset: compressedOffset * 8,
      window: NO_WINDOW,
      prefixBytes: 0,
      atHeader: false,
      block: undefined,
    });
  }
}

/** Sets the bits [from, end), lowest of each byte first. */
function mark(map: Uint8Array, from: number, end: number): void {
  for (let bit = from; bit < end;) {
    if ((bit & 7) === 0 && bit + 8 <= end) {
      map[bit >> 3] = 0xff;
      bit += 8;
    } else {
      map[bit >> 3]! |= 1 << (bit & 7);
      bit++;
    }
  }
}
