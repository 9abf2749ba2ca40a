import { CorruptError } from "../../base/mod.ts";
import {
  BLOCK_HEADER_BYTES,
  BlockType,
  CHECKSUM_BYTES,
  FRAME_MAGIC,
  type FrameHeader,
  frameHeaderBytes,
  LEAST_HEADER_BYTES,
  MAGIC_BYTES,
  readFrameHeader,
  SKIPPABLE_HEADER_BYTES,
  SKIPPABLE_MAGIC,
  SKIPPABLE_MAGIC_MASK,
} from "./frame_header.ts";
import { MAX_BLOCK_BYTES, type ZstdKernel } from "./kernel/kernel.ts";

/** Who follows a zstd stream. Offsets are in the blob. */
export interface FrameHandler {
  /**
   * A frame begins at `compressedOffset`; all plain bytes so far were handed over. Returns how much of the output, at
   * least the window, the kernel is to keep at hand.
   */
  onFrameStart(compressedOffset: number, frame: FrameHeader): number;
  /** Plain bytes, of one block, to be read before the call returns. Returns true to stop reading. */
  onPlain(bytes: Uint8Array): boolean;
  /** A block that is not the last of its frame was handed over; the next begins at `compressedOffset`. */
  onBlockEnd(compressedOffset: number): void;
}

const State = {
  /** In the magic of a frame, or between two. */
  magic: 0,
  /** In the rest of a frame's header. */
  header: 1,
  blockHeader: 2,
  /** In the content of a block. */
  block: 3,
  checksum: 4,
  /** In the length of a skippable frame. */
  skippableHeader: 5,
  skippable: 6,
} as const;

const STATE_NAMES = [
  "magic",
  "frame header",
  "block header",
  "block",
  "checksum",
  "skippable frame",
  "skippable frame",
];
/** The longest that is collected before it is read: a frame's header. */
const MAX_HEAD_BYTES = 18;

/**
 * Reads a sequence of zstd frames, skippable ones between them, from the start of any of them. What a frame says of itself, the
 * length and the checksum of its content, is checked. Memory depends on the frames' windows only.
 */
export class FrameReader {
  #kernel: ZstdKernel;
  #handler: FrameHandler;
  #state: (typeof State)[keyof typeof State] = State.magic;
  /** Offset in the blob of the next byte to be read. */
  #offset: number;
  #frameOffset: number;
  #frames = 0;
  /** What is collected of a header, and how much of it is needed. */
  #head = new Uint8Array(MAX_HEAD_BYTES);
  #headView = new DataView(this.#head.buffer);
  #headBytes = 0;
  #wantedBytes = MAGIC_BYTES;
  #frame: FrameHeader = { windowBytes: 0, contentBytes: undefined, hasChecksum: false };
  #framePlainBytes = 0;
  /** False in a frame that was entered in its middle. */
  #sumIsKnown = true;
  #input: Uint8Array = new Uint8Array(0);
  #inputBytes = 0;
  #blockType = 0;
  #blockBytes = 0;
  #isLastBlock = false;
  #storedBytes = 0;
  #skippedBytes = 0;

  /**
   * Reads from `compressedOffset`: from the start of a frame, or, where `frame` says in which, from that of a block
   * before which the kernel stands. The kernel is the reader's from now on.
   */
  constructor(kernel: ZstdKernel, handler: FrameHandler, compressedOffset: number, frame?: FrameHeader) {
    this.#kernel = kernel;
    this.#handler = handler;
    this.#offset = compressedOffset;
    this.#frameOffset = compressedOffset;
    if (frame === undefined) return;
    this.#frame = frame;
    this.#sumIsKnown = false;
    this.#input = kernel.input;
    this.#expect(State.blockHeader, BLOCK_HEADER_BYTES);
  }

