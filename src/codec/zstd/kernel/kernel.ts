import { Buffer } from "node:buffer";
import { assert, ClipError, KIB, messageOf, MIB } from "../../../base/mod.ts";
import { ZSTD_WASM_BASE64 } from "./zstd_wasm.ts";

/** The most that a block makes, and the most that its content takes. Source: RFC 8878, section 3.1.1.2.4. */
export const MAX_BLOCK_BYTES: number = 128 * KIB;
/** The most that `saveState` gives: recent offsets, three distributions, a Huffman code. */
export const MAX_STATE_BYTES = 12 + 3 * 2 + 1 + 4 * 190;
/** Bytes behind the output that wide copies may touch. */
const SLACK_BYTES = 1024;
const PAGE_BYTES = 64 * KIB;
/** New output between two moves of the history: as much as there is history, within these bounds. */
const LEAST_ROOM_BYTES = MIB;
const MOST_ROOM_BYTES = 32 * MIB;

/**
 * What the kernel's statuses below zero mean, that of status −1 first. Source: assembly/status.ts.
 */
const REFUSALS: readonly string[] = [
  "invalid header of the literals",
  "invalid Huffman code",
  "literals for a Huffman code that was never given",
  "invalid literals",
  "invalid header of the sequences",
  "invalid distribution of codes",
  "sequences for codes that were never given",
  "invalid sequences",
  "invalid offset too far back",
  "more output than a block may make",
  "invalid state of a checkpoint",
];

interface ExportedNumber {
  readonly value: number;
}

/** What the WebAssembly module exports; assembly/zstd.ts documents each. */
interface KernelExports {
  readonly memory: WebAssembly.Memory;
  readonly out: ExportedNumber;
  inputAddress(): number;
  outputAddress(): number;
  logAddress(): number;
  logReferences(on: number): void;
  loggedCount(): number;
  saveState(): number;
  loadState(bytes: number): number;
  setHistory(bytes: number): void;
  reset(windowBytes: number, blockLimitBytes: number): void;
  decodeBlock(bytes: number): number;
  copyBlock(bytes: number): void;
  fillBlock(bytes: number): void;
  sum(bytes: number): void;
  checksum(): number;
  slide(keepBytes: number): void;
}

let module: WebAssembly.Module | undefined;

function instantiate(): KernelExports {
  try {
    module ??= new WebAssembly.Module(Buffer.from(ZSTD_WASM_BASE64, "base64"));
    return new WebAssembly.Instance(module).exports as unknown as KernelExports;
  } catch (error) {
    const message = `cannot start the zstd kernel: ${messageOf(error)}; WebAssembly with SIMD is needed`;
    throw new ClipError("unsupported", message, { cause: error });
  }
}

/**
 * Decodes zstd blocks in WebAssembly, one at a time; assembly/zstd.ts explains how it works. One instance serves one
 * frame after another. Its memory holds twice the largest window it has met, and never shrinks.
 */
export class ZstdKernel {
  #exports: KernelExports = instantiate();
  #memory: Uint8Array<ArrayBuffer> = new Uint8Array(this.#exports.memory.buffer as ArrayBuffer);
  #inputAddress: number = this.#exports.inputAddress();
  #outputAddress: number = this.#exports.outputAddress();
  #keptBytes = 0;
  #capacityBytes = 0;

  /**
   * Stands before the first block of a frame whose matches reach back `windowBytes` at most. At least the newest
   * `keptBytes` of the output, not less than the window, can be had as `newest`.
   * @throws {ClipError} `unsupported` where there is no memory for that.
   */
  reset(windowBytes: number, keptBytes: number = windowBytes): void {
    const roomBytes = Math.min(Math.max(windowBytes, LEAST_ROOM_BYTES), MOST_ROOM_BYTES);
    this.#keptBytes = keptBytes;
    this.#capacityBytes = keptBytes + roomBytes + MAX_BLOCK_BYTES;
    const missingBytes = this.#outputAddress + this.#capacityBytes + SLACK_BYTES - this.#memory.length;
    if (missingBytes > 0) {
      try {
        this.#exports.memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
      } catch (error) {
        const message = `no memory for a zstd window of ${windowBytes} bytes: ${messageOf(error)}`;
        throw new ClipError("unsupported", message, { cause: error });
      }
      this.#memory = new Uint8Array(this.#exports.memory.buffer as ArrayBuffer);
    }
    this.#exports.reset(windowBytes, Math.min(windowBytes, MAX_BLOCK_BYTES));
  }

