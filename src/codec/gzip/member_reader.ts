import { CorruptError } from "../../base/mod.ts";
import type { BlockHeads } from "./block_heads.ts";
import { crc32 } from "./crc32.ts";
import { type InflateEngine, InflateStop } from "./engine.ts";
import { HeaderParser, MAGIC_0, MAGIC_1, TRAILER_BYTES, TRAILER_CRC_AT, TRAILER_LENGTH_AT } from "./header.ts";

/** Who follows a gzip stream. Offsets are in the blob; `engine.output` holds the newest plain bytes at each call. */
export interface MemberHandler {
  /** A member's header is complete; its first byte is at `compressedOffset`. The engine still holds what came before. */
  onMemberStart(compressedOffset: number): void;
  /** Plain bytes, to be read before the call returns. Returns true to stop reading. */
  onPlain(bytes: Uint8Array): boolean;
  /** All plain bytes so far were handed over and a block, not the last of its member, ends at this bit. */
  onBlockEnd(compressedBitOffset: number): void;
  /** All plain bytes so far were handed over, and the engine stands where `limit` asked it to. */
  onLimit(): void;
  /** The plain offset at which the engine is to stop next, beyond what was made so far; Infinity for none. */
  readonly limit: number;
  /** Plain bytes handed over so far, from the start of the layer. */
  readonly plainOffset: number;
  /** The engine is about to forget all but the newest HISTORY_BYTES. */
  onSlide(): void;
  /** Bytes after the last member that belong to none, the first at `compressedOffset`; they are skipped. */
  onTrailingGarbage(compressedOffset: number): void;
}

const State = {
  /** In the header of a member. */
  header: 0,
  /** In its deflate data. */
  deflate: 1,
  /** In its trailer. */
  trailer: 2,
  /** After a trailer, or after zeros that follow one. */
  between: 3,
  /** After something that is neither a member nor padding. */
  garbage: 4,
} as const;

const MAGIC: Uint8Array = Uint8Array.of(MAGIC_0, MAGIC_1);
/** Plain bytes are handed over in pieces that are still in a second-level cache when they are summed and scanned. */
const WRITE_BYTES = 256 * 1024;
const NO_WINDOW: Uint8Array = new Uint8Array(0);

/**
 * Reads a sequence of gzip members, or the rest of one from the middle: headers, deflate data through an engine,
 * trailers and what may follow the last one. Members seen from their start are checked against their CRC-32 and
 * length. Memory does not depend on the input.
 *
 * After the last member, zeros are padding (tapes, `tar --record-size`) and anything else is garbage, as gzip(1) says
 * too. Yet whatever looks like a member must be one, and none may follow padding: tools differ in whether they read
 * such a member, so an index that took either side would be wrong for somebody.
 */
export class MemberReader {
  #engine: InflateEngine;
  #handler: MemberHandler;
  #state: (typeof State)[keyof typeof State];
  #header = new HeaderParser();
  /** Offset in the blob of the next byte to be read. */
  #offset: number;
  #memberOffset: number;
  /** False in a member that was entered in its middle, whose sums cannot be known. */
  #sumsKnown: boolean;
  #crc = 0;
  #memberPlainBytes = 0;
  #trailer = new Uint8Array(TRAILER_BYTES);
  #trailerSeen = 0;
  #sawPadding = false;
  #sawMagic0 = false;
  #usedBytes = 0;
  #heads: BlockHeads | undefined;

  /**
   * Reads from bit `compressedBitOffset` of the blob: from a header there, a whole byte, unless `inDeflate`:
   * then from where the engine stands already. `heads` is told of the blocks.
   */
  constructor(
    engine: InflateEngine,
    handler: MemberHandler,
    { compressedBitOffset, inDeflate, heads }: {
      compressedBitOffset: number;
      inDeflate: boolean;
      heads?: BlockHeads;
    },
  ) {
    this.#heads = heads;
    this.#engine = engine;
    this.#handler = handler;
    this.#offset = Math.floor(compressedBitOffset / 8);
    this.#memberOffset = this.#offset;
    this.#sumsKnown = !inDeflate;
    this.#state = inDeflate ? State.deflate : State.header;
    if (!inDeflate) this.#header.reset(this.#offset);
  }

