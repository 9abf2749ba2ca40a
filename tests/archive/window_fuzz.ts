/** Mutated window records: each is refused, or unpacks to a window of the length it states. */
import assert from "node:assert/strict";
import { CorruptError } from "../../src/base/mod.ts";
import { MAX_BLOCK_HEADER_BYTES, MAX_WINDOW_BYTES, packWindow, unpackWindow } from "../../src/archive/mod.ts";
import type { SeededRandom } from "../codec/seeded_random.ts";
import type { FuzzTarget } from "../fuzz/fuzz_target.ts";

/** A record of a window with parts anywhere in it, few of them long. */
function record(windowBytes: number, random: SeededRandom): Uint8Array {
  const runs: number[] = [];
  let keptBytes = 0;
  for (let at = random.below(windowBytes); at < windowBytes && runs.length < 40;) {
    const length = Math.min(1 + random.below(90), windowBytes - at);
    runs.push(at, length);
    keptBytes += length;
    at += length + 1 + random.below(windowBytes / 8);
  }
  return packWindow({
    lengthBytes: windowBytes,
    runs: Uint32Array.from(runs),
    bytes: random.bytes(keptBytes),
    blockHeader: random.bytes(random.below(290)),
  });
}

/** Records of windows of 32 KiB and 8 MiB, damaged where their numbers are. */
export const windowFuzz: FuzzTarget = {
  name: "window",
  prepare: () => (random) => {
    const bytes = record(random.below(50) === 0 ? MAX_WINDOW_BYTES : 32_768, random);
    for (let count = 1 + random.below(3); count > 0; count--) {
      bytes[random.below(Math.min(bytes.length, random.below(3) === 0 ? 400 : 12))] = random.u32() >>> 24;
    }
    const cut = random.below(6) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
    try {
      const { window, blockHeader } = unpackWindow(cut, "some.clip");
      assert(window.length <= MAX_WINDOW_BYTES && blockHeader.length <= MAX_BLOCK_HEADER_BYTES);
      return { accepted: true };
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      return { accepted: false };
    }
  },
};