  /** The offset after what was read last. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Reads the next bytes of the blob; not kept after the call. Returns true once the handler asked to stop.
   * @throws {CorruptError} at the first byte that cannot be.
   */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length) {
      const before = at;
      if (this.#state === State.block) at = this.#collectBlock(bytes, at);
      else if (this.#state === State.skippable) at = this.#skip(bytes, at);
      else at = this.#collectHead(bytes, at);
      this.#offset += at - before;
      if (this.#state === State.block && this.#inputBytes === this.#storedBytes) {
        if (this.#decodeBlock()) return true;
      } else if (this.#state !== State.block && this.#headBytes === this.#wantedBytes) {
        this.#readHead();
      }
    }
    return false;
  }

  /** Says that the blob ends here. @throws {CorruptError} where it ends within a frame, or has none. */
  finish(): void {
    if (this.#state === State.magic && this.#headBytes === 0 && this.#frames > 0) return;
    const field = STATE_NAMES[this.#state]!;
    const actual = `the end of the stream within the frame at byte ${this.#frameOffset}`;
    throw new CorruptError({ subject: "zstd", field, offset: this.#offset, actual });
  }

  #collectHead(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.#wantedBytes - this.#headBytes, bytes.length - at);
    for (let i = 0; i < count; i++) this.#head[this.#headBytes + i] = bytes[at + i]!;
    this.#headBytes += count;
    return at + count;
  }

  #expect(state: (typeof State)[keyof typeof State], bytes: number): void {
    this.#state = state;
    this.#wantedBytes = bytes;
    this.#headBytes = 0;
  }

  /** What was wanted of a header is there. */
  #readHead(): void {
    switch (this.#state) {
      case State.magic:
        return this.#readMagic();
      case State.header:
        return this.#readFrameHeader();
      case State.blockHeader:
        return this.#readBlockHeader();
      case State.checksum:
        return this.#readChecksum();
      case State.skippableHeader:
        this.#skippedBytes = this.#headView.getUint32(MAGIC_BYTES, true);
        return this.#skippedBytes === 0 ? this.#endSkippable() : this.#expect(State.skippable, 0);
    }
  }

  #readMagic(): void {
    const magic = this.#headView.getUint32(0, true);
    this.#frameOffset = this.#offset - MAGIC_BYTES;
    if (magic === FRAME_MAGIC) {
      this.#state = State.header;
      this.#wantedBytes = LEAST_HEADER_BYTES;
    } else if (((magic & SKIPPABLE_MAGIC_MASK) >>> 0) === SKIPPABLE_MAGIC) {
      this.#state = State.skippableHeader;
      this.#wantedBytes = SKIPPABLE_HEADER_BYTES;
    } else {
      const actual = `0x${magic.toString(16).padStart(8, "0")}`;
      const expected = `0x${FRAME_MAGIC.toString(16)}`;
      throw new CorruptError({ subject: "zstd", field: "magic", offset: this.#frameOffset, actual, expected });
    }
  }

  #readFrameHeader(): void {
    const wantedBytes = frameHeaderBytes(this.#head);
    if (this.#headBytes < wantedBytes) {
      this.#wantedBytes = wantedBytes;
      return;
    }
    this.#frame = readFrameHeader(this.#head.subarray(0, wantedBytes), this.#frameOffset);
    this.#kernel.reset(this.#frame.windowBytes, this.#handler.onFrameStart(this.#frameOffset, this.#frame));
    this.#sumIsKnown = true;
    this.#input = this.#kernel.input;
    this.#framePlainBytes = 0;
    this.#frames++;
    this.#expect(State.blockHeader, BLOCK_HEADER_BYTES);
  }

  #readBlockHeader(): void {
    const header = this.#head[0]! | (this.#head[1]! << 8) | (this.#head[2]! << 16);
    this.#isLastBlock = (header & 1) !== 0;
    this.#blockType = (header >> 1) & 3;
    this.#blockBytes = header >> 3;
    const offset = this.#offset - BLOCK_HEADER_BYTES;
    if (this.#blockType === BlockType.reserved) {
      throw new CorruptError({ subject: "zstd", field: "block type", offset, actual: 3, expected: "0 to 2" });
    }
    const mostBytes = Math.min(this.#frame.windowBytes, MAX_BLOCK_BYTES);
    if (this.#blockBytes > mostBytes) {
      const [actual, expected] = [this.#blockBytes, `at most ${mostBytes}`];
      throw new CorruptError({ subject: "zstd", field: "block size", offset, actual, expected });
    }
    this.#storedBytes = this.#blockType === BlockType.repeated ? 1 : this.#blockBytes;
    this.#inputBytes = 0;
    this.#state = State.block;
    if (this.#storedBytes === 0) this.#endBlock();
  }

  #collectBlock(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.#storedBytes - this.#inputBytes, bytes.length - at);
    this.#input.set(bytes.subarray(at, at + count), this.#inputBytes);
    this.#inputBytes += count;
    return at + count;
  }

  /** Decodes the block collected; whether the handler asked to stop. */
  #decodeBlock(): boolean {
    const kernel = this.#kernel;
    const madeBytes = this.#makePlain();
    this.#framePlainBytes += madeBytes;
    const { contentBytes, hasChecksum } = this.#frame;
    if (contentBytes !== undefined && this.#framePlainBytes > contentBytes) throw this.#wrongLength();
    if (hasChecksum && this.#sumIsKnown) kernel.sum(madeBytes);
    if (madeBytes > 0 && this.#handler.onPlain(kernel.newest(madeBytes))) return true;
    this.#endBlock();
    if (this.#state === State.blockHeader) this.#handler.onBlockEnd(this.#offset);
    return false;
  }

  #makePlain(): number {
    const kernel = this.#kernel;
    if (this.#blockType === BlockType.raw) kernel.copyBlock(this.#blockBytes);
    else if (this.#blockType === BlockType.repeated) kernel.fillBlock(this.#blockBytes);
    else {
      const made = kernel.decodeBlock(this.#blockBytes);
      if (typeof made === "number") return made;
      const offset = this.#offset - this.#storedBytes;
      throw new CorruptError({ subject: "zstd", field: "block", offset, actual: made });
    }
    return this.#blockBytes;
  }

  #endBlock(): void {
    if (!this.#isLastBlock) return this.#expect(State.blockHeader, BLOCK_HEADER_BYTES);
    const { contentBytes, hasChecksum } = this.#frame;
    if (contentBytes !== undefined && this.#framePlainBytes !== contentBytes) throw this.#wrongLength();
    if (hasChecksum) this.#expect(State.checksum, CHECKSUM_BYTES);
    else this.#expect(State.magic, MAGIC_BYTES);
  }

  #wrongLength(): CorruptError {
    const [actual, expected] = [`${this.#framePlainBytes} bytes or more`, `${this.#frame.contentBytes}`];
    return new CorruptError({ subject: "zstd", field: "content size", offset: this.#frameOffset, actual, expected });
  }

  #readChecksum(): void {
    const stored = this.#headView.getUint32(0, true);
    const computed = this.#kernel.checksum;
    if (stored !== computed && this.#sumIsKnown) {
      const [actual, expected] = [stored, computed].map((sum) => `0x${sum.toString(16).padStart(8, "0")}`);
      const offset = this.#offset - CHECKSUM_BYTES;
      throw new CorruptError({ subject: "zstd", field: "checksum", offset, actual: actual!, expected: expected! });
    }
    this.#expect(State.magic, MAGIC_BYTES);
  }

  #skip(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.#skippedBytes, bytes.length - at);
    this.#skippedBytes -= count;
    if (this.#skippedBytes === 0) this.#endSkippable();
    return at + count;
  }

  #endSkippable(): void {
    this.#frames++;
    this.#expect(State.magic, MAGIC_BYTES);
  }
}