  /** The offset after the trailer of the last complete member. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Reads the next bytes of the blob; not kept after the call. Returns true once the handler asked to stop.
   * @throws {CorruptError} at the first byte that cannot be.
   */
  push(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length;) {
      const before = at;
      switch (this.#state) {
        case State.header:
          at = this.#readHeader(bytes, at);
          break;
        case State.deflate:
          at = this.#readDeflate(bytes, at);
          if (at < 0) return true;
          break;
        case State.trailer:
          at = this.#readTrailer(bytes, at);
          break;
        case State.between:
          at = this.#readBetween(bytes, at);
          break;
        case State.garbage:
          at = bytes.length;
      }
      this.#offset += at - before;
    }
    return false;
  }

  /** Says that the blob ends here. @throws {CorruptError} where it ends within a member. */
  finish(): void {
    if (this.#state === State.between && this.#sawMagic0) this.#handler.onTrailingGarbage(this.#offset - 1);
    if (this.#state >= State.between) return;
    const part = ["header", "deflate data", "trailer"][this.#state]!;
    throw new CorruptError({
      subject: "gzip",
      field: part,
      offset: this.#offset,
      actual: `the end of the stream within the member at byte ${this.#memberOffset}`,
    });
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    const next = this.#header.push(bytes, at, bytes.length);
    if (this.#header.done) {
      this.#handler.onMemberStart(this.#memberOffset);
      const compressedOffset = this.#offset + next - at;
      this.#engine.start({
        window: NO_WINDOW,
        compressedBitOffset: compressedOffset * 8,
        plainOffset: this.#handler.plainOffset,
      });
      this.#heads?.start(compressedOffset * 8, this.#handler.plainOffset);
      this.#sumsKnown = true;
      this.#crc = 0;
      this.#memberPlainBytes = 0;
      this.#state = State.deflate;
    }
    return next;
  }

  /** Runs the engine to its next stop; returns the position after what it took, or −1 where the handler asked to stop. */
  #readDeflate(bytes: Uint8Array, at: number): number {
    const engine = this.#engine;
    const base = this.#offset - at;
    this.#heads?.fill(bytes, base);
    let next = at;
    for (;;) {
      const outputFrom = engine.outputEnd;
      const { limit, plainOffset } = this.#handler;
      const stop = engine.inflate(bytes, next, bytes.length, Math.min(limit, plainOffset + WRITE_BYTES));
      next += engine.consumed;
      if (engine.outputEnd > outputFrom && this.#takePlain(outputFrom)) return -1;
      switch (stop) {
        case InflateStop.output:
          this.#handler.onSlide();
          engine.slide();
          break;
        case InflateStop.input:
          return next;
        case InflateStop.blockEnd:
          this.#handler.onBlockEnd(engine.bitOffset);
          this.#heads?.start(engine.bitOffset, this.#handler.plainOffset);
          this.#heads?.fill(bytes, base);
          break;
        case InflateStop.limit:
          if (this.#handler.plainOffset >= limit) this.#handler.onLimit();
          break;
        case InflateStop.streamEnd:
          this.#state = State.trailer;
          this.#trailerSeen = 0;
          return next;
        case InflateStop.bad: {
          const offset = Math.floor(engine.bitOffset / 8);
          throw new CorruptError({ subject: "gzip", field: "deflate data", offset, actual: engine.problem });
        }
      }
    }
  }

  #takePlain(outputFrom: number): boolean {
    const plain = this.#engine.output.subarray(outputFrom, this.#engine.outputEnd);
    if (this.#sumsKnown) this.#crc = crc32(plain, this.#crc);
    this.#memberPlainBytes += plain.length;
    return this.#handler.onPlain(plain);
  }

  #readTrailer(bytes: Uint8Array, at: number): number {
    const count = Math.min(TRAILER_BYTES - this.#trailerSeen, bytes.length - at);
    this.#trailer.set(bytes.subarray(at, at + count), this.#trailerSeen);
    this.#trailerSeen += count;
    if (this.#trailerSeen === TRAILER_BYTES) {
      const trailerOffset = this.#offset + count - TRAILER_BYTES;
      if (this.#sumsKnown) this.#checkSums(trailerOffset);
      this.#usedBytes = trailerOffset + TRAILER_BYTES;
      this.#state = State.between;
      this.#sawPadding = false;
      this.#sawMagic0 = false;
    }
    return at + count;
  }

  #checkSums(offset: number): void {
    const view = new DataView(this.#trailer.buffer);
    const storedCrc = view.getUint32(TRAILER_CRC_AT, true);
    if (storedCrc !== this.#crc) {
      const [actual, expected] = [storedCrc, this.#crc].map((crc) => `0x${crc.toString(16).padStart(8, "0")}`);
      throw new CorruptError({ subject: "gzip", field: "CRC-32", offset, actual: actual!, expected: expected! });
    }
    const actual = view.getUint32(TRAILER_LENGTH_AT, true);
    const expected = this.#memberPlainBytes % 2 ** 32;
    if (actual !== expected) {
      throw new CorruptError({
        subject: "gzip",
        field: "length",
        offset: offset + TRAILER_LENGTH_AT,
        actual,
        expected,
      });
    }
  }

  /** Looks at what follows a member: another one, padding, or garbage. */
  #readBetween(bytes: Uint8Array, at: number): number {
    let next = at;
    if (!this.#sawMagic0) {
      while (next < bytes.length && bytes[next] === 0) next++;
      if (next > at) this.#sawPadding = true;
      if (next === bytes.length) return next;
      this.#sawMagic0 = bytes[next] === MAGIC_0;
      if (!this.#sawMagic0) return this.#enterGarbage(this.#offset + next - at, bytes);
      return next + 1;
    }
    const memberOffset = this.#offset - 1;
    if (bytes[next] !== MAGIC_1) return this.#enterGarbage(memberOffset, bytes);
    if (this.#sawPadding) {
      const expected = "nothing after zero padding";
      throw new CorruptError({ subject: "gzip", field: "padding", offset: memberOffset, actual: "a member", expected });
    }
    this.#memberOffset = memberOffset;
    this.#header.reset(memberOffset);
    this.#header.push(MAGIC, 0, MAGIC.length);
    this.#state = State.header;
    return next + 1;
  }

  #enterGarbage(compressedOffset: number, bytes: Uint8Array): number {
    this.#state = State.garbage;
    this.#handler.onTrailingGarbage(compressedOffset);
    return bytes.length;
  }
}
