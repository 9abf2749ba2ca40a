import { ClipError, CorruptError, formatBytes, MIB } from "../../base/mod.ts";

/** Little-endian, as are all numbers of the format. Source: RFC 8878, section 3.1.1. */
export const FRAME_MAGIC = 0xfd2fb528;
/** The lowest four bits are free. Source: RFC 8878, section 3.1.2. */
export const SKIPPABLE_MAGIC = 0x184d2a50;
export const SKIPPABLE_MAGIC_MASK = 0xfffffff0;
export const MAGIC_BYTES = 4;
/** Magic and length of a skippable frame. */
export const SKIPPABLE_HEADER_BYTES = 8;
/** The least that tells how long a frame's header is: magic and descriptor. */
export const LEAST_HEADER_BYTES = 5;
/** Header of a block: last block 1 bit, type 2 bits, size 21 bits. Source: RFC 8878, section 3.1.1.2. */
export const BLOCK_HEADER_BYTES = 3;
export const CHECKSUM_BYTES = 4;

/** Types of blocks. Source: RFC 8878, section 3.1.1.2.2. */
export const BlockType = { raw: 0, repeated: 1, compressed: 2, reserved: 3 } as const;

/** As far back as clip follows a frame: what `zstd` itself takes without being told more. */
const MAX_WINDOW_BYTES = 128 * MIB;
const MIN_WINDOW_BITS = 10;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];

/** What a frame's header says. */
export interface FrameHeader {
  /** How far back matches reach, at most; 0 for an empty frame. */
  readonly windowBytes: number;
  /** Length of the plain content; undefined where it is not said. */
  readonly contentBytes: number | undefined;
  /** Whether four bytes of XXH64 follow the last block. */
  readonly hasChecksum: boolean;
}

/** How long a header is whose first LEAST_HEADER_BYTES, magic included, are in `bytes`. */
export function frameHeaderBytes(bytes: Uint8Array): number {
  const descriptor = bytes[MAGIC_BYTES]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const contentSizeBytes = descriptor >> 6 === 0 && isSingle ? 1 : CONTENT_SIZE_BYTES[descriptor >> 6]!;
  return LEAST_HEADER_BYTES + (isSingle ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]! + contentSizeBytes;
}

/**
 * Reads a header of a frame that begins at `offset` of the blob. Source: RFC 8878, section 3.1.1.1.
 * @throws {CorruptError} for what cannot be one; {ClipError} `unsupported` for dictionaries and windows out of reach.
 */
export function readFrameHeader(bytes: Uint8Array, offset: number): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const descriptor = bytes[MAGIC_BYTES]!;
  if ((descriptor & 0x08) !== 0) {
    const [actual, expected] = ["the reserved bit set", "it clear"];
    throw new CorruptError({
      subject: "zstd",
      field: "frame descriptor",
      offset: offset + MAGIC_BYTES,
      actual,
      expected,
    });
  }
  const isSingle = (descriptor & 0x20) !== 0;
  let at = LEAST_HEADER_BYTES;
  let windowBytes = 0;
  if (!isSingle) {
    const windowDescriptor = bytes[at++]!;
    const base = 2 ** (MIN_WINDOW_BITS + (windowDescriptor >> 3));
    windowBytes = base + (base / 8) * (windowDescriptor & 7);
  }
  const dictionaryIdBytes = DICTIONARY_ID_BYTES[descriptor & 3]!;
  if (bytes.subarray(at, at + dictionaryIdBytes).some((byte) => byte !== 0)) {
    throw new ClipError("unsupported", `zstd: the frame at byte ${offset} needs a dictionary, and layers have none`);
  }
  at += dictionaryIdBytes;
  const contentBytes = readContentSize(view, at, bytes.length - at);
  if (isSingle) windowBytes = contentBytes!;
  if (windowBytes > MAX_WINDOW_BYTES) {
    const [actual, limit] = [formatBytes(windowBytes), formatBytes(MAX_WINDOW_BYTES)];
    throw new ClipError(
      "unsupported",
      `zstd: the frame at byte ${offset} has a window of ${actual}; clip goes to ${limit}`,
    );
  }
  return { windowBytes, contentBytes, hasChecksum: (descriptor & 0x04) !== 0 };
}

function readContentSize(view: DataView, at: number, lengthBytes: number): number | undefined {
  if (lengthBytes === 0) return undefined;
  if (lengthBytes === 1) return view.getUint8(at);
  if (lengthBytes === 2) return view.getUint16(at, true) + 256;
  if (lengthBytes === 4) return view.getUint32(at, true);
  // Beyond 2^53 it is no length of anything; as a number it is then inexact, and no content will match it.
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
