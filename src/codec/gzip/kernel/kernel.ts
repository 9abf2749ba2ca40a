import { assert } from "../../../base/mod.ts";
import { CELL_COUNT, LOG_REACH_BYTES, type SymbolPlace } from "../engine.ts";
import { instantiateKernel, type KernelExports } from "./kernel_module.ts";
import { KernelStop, REFUSALS } from "./kernel_stop.ts";

/** The most that a block's header can take: 3 + 14 + 19 · 3 + (286 + 30) · 7 bits, begun anywhere in a byte. */
export const MAX_BLOCK_HEADER_BYTES = 287;
/** The most plain bytes that deflate data may refer back. Source: RFC 1951, section 2. */
export const WINDOW_BYTES = 32768;
/** Returned by the WebAssembly module's enterBlock where all is well. */
const ENTERED = 4;
const MAP_BYTES = WINDOW_BYTES / 8;

/** Where an inflater starts inside a block. All bit offsets are counted as the caller likes, from one origin. */
export interface BlockResume {
  /** The output before the symbol, at most WINDOW_BYTES, oldest first; copied. */
  readonly window: Uint8Array;
  /** Plain bytes before the symbol, counted as the caller likes. */
  readonly plainOffset: number;
  /** Where the block's header begins. */
  readonly headerBitOffset: number;
  /** The compressed bytes from the one that holds bit `headerBitOffset` on; MAX_BLOCK_HEADER_BYTES always suffice. */
  readonly header: Uint8Array;
  /** Where the symbol, or byte of a stored block, begins. */
  readonly symbolBitOffset: number;
}

/**
 * Raw inflate in WebAssembly, streaming, that can start at any block and inside one. assembly/inflate.ts explains how it
 * works. One instance has its own 1.9 MiB of memory, of which a third is for the log, and serves one stream after another; no call but the constructor
 * and the getters of arrays allocates.
 *
 *     const kernel = new InflateKernel();
 *     kernel.reset({ window, bitOffset, plainOffset });
 *     for (;;) {
 *       const from = kernel.outputEnd;
 *       const stop = kernel.run(Infinity, true);
 *       use(kernel.output.subarray(from, kernel.outputEnd));
 *       if (stop === KernelStop.needInput) at += kernel.feed(bytes, at, bytes.length);
 *       else if (stop === KernelStop.outputFull) kernel.slide();
 *       else if (stop !== KernelStop.blockEnd) break;
 *     }
 */
export class InflateKernel {
  /**
   * The output buffer: bytes [0, outputEnd) are the stream's newest, window included. Never replaced. To be read only;
   * a run writes behind `outputEnd` only, `slide` and the resets move it all.
   */
  readonly output: Uint8Array<ArrayBuffer>;
  /** What `mark` has marked: bit i % 8 of byte i >> 3 is for byte i of the WINDOW_BYTES before the place, oldest first. */
  readonly map: Uint8Array<ArrayBuffer>;
  #exports: KernelExports;
  #memory: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #cells: Int32Array<ArrayBuffer>;
  #outputAddress: number;
  #inputLimit: number;
  #problem = "";
  #isLogging = false;

  /** Stands before the first block of a stream. @throws {ClipError} of code `unsupported` without WebAssembly SIMD. */
  constructor() {
    const exports = instantiateKernel();
    this.#exports = exports;
    const buffer = exports.memory.buffer as ArrayBuffer;
    this.#memory = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#cells = new Int32Array(buffer, exports.cellsAddress(), CELL_COUNT);
    this.map = new Uint8Array(buffer, exports.mapAddress(), MAP_BYTES);
    this.#outputAddress = exports.outputAddress();
    this.#inputLimit = exports.inputLimit();
    this.output = this.#memory.subarray(this.#outputAddress, this.#outputAddress + exports.outputCapacity());
  }

  /**
   * Forgets everything and stands before a block. `window` (copied) is the output before it, at most WINDOW_BYTES,
   * oldest first. The first byte fed is to be the one that holds bit `bitOffset`. Both offsets may be counted from
   * anywhere, such as the start of a blob; those that the kernel reports go on from them.
   */
  reset(
    { window, bitOffset, plainOffset }: {
      readonly window: Uint8Array;
      readonly bitOffset: number;
      readonly plainOffset: number;
    },
  ): void {
    assert(window.length <= WINDOW_BYTES, "a window is at most 32 KiB");
    this.output.set(window);
    this.#exports.reset(window.length, plainOffset, bitOffset);
    this.#problem = "";
    this.#isLogging = false;
  }

  /**
   * Forgets everything and stands before a symbol inside a block. The first byte fed is to be the one that holds bit
   * `symbolBitOffset`. Returns false, and `problem` says why, where the header is bad or incomplete, or the symbol's
   * offset cannot be one of that block's.
   */
  resetInBlock({ window, plainOffset, headerBitOffset, header, symbolBitOffset }: BlockResume): boolean {
    this.reset({ window, plainOffset, bitOffset: headerBitOffset });
    this.feed(header, 0, Math.min(header.length, MAX_BLOCK_HEADER_BYTES));
    const status = this.#exports.enterBlock(symbolBitOffset);
    if (status === ENTERED) return true;
    this.#problem = status < 0 ? REFUSALS[-1 - status]! : "incomplete block header";
    return false;
  }

