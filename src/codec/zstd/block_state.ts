import { CorruptError } from "../../base/mod.ts";
import type { FrameHeader } from "./frame_header.ts";
import { MAX_STATE_BYTES } from "./kernel/kernel.ts";

const WINDOW_AT = 0;
const FLAGS_AT = 4;
const HEAD_BYTES = 5;
const HAS_CHECKSUM = 1;
/** The longest that `packBlockState` makes. */
export const MAX_BLOCK_STATE_BYTES: number = HEAD_BYTES + MAX_STATE_BYTES;
/** Frames of longer windows are entered at their start only. */
export const MAX_ENTERED_WINDOW_BYTES: number = 8 * 1024 * 1024;

/** What a start between two blocks takes besides the history, as an archive keeps it. */
export function packBlockState({ windowBytes, hasChecksum }: FrameHeader, kernelState: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + kernelState.length);
  new DataView(bytes.buffer).setUint32(WINDOW_AT, windowBytes, true);
  bytes[FLAGS_AT] = hasChecksum ? HAS_CHECKSUM : 0;
  bytes.set(kernelState, HEAD_BYTES);
  return bytes;
}

/** The same, read again. @throws {CorruptError} where it cannot be one. */
export function unpackBlockState(bytes: Uint8Array): { frame: FrameHeader; kernelState: Uint8Array } {
  if (bytes.length < HEAD_BYTES || bytes.length > MAX_BLOCK_STATE_BYTES) {
    throw badState("length", bytes.length, `${HEAD_BYTES} to ${MAX_BLOCK_STATE_BYTES}`);
  }
  const windowBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(WINDOW_AT, true);
  if (windowBytes > MAX_ENTERED_WINDOW_BYTES) {
    throw badState("window", windowBytes, `at most ${MAX_ENTERED_WINDOW_BYTES}`);
  }
  const hasChecksum = bytes[FLAGS_AT] === HAS_CHECKSUM;
  return { frame: { windowBytes, contentBytes: undefined, hasChecksum }, kernelState: bytes.subarray(HEAD_BYTES) };
}

function badState(field: string, actual: number, expected: string): CorruptError {
  return new CorruptError({ subject: "checkpoint", field: `zstd state ${field}`, actual, expected });
}
