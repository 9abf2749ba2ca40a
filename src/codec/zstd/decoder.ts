import { CorruptError, MIB } from "../../base/mod.ts";
import type { DecodeOptions, Decoder } from "../codec.ts";
import { unpackBlockState } from "./block_state.ts";
import type { FrameHeader } from "./frame_header.ts";
import { type FrameHandler, FrameReader } from "./frame_reader.ts";
import { ZstdKernel } from "./kernel/kernel.ts";

/** Kernels between two decodes; one that had to grow beyond this is let go. */
const idleKernels: ZstdKernel[] = [];
const MAX_IDLE_KERNELS = 4;
const MAX_IDLE_KERNEL_BYTES = 32 * MIB;

/** A decoder of zstd that starts at a checkpoint and goes on across frames. */
export class ZstdDecoder implements Decoder, FrameHandler {
  #kernel: ZstdKernel;
  #reader: FrameReader;
  #onPlain: (bytes: Uint8Array) => void;
  #missingBytes: number;
  #isDone = false;

  /** @throws {CorruptError} where the checkpoint, which an archive may have got wrong, cannot be one. */
  constructor({ from, plainBytes, onPlain }: DecodeOptions) {
    const { compressedBitOffset, atHeader, block, window } = from;
    if (compressedBitOffset % 8 !== 0) {
      throw badCheckpoint("compressed bit offset", compressedBitOffset, "a multiple of 8");
    }
    this.#onPlain = onPlain;
    this.#missingBytes = plainBytes;
    this.#kernel = idleKernels.pop() ?? new ZstdKernel();
    this.#kernel.notesReferences = false;
    let frame: FrameHeader | undefined;
    if (!atHeader) {
      const state = unpackBlockState(block?.header ?? new Uint8Array(0));
      frame = state.frame;
      if (window.length > frame.windowBytes) {
        throw badCheckpoint("window length", window.length, `at most ${frame.windowBytes}`);
      }
      this.#kernel.reset(frame.windowBytes);
      const problem = this.#kernel.resume(window, state.kernelState);
      if (problem !== undefined) throw badCheckpoint("place", compressedBitOffset, `one between blocks (${problem})`);
    }
    this.#reader = new FrameReader(this.#kernel, this, compressedBitOffset / 8, frame);
  }

  push(compressed: Uint8Array): boolean {
    if (this.#isDone) return true;
    this.#isDone = this.#missingBytes === 0 || this.#reader.push(compressed);
    if (this.#isDone && idleKernels.length < MAX_IDLE_KERNELS && this.#kernel.memoryBytes <= MAX_IDLE_KERNEL_BYTES) {
      idleKernels.push(this.#kernel);
    }
    return this.#isDone;
  }

  onFrameStart(_compressedOffset: number, { windowBytes }: FrameHeader): number {
    return windowBytes;
  }

  onBlockEnd(): void {}

  onPlain(bytes: Uint8Array): boolean {
    const wanted = bytes.length > this.#missingBytes ? bytes.subarray(0, this.#missingBytes) : bytes;
    this.#missingBytes -= wanted.length;
    this.#onPlain(wanted);
    return this.#missingBytes === 0;
  }
}

function badCheckpoint(field: string, actual: number, expected: string): CorruptError {
  return new CorruptError({ subject: "checkpoint", field, actual, expected });
}