  /** Takes bytes from input[at, endExclusive), as many as there is room for, 64 KiB at most; how many. Copies them. */
  feed(input: Uint8Array, at: number, endExclusive: number): number {
    const address = this.#exports.makeRoom();
    const count = Math.min(endExclusive - at, this.#inputLimit - address);
    this.#memory.set(at === 0 && count === input.length ? input : input.subarray(at, at + count), address);
    this.#exports.endInputAt(address + count);
    return count;
  }

  /** How many bytes fed have not been begun: those from the next whole byte on. */
  get untouchedBytes(): number {
    return Math.max(
      0,
      this.#exports.inputEnd.value - this.#exports.unreadAddress() - (this.bitOffset % 8 === 0 ? 0 : 1),
    );
  }

  /** Forgets the last `count` bytes fed, at most `untouchedBytes`: they are to be fed again. */
  unfeed(count: number): void {
    assert(count >= 0 && count <= this.untouchedBytes, "only bytes not begun can be taken back");
    this.#exports.endInputAt(this.#exports.inputEnd.value - count);
  }

  /**
   * Decodes until something is used up or reached. Nothing is written at or beyond plain offset `limit`: the kernel then
   * stands before the first symbol that would, so `plainOffset` is `limit` or at most 257 less, and inside a block
   * `headerBitOffset` and `bitOffset` say where. A block end that is next anyway is taken first. At most 1 MiB is made
   * until the next `slide`.
   */
  run(limit: number, stopAtBlockEnds: boolean): KernelStop {
    const status = this.#exports.run(limit, stopAtBlockEnds ? 1 : 0);
    if (status >= 0) return status as KernelStop;
    this.#problem = REFUSALS[-1 - status]!;
    return KernelStop.bad;
  }

  /**
   * Decodes one symbol of a block: `outputFull` when that was done, or its output does not fit. Stored blocks and places
   * between blocks have none.
   */
  step(): KernelStop {
    const status = this.#exports.step();
    if (status >= 0) return status as KernelStop;
    this.#problem = REFUSALS[-1 - status]!;
    return KernelStop.bad;
  }

  /**
   * Moves the newest `keepBytes` of the output, at least WINDOW_BYTES, to the front, and forgets the rest. Unless told
   * otherwise, keeps a window, or while logging the windows of all places that the log tells of.
   */
  slide(keepBytes: number = WINDOW_BYTES + (this.#isLogging ? LOG_REACH_BYTES : 0)): void {
    assert(keepBytes >= WINDOW_BYTES, "less than a window cannot be kept");
    this.#exports.slide(keepBytes);
  }

  /** The position in `output` after the newest byte. */
  get outputEnd(): number {
    return this.#exports.out.value - this.#outputAddress;
  }

  /** After `bad`, or a refused `resetInBlock`: why, in zlib's words. */
  get problem(): string {
    return this.#problem;
  }

  /** Plain bytes before the next one. */
  get plainOffset(): number {
    return this.#exports.plainOffset();
  }

  /** Compressed bits before the next one. */
  get bitOffset(): number {
    return this.#exports.bitOffset();
  }

  /** Whether the kernel stands inside a block, rather than before one or at the stream's end. */
  get isInBlock(): boolean {
    return this.#exports.isInBlock() !== 0;
  }

  /** Where the header of the current block, or else of the last one, begins: a bit offset. */
  get headerBitOffset(): number {
    return this.#exports.headerOffset.value;
  }

  /**
   * Logs the matches from here on, until `stopLog` or a reset, and forgets those before: what the output behind a place
   * refers to can then be asked, as far as it has been made. 32 KiB behind the place the answers are final.
   */
  startLog(): void {
    this.#exports.startLog();
    this.#isLogging = true;
  }

  /** Logs no more, which is a little faster. */
  stopLog(): void {
    this.#exports.stopLog();
    this.#isLogging = false;
  }

  /** While logging: weighs CELL_COUNT places from here on, one each CELL_BYTES. */
  startTally(): void {
    this.#exports.startTally();
  }

  /**
   * The tally, brought up to date. The sum of its first i + 1 numbers is the weight of the place i · CELL_BYTES behind
   * the start: about how many bytes before it the output behind it refers to, those that are referred to several times
   * counted as often, and some for each match. A view, changed by later calls.
   */
  tally(): Int32Array {
    this.#exports.tally();
    return this.#cells;
  }

  /** Of the places behind matches less than half of CELL_BYTES from `plainOffset`, the lightest; undefined for none. */
  lightestNear(plainOffset: number): SymbolPlace | undefined {
    const address = this.#exports.lightestNear(plainOffset % 2 ** 32);
    if (address === 0) return undefined;
    const low = (at: number) => this.#view.getUint32(address + at, true);
    const here = { plain: this.plainOffset, bits: this.bitOffset };
    const placeLow = (low(0) + (low(8) & 511)) >>> 0;
    return {
      plainOffset: here.plain - modulo32(here.plain - placeLow),
      compressedBitOffset: here.bits - modulo32(here.bits - low(4)),
    };
  }

  /**
   * Marks in `map` which of the WINDOW_BYTES before a place the output behind it refers to; how many, and some for each
   * part that they lie in. The place has been passed since `startLog`, by LOG_REACH_BYTES at most.
   */
  mark(plainOffset: number): number {
    const weight = this.#exports.mark(plainOffset % 2 ** 32);
    assert(weight >= 0, "the log does not go back so far");
    return weight;
  }
}

/** The remainder of division by 2^32, not below zero. */
function modulo32(value: number): number {
  return value - Math.floor(value / 2 ** 32) * 2 ** 32;
}
