import { CorruptError } from "../../base/mod.ts";
import type { DecodeOptions, Decoder } from "../codec.ts";
import { HISTORY_BYTES, type InflateEngine } from "./engine.ts";
import { type MemberHandler, MemberReader } from "./member_reader.ts";

/** A decoder of gzip that starts at a checkpoint and goes on across member boundaries. */
export class GzipDecoder implements Decoder, MemberHandler {
  #reader: MemberReader;
  #onPlain: (bytes: Uint8Array) => void;
  #missingBytes: number;
  #prefix: Uint8Array;
  #isDone = false;
  /** Told once all plain bytes have been made, when the engine is not needed any more. */
  #onDone: () => void;
  readonly limit = Infinity;
  /** What the engine has made, from the start of the layer. */
  plainOffset: number;

  /**
   * The engine is the decoder's from now on, until `onDone` is called.
   * @throws {CorruptError} where the checkpoint, which an archive may have got wrong, cannot be one.
   */
  constructor(engine: InflateEngine, { from, plainBytes, onPlain }: DecodeOptions, onDone: () => void = () => {}) {
    this.#onDone = onDone;
    if (from.window.length > HISTORY_BYTES) {
      throw badCheckpoint("window length", from.window.length, `at most ${HISTORY_BYTES}`);
    }
    if (from.atHeader && from.compressedBitOffset % 8 !== 0) {
      throw badCheckpoint("compressed bit offset", from.compressedBitOffset, "a multiple of 8 at a header");
    }
    if (from.prefixBytes > from.window.length) {
      throw badCheckpoint("prefix length", from.prefixBytes, `at most ${from.window.length}, the window's length`);
    }
    this.#onPlain = onPlain;
    this.#missingBytes = plainBytes;
    this.#prefix = from.window.slice(from.window.length - from.prefixBytes);
    this.plainOffset = from.plainOffset + from.prefixBytes;
    const { window, compressedBitOffset, block, atHeader } = from;
    if (!atHeader && !engine.start({ window, compressedBitOffset, plainOffset: this.plainOffset, block })) {
      throw badCheckpoint("place", compressedBitOffset, `one in a block (${engine.problem})`);
    }
    this.#reader = new MemberReader(engine, this, { compressedBitOffset, inDeflate: !atHeader });
  }

  push(compressed: Uint8Array): boolean {
    if (this.#isDone) return true;
    if (this.#prefix.length > 0) {
      const prefix = this.#prefix;
      this.#prefix = prefix.subarray(prefix.length);
      this.#hand(prefix);
    }
    this.#isDone = this.#missingBytes === 0 || this.#reader.push(compressed);
    if (this.#isDone) this.#onDone();
    return this.#isDone;
  }

  onPlain(bytes: Uint8Array): boolean {
    this.plainOffset += bytes.length;
    return this.#hand(bytes);
  }

  #hand(bytes: Uint8Array): boolean {
    const wanted = bytes.length > this.#missingBytes ? bytes.subarray(0, this.#missingBytes) : bytes;
    this.#missingBytes -= wanted.length;
    this.#onPlain(wanted);
    return this.#missingBytes === 0;
  }

  onTrailingGarbage(compressedOffset: number): void {
    const expected = `${this.#missingBytes} more plain bytes`;
    throw new CorruptError({ subject: "gzip", field: "member", offset: compressedOffset, actual: "none", expected });
  }

  onMemberStart(): void {}
  onBlockEnd(): void {}
  onLimit(): void {}
  onSlide(): void {}
}

function badCheckpoint(field: string, actual: number, expected: string): CorruptError {
  return new CorruptError({ subject: "checkpoint", field, actual, expected });
}
