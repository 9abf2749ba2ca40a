import { CorruptError, MIB } from "../../base/mod.ts";
import type { DecodeOptions, Decoder } from "../codec.ts";
import { type FrameHandler, FrameReader } from "./frame_reader.ts";
import { ZstdKernel } from "./kernel/kernel.ts";

/** Kernels between two decodes; one that had to grow beyond this is let go. */
const idleKernels: ZstdKernel[] = [];
const MAX_IDLE_KERNELS = 4;
const MAX_IDLE_KERNEL_BYTES = 32 * MIB;

/** A decoder of zstd that starts at a frame. */
export class ZstdDecoder implements Decoder, FrameHandler {
  #kernel: ZstdKernel;
  #reader: FrameReader;
  #onPlain: (bytes: Uint8Array) => void;
  #missingBytes: number;
  #isDone = false;

  /** @throws {CorruptError} where the checkpoint, which an archive may have got wrong, is none of a frame. */
  constructor({ from, plainBytes, onPlain }: DecodeOptions) {
    if (!from.atHeader || from.compressedBitOffset % 8 !== 0) {
      const actual = from.compressedBitOffset;
      throw new CorruptError({
        subject: "checkpoint",
        field: "compressed bit offset",
        actual,
        expected: "that of a frame",
      });
    }
    this.#onPlain = onPlain;
    this.#missingBytes = plainBytes;
    this.#kernel = idleKernels.pop() ?? new ZstdKernel();
    this.#reader = new FrameReader(this.#kernel, this, from.compressedBitOffset / 8);
  }

  push(compressed: Uint8Array): boolean {
    if (this.#isDone) return true;
    this.#isDone = this.#missingBytes === 0 || this.#reader.push(compressed);
    if (this.#isDone && idleKernels.length < MAX_IDLE_KERNELS && this.#kernel.memoryBytes <= MAX_IDLE_KERNEL_BYTES) {
      idleKernels.push(this.#kernel);
    }
    return this.#isDone;
  }

  onFrameStart(): void {}

  onPlain(bytes: Uint8Array): boolean {
    const wanted = bytes.length > this.#missingBytes ? bytes.subarray(0, this.#missingBytes) : bytes;
    this.#missingBytes -= wanted.length;
    this.#onPlain(wanted);
    return this.#missingBytes === 0;
  }
}
