import type { BlockHead, Checkpoint } from "../../codec.ts";
import type { SymbolSense } from "../engine.ts";

/** Somewhere a decoder could start. All plain bytes before `plainOffset` have been written to the sink. */
export interface Place {
  readonly plainOffset: number;
  readonly compressedBitOffset: number;
  /** How long a window it would need, at most HISTORY_BYTES: less near the start of a member, 0 at it. */
  readonly windowBytes: number;
  /** Whether it is the start of a member. */
  readonly atHeader: boolean;
  /** Makes a copy of the head of the block that it lies in; undefined between blocks. */
  readonly block: (() => BlockHead) | undefined;
}

/** What a strategy works with. */
export interface StrategyOptions {
  /** Aim at a checkpoint every so many plain bytes. */
  readonly spacingBytes: number;
  /** Where large files begin, as `PlainSink.fileStarts`. */
  readonly fileStarts: number[];
  /** Each checkpoint as it is made, its window owned by the receiver. */
  readonly onCheckpoint: (checkpoint: Checkpoint) => void;
  /** The `lengthBytes` plain bytes before `plainOffset`, to be copied. Asked only within the engine's history. */
  readonly history: (plainOffset: number, lengthBytes: number) => Uint8Array;
}

/** What strategies of single symbols work with besides. */
export interface SymbolStrategyOptions extends StrategyOptions {
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
  /** The engine's history is about to be cut. */
  beforeSlide(): void;
  /** The stream ends here: makes the last checkpoints, and the final one. */
  finish(end: { plainOffset: number; compressedBitOffset: number }): void;
}
