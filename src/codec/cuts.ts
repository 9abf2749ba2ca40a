import type { CutOptions } from "./codec.ts";

/** Chooses cuts: the first place at or past the distance asked for, counted from the one before. */
export class Cuts {
  #options: CutOptions | undefined;
  /** The plain offset at or past which the next is wanted; Infinity for none. */
  next: number;

  /** None yet. */
  constructor(options: CutOptions | undefined) {
    this.#options = options;
    this.next = options?.everyBytes ?? Infinity;
  }

  /** A place where one could be. */
  offer(plainOffset: number, compressedBitOffset: number): void {
    if (plainOffset < this.next) return;
    this.next = plainOffset + this.#options!.everyBytes;
    this.#options!.onCut(plainOffset, compressedBitOffset);
  }
}
