import {
  Z_BLOCK,
  Z_BUF_ERROR,
  Z_OK,
  Z_STREAM_END,
  zlibInflate,
  zlibInflateInit2,
  zlibInflateReset,
  zlibInflateSetDictionary,
  ZStream,
} from "pako";
import { assert } from "../../base/mod.ts";
import { type EngineStart, HISTORY_BYTES, type InflateEngine, InflateStop } from "./engine.ts";

/** Raw deflate (no zlib or gzip wrapping) with the largest window. Source: zlib.h, inflateInit2. */
const RAW_WINDOW_BITS = -15;
/** Set in data_type after a block. Source: zlib.h, inflate, Z_BLOCK. */
const AFTER_BLOCK = 0x80;
/** Set in data_type within and after the final block. */
const IN_FINAL_BLOCK = 0x40;
const UNUSED_BITS = 0x07;

/** Room for new output. Larger gains nothing measurable; the whole buffer stays within a second-level cache. */
const ROOM_BYTES = 256 * 1024;

/**
 * Inflate by pako, a port of zlib to JavaScript that stops at block ends as zlib does.
 * Chosen over node:zlib, which tells no bit position and, in Deno, ignores `dictionary` for raw inflate silently.
 */
export class PakoEngine implements InflateEngine {
  readonly output: Uint8Array<ArrayBuffer>;
  outputEnd = 0;
  consumed = 0;
  problem = "";
  readonly symbols = undefined;
  #stream = new ZStream();
  #usedBits = 0;
  /** Of the next byte to be taken, and how many high bits of the one before it are still to be decoded. */
  #inputOffset = 0;
  #unusedBits = 0;

  /** `roomBytes` is how much output fits between two slides. */
  constructor({ roomBytes = ROOM_BYTES }: { roomBytes?: number } = {}) {
    this.output = new Uint8Array(HISTORY_BYTES + roomBytes);
  }

  get bitOffset(): number {
    return this.#inputOffset * 8 - this.#unusedBits;
  }

  start({ window, compressedBitOffset, block }: EngineStart): boolean {
    if (block !== undefined) {
      this.problem = "pako cannot start inside a block";
      return false;
    }
    assert(window.length <= HISTORY_BYTES, "a window is at most 32 KiB");
    const status = this.#stream.state === null
      ? zlibInflateInit2(this.#stream, RAW_WINDOW_BITS)
      : zlibInflateReset(this.#stream);
    assert(status === Z_OK, "pako's inflateInit2 failed");
    if (window.length > 0) {
      assert(zlibInflateSetDictionary(this.#stream, window) === Z_OK, "pako's inflateSetDictionary failed");
    }
    this.output.set(window);
    this.outputEnd = window.length;
    this.#usedBits = compressedBitOffset % 8;
    this.#inputOffset = Math.floor(compressedBitOffset / 8);
    this.#unusedBits = 0;
    this.consumed = 0;
    this.problem = "";
    return true;
  }

  inflate(input: Uint8Array, at: number, endExclusive: number): InflateStop {
    const stream = this.#stream;
    let from = at;
    if (this.#usedBits > 0 && from < endExclusive) {
      // What zlib's inflatePrime does, which pako does not export.
      stream.state.hold = input[from++]! >> this.#usedBits;
      stream.state.bits = 8 - this.#usedBits;
      this.#usedBits = 0;
    }
    stream.input = input;
    stream.next_in = from;
    stream.avail_in = endExclusive - from;
    stream.output = this.output;
    stream.next_out = this.outputEnd;
    stream.avail_out = this.output.length - this.outputEnd;
    const status = zlibInflate(stream, Z_BLOCK);
    this.consumed = stream.next_in - at;
    this.#inputOffset += this.consumed;
    this.outputEnd = stream.next_out;
    this.#unusedBits = 0;
    if (status === Z_STREAM_END) return InflateStop.streamEnd;
    if (status !== Z_OK && status !== Z_BUF_ERROR) {
      this.problem = stream.msg === "" ? `zlib status ${status}` : stream.msg;
      return InflateStop.bad;
    }
    if ((stream.data_type & AFTER_BLOCK) !== 0) {
      if ((stream.data_type & IN_FINAL_BLOCK) !== 0) return InflateStop.streamEnd;
      this.#unusedBits = stream.data_type & UNUSED_BITS;
      return InflateStop.blockEnd;
    }
    return stream.avail_out === 0 ? InflateStop.output : InflateStop.input;
  }

  slide(): void {
    if (this.outputEnd <= HISTORY_BYTES) return;
    this.output.copyWithin(0, this.outputEnd - HISTORY_BYTES, this.outputEnd);
    this.outputEnd = HISTORY_BYTES;
  }
}
