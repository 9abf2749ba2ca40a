import { type Checkpoint, CheckpointKind } from "../../codec.ts";
import { NO_WINDOW, wholeWindow, type Window } from "../../window.ts";
import { HISTORY_BYTES } from "../engine.ts";
import type { CheckpointStrategy, Place, StrategyOptions } from "./strategy.ts";

/**
 * A place is decided about when so many plain bytes have followed it, even if no other place has come: one deflate
 * block can be gigabytes long, and who keeps digests by span must hear of a checkpoint soon. A fixed number, since the
 * decision must not depend on how the input was cut.
 */
const DECIDE_AFTER_BYTES = 512 * 1024;
/** A member start is used, for the same reason, when no better one has come so many plain bytes after it. */
const USE_MEMBER_AFTER_BYTES = 1024 * 1024;

/**
 * Chooses checkpoints among the places where a decoder could start: block ends and member starts.
 *
 * The place seen last is kept, undecided, until the next one, or for half a MiB: only then is it known whether a large
 * file begins after it, and whether any plain bytes follow the place at all. Its window is not copied but taken from the
 * engine's history when it is chosen, since blocks can be as short as a few bytes; only a slide forces a copy.
 *
 * - interval: the first place at or past the spacing;
 * - member: a member start needs no window, some kilobytes less in the archive, so the last one between half the
 *   spacing and the whole of it is taken in place of the interval's block end. Later is better than first: it keeps
 *   runs long where members are short (eStargz and bgzip have thousands of a few KB). One that a long member follows
 *   is taken at once;
 * - file: the last place at or before a large file's first byte, so that its reader decodes little in vain.
 */
export class BlockEnds implements CheckpointStrategy {
  readonly nextStop = Infinity;
  readonly wantsFileStops = false;
  #options: StrategyOptions;
  #lastPlainOffset = 0;

  /** The undecided place; none while −1. */
  #placePlainOffset = -1;
  #placeBitOffset = 0;
  #placeAtHeader = false;
  #placeWindowBytes = 0;
  #keptWindow = new Uint8Array(HISTORY_BYTES);
  #windowIsKept = false;

  /** The last member start that may take the place of the next interval; none while −1. */
  #memberPlainOffset = -1;
  #memberBitOffset = 0;

  /** Makes the start checkpoint at once. */
  constructor(options: StrategyOptions) {
    this.#options = options;
    this.#emit({
      kind: CheckpointKind.start,
      plainOffset: 0,
      compressedBitOffset: 0,
      window: NO_WINDOW,
      atHeader: true,
    });
  }

  /** @see CheckpointStrategy.offer */
  offer({ plainOffset, compressedBitOffset, atHeader, inBlock }: Place): void {
    if (inBlock) return;
    if (plainOffset === this.#placePlainOffset) {
      // Of several places before the same plain byte the last saves most input, unless a member start saves a window.
      if (this.#placeAtHeader && !atHeader) return;
    } else {
      this.#settle(plainOffset);
    }
    this.#placePlainOffset = plainOffset;
    this.#placeBitOffset = compressedBitOffset;
    this.#placeAtHeader = atHeader;
    this.#placeWindowBytes = this.#options.windowBytes(plainOffset);
    this.#windowIsKept = false;
  }

  /** @see CheckpointStrategy.advance */
  advance(plainOffset: number): void {
    const settleAt = this.#placePlainOffset < 0 ? Infinity : this.#placePlainOffset + DECIDE_AFTER_BYTES;
    // In order of what falls due first, so that the size of writes changes nothing.
    this.#useMember(Math.min(plainOffset, settleAt));
    if (plainOffset < settleAt) return;
    this.#settle(settleAt);
    this.#placePlainOffset = -1;
    this.#useMember(plainOffset);
  }

  #useMember(plainOffset: number): void {
    if (this.#memberPlainOffset >= 0 && plainOffset - this.#memberPlainOffset >= USE_MEMBER_AFTER_BYTES) {
      this.#emitMember();
    }
  }

  endMember(): void {}

  /** @see CheckpointStrategy.beforeSlide */
  beforeSlide(): void {
    if (this.#placePlainOffset < 0 || this.#windowIsKept || this.#placeWindowBytes === 0) return;
    this.#keptWindow.set(this.#options.history(this.#placePlainOffset, this.#placeWindowBytes));
    this.#windowIsKept = true;
  }

  /** @see CheckpointStrategy.finish */
  finish({ plainOffset, compressedBitOffset }: { plainOffset: number; compressedBitOffset: number }): void {
    if (plainOffset > this.#placePlainOffset) this.#settle(plainOffset);
    this.#emit({ kind: CheckpointKind.final, plainOffset, compressedBitOffset, window: NO_WINDOW, atHeader: false });
  }

  /** Decides about the place seen last, now that all bytes before `nextPlainOffset`, which is past it, are known. */
  #settle(nextPlainOffset: number): void {
    const place = this.#placePlainOffset;
    const fileStartsHere = this.#takeFileStarts(nextPlainOffset);
    if (place <= this.#lastPlainOffset) return;
    const { spacingBytes } = this.#options;
    let isDue = place - this.#lastPlainOffset >= spacingBytes;
    if (isDue && !fileStartsHere && !this.#placeAtHeader && this.#memberPlainOffset > this.#lastPlainOffset) {
      this.#emitMember();
      isDue = place - this.#lastPlainOffset >= spacingBytes;
    }
    if (isDue || fileStartsHere) {
      this.#emitPlace(isDue);
    } else if (this.#placeAtHeader && place - this.#lastPlainOffset >= spacingBytes / 2) {
      this.#memberPlainOffset = place;
      this.#memberBitOffset = this.#placeBitOffset;
    }
  }

  /** Takes the file starts before `nextPlainOffset`; returns whether any is at or after the undecided place. */
  #takeFileStarts(nextPlainOffset: number): boolean {
    const { fileStarts } = this.#options;
    let taken = 0;
    let found = false;
    while (taken < fileStarts.length && fileStarts[taken]! < nextPlainOffset) {
      if (fileStarts[taken]! >= this.#placePlainOffset) found = true;
      taken++;
    }
    if (taken > 0) fileStarts.splice(0, taken);
    return found;
  }

  #emitPlace(isDue: boolean): void {
    const kind = !isDue ? CheckpointKind.file : this.#placeAtHeader ? CheckpointKind.member : CheckpointKind.interval;
    const plainOffset = this.#placePlainOffset;
    const window = this.#window(plainOffset, this.#placeWindowBytes);
    const atHeader = this.#placeAtHeader;
    this.#emit({ kind, plainOffset, compressedBitOffset: this.#placeBitOffset, window, atHeader });
  }

  #window(plainOffset: number, lengthBytes: number): Window {
    if (lengthBytes === 0) return NO_WINDOW;
    if (this.#windowIsKept) return wholeWindow(this.#keptWindow.subarray(0, lengthBytes));
    return wholeWindow(this.#options.history(plainOffset, lengthBytes));
  }

  #emitMember(): void {
    const plainOffset = this.#memberPlainOffset;
    const compressedBitOffset = this.#memberBitOffset;
    this.#emit({ kind: CheckpointKind.member, plainOffset, compressedBitOffset, window: NO_WINDOW, atHeader: true });
  }

  #emit(checkpoint: Omit<Checkpoint, "prefixBytes" | "block">): void {
    this.#lastPlainOffset = checkpoint.plainOffset;
    this.#memberPlainOffset = -1;
    this.#options.onCheckpoint({ ...checkpoint, prefixBytes: 0, block: undefined });
  }
}
