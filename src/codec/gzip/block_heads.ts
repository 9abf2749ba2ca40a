import type { BlockHead } from "../codec.ts";
import { MAX_BLOCK_HEADER_BYTES } from "./kernel/mod.ts";

/** Blocks of fewer plain bytes are forgotten once they have ended: an end of a block is near their places anyway. */
const MIN_BLOCK_BYTES = 4 * 1024;
/** So that the blocks of 192 KiB are remembered. */
const SLOTS = 48;

interface Slot {
  bitOffset: number;
  plainOffset: number;
  readonly bytes: Uint8Array;
  filled: number;
  /** Infinity for the current block. */
  endBitOffset: number;
}

/** The first bytes of the latest blocks, copied as they come by, so that a place inside one can be told with its header. */
export class BlockHeads {
  #slots: Slot[] = Array.from({ length: SLOTS }, () => ({
    bitOffset: -1,
    plainOffset: 0,
    bytes: new Uint8Array(MAX_BLOCK_HEADER_BYTES),
    filled: MAX_BLOCK_HEADER_BYTES,
    endBitOffset: -1,
  }));
  #current = 0;

  /** A block begins at a bit of the blob, after so many plain bytes of the layer, where the one before has ended. */
  start(bitOffset: number, plainOffset: number): void {
    const before = this.#slots[this.#current]!;
    before.endBitOffset = bitOffset;
    if (plainOffset - before.plainOffset >= MIN_BLOCK_BYTES) this.#current = (this.#current + 1) % SLOTS;
    const slot = this.#slots[this.#current]!;
    slot.bitOffset = bitOffset;
    slot.plainOffset = plainOffset;
    slot.filled = 0;
    slot.endBitOffset = Infinity;
  }

  /** Takes what is missing of the current block's head from `bytes`, whose first is at `offset` of the blob. */
  fill(bytes: Uint8Array, offset: number): void {
    const slot = this.#slots[this.#current]!;
    if (slot.filled === MAX_BLOCK_HEADER_BYTES) return;
    const from = Math.max(Math.floor(slot.bitOffset / 8) + slot.filled - offset, 0);
    const endExclusive = Math.min(from + MAX_BLOCK_HEADER_BYTES - slot.filled, bytes.length);
    if (from >= endExclusive) return;
    slot.bytes.set(bytes.subarray(from, endExclusive), slot.filled);
    slot.filled += endExclusive - from;
  }

  /** The block that a bit lies in, with enough bytes to read its header again, copied; undefined where it is forgotten. */
  at(bitOffset: number): BlockHead | undefined {
    const slot = this.#slots.find((each) => each.bitOffset < bitOffset && bitOffset <= each.endBitOffset);
    return slot && { headerBitOffset: slot.bitOffset, header: slot.bytes.slice(0, slot.filled) };
  }
}