  /**
   * After `reset`: stands between two blocks of the frame instead. `history` is what came before, oldest first, at most
   * the window; `state` is what `saveState` gave there. Both are copied. Undefined, or why that cannot be.
   */
  resume(history: Uint8Array, state: Uint8Array): string | undefined {
    if (state.length > MAX_STATE_BYTES) return REFUSALS.at(-1)!;
    this.#memory.set(history, this.#outputAddress);
    this.#exports.setHistory(history.length);
    this.#memory.set(state, this.#inputAddress);
    return this.#exports.loadState(state.length) < 0 ? REFUSALS.at(-1)! : undefined;
  }

  /** What a start behind the last block takes, besides the history: MAX_STATE_BYTES at most. A copy. */
  saveState(): Uint8Array<ArrayBuffer> {
    return this.#memory.slice(this.#inputAddress, this.#inputAddress + this.#exports.saveState());
  }

  /** Whether `references` of blocks to come are noted: at first they are not. */
  set notesReferences(on: boolean) {
    this.#exports.logReferences(on ? 1 : 0);
  }

  /**
   * What of the bytes before it the last block refers to: pairs of the distance back from the block's start and the
   * length, in the order of the block, overlapping as they do. Valid until the next block.
   */
  get references(): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.#memory.buffer, this.#exports.logAddress(), 2 * this.#exports.loggedCount());
  }

  /** Bytes of memory that the instance holds. */
  get memoryBytes(): number {
    return this.#memory.length;
  }

  /** Where the content of the next block goes: MAX_BLOCK_BYTES. Valid until the next `reset`. */
  get input(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(this.#inputAddress, this.#inputAddress + MAX_BLOCK_BYTES);
  }

  /** Decodes the compressed block whose content is the first `bytes` of the input; what it made, or why it cannot be one. */
  decodeBlock(bytes: number): number | string {
    this.#makeRoom();
    const from = this.#exports.out.value;
    const status = this.#exports.decodeBlock(bytes);
    return status < 0 ? REFUSALS[-1 - status]! : this.#exports.out.value - from;
  }

  /** Makes plain bytes of the first `bytes` of the input as they are, at most MAX_BLOCK_BYTES. */
  copyBlock(bytes: number): void {
    this.#makeRoom();
    this.#exports.copyBlock(bytes);
  }

  /** Makes `bytes` times the first byte of the input, at most MAX_BLOCK_BYTES. */
  fillBlock(bytes: number): void {
    this.#makeRoom();
    this.#exports.fillBlock(bytes);
  }

  #makeRoom(): void {
    if (this.outputEnd + MAX_BLOCK_BYTES > this.#capacityBytes) this.#exports.slide(this.#keptBytes);
  }

  /** Plain bytes held: new ones end here. It falls when the history is moved before a block is made. */
  get outputEnd(): number {
    return this.#exports.out.value - this.#outputAddress;
  }

  /** The newest `bytes` made; valid until the next block. */
  newest(bytes: number): Uint8Array<ArrayBuffer> {
    const end = this.#exports.out.value;
    assert(bytes <= end - this.#outputAddress, "more than is held");
    return this.#memory.subarray(end - bytes, end);
  }

  /** Takes the newest `bytes` into the checksum. */
  sum(bytes: number): void {
    this.#exports.sum(bytes);
  }

  /** The lowest 32 bits of the XXH64 of what was summed since `reset`. */
  get checksum(): number {
    return this.#exports.checksum() >>> 0;
  }
}
