import type { BlockHead, Checkpoint } from "../../codec.ts";
import type { SymbolSense } from "../engine.ts";

/** Somewhere a decoder could start. All plain bytes before `plainOffset` have been written to the sink. */
export interface Place {
  readonly plainOffset: number;
  readonly compressedBitOffset: number;
  /** Whether it is the start of a member. */
  readonly atHeader: boolean;
  /** Whether it is between two symbols of a block. */
  readonly inBlock: boolean;
}

/** What a strategy works with. */
export interface StrategyOptions {
  /** Aim at a checkpoint every so many plain bytes. */
  readonly spacingBytes: number;
  /** Where large files begin, as `PlainSink.fileStarts`. */
  readonly fileStarts: number[];
  /** Each checkpoint as it is made, its window owned by the receiver. */
  readonly onCheckpoint: (checkpoint: Checkpoint) => void;
  /** How long a window a place needs, at most HISTORY_BYTES: less near the start of its member, 0 at it. */
  readonly windowBytes: (plainOffset: number) => number;
  /** The `lengthBytes` plain bytes before `plainOffset`, to be copied. Asked only within the engine's history. */
  readonly history: (plainOffset: number, lengthBytes: number) => Uint8Array;
}

/** What strategies of single symbols work with besides. */
export interface SymbolStrategyOptions extends StrategyOptions {
  /** The block that a place inside one lies in, its header perhaps with bytes behind it; undefined for short ones. */
  readonly blockAt: (compressedBitOffset: number) => BlockHead | undefined;
  readonly symbols: SymbolSense;
}

/** Chooses checkpoints. The first, `start`, is made at once; offsets ascend; what is chosen depends on the stream alone. */
export interface CheckpointStrategy {
  /** The plain offset at which the engine is to stop next for the strategy's sake; Infinity for none. */
  readonly nextStop: number;
  /** Whether the engine is to stop at the sink's stops as well. */
  readonly wantsFileStops: boolean;
  /** The engine stands at a place. */
  offer(place: Place): void;
  /** All plain bytes before `plainOffset` have been written to the sink; called after each write. */
  advance(plainOffset: number): void;
  /** A member ended; the engine still holds its output, and what is logged of it, until the next one starts. */
  endMember(): void;
  /** The engine's history is about to be cut. */
  beforeSlide(): void;
  /** The stream ends here: makes the last checkpoints, and the final one. */
  finish(end: { plainOffset: number; compressedBitOffset: number }): void;
}
