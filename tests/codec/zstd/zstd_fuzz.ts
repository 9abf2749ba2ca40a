/** Mutated streams: each is refused or decoded as libzstd does; nothing else ever happens. */
import assert from "node:assert/strict";
import * as zlib from "node:zlib";
import { ClipError, equalBytes } from "../../../src/base/mod.ts";
import { codecByName, wholeWindow } from "../../../src/codec/mod.ts";
import { concat, decode, scan, type ScanResult } from "../codec_contract.ts";
import { plains, textLike } from "../gzip/streams.ts";
import { attempt, mutate } from "../mutate.ts";
import type { SeededRandom } from "../seeded_random.ts";
import type { FuzzTarget } from "../../fuzz/fuzz_target.ts";
import { frame, handmadeFrame, hasLibzstd, sections, skippable } from "./streams.ts";

const zstd = codecByName("zstd");
const MISSING = hasLibzstd ? undefined : "this Deno has no libzstd";

function seeds(random: SeededRandom): Uint8Array[] {
  const text = textLike(6000, random);
  return [
    frame(text, { 100: 1 }),
    frame(text, { 100: 19, 201: 1 }),
    frame(textLike(150_000, random), { 100: 6 }),
    frame(text.map((byte) => byte & 3), { 100: 3, 101: 10, 200: 0 }),
    concat([frame(text.subarray(0, 2000)), skippable(random.bytes(9)), frame(text.subarray(2000))]),
    handmadeFrame([[0, 300, random.bytes(300)], [1, 5000, Uint8Array.of(3)]]),
    ...plains().filter(({ plain }) => plain.length < 300_000).map(({ plain }) => frame(plain, { 100: 4 })),
  ];
}

/** A scan; undefined for what is right but beyond clip: dictionaries, windows out of reach. */
function scanKnown(pieces: Iterable<Uint8Array>): ScanResult | undefined {
  try {
    return scan(zstd, pieces, { spacingBytes: 2000 });
  } catch (error) {
    if (error instanceof ClipError && error.code === "unsupported") return undefined;
    throw error;
  }
}

/** What node:zlib makes of it. It takes the end of the input for that of the frame, so that it accepts more. */
function oracle(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return zlib.zstdDecompressSync(bytes);
  } catch {
    return undefined;
  }
}

/** Mutated zstd streams, scanned; what is accepted is compared with libzstd. */
export const zstdFuzz: FuzzTarget = {
  name: "zstd",
  missing: MISSING,
  prepare(preparing) {
    const inputs = seeds(preparing);
    return (random) => {
      const bytes = mutate(inputs[random.below(inputs.length)]!, random);
      const pieces = random.below(2) === 0 ? [bytes] : [...random.split(bytes, 500)];
      const result = attempt(() => scanKnown(pieces));
      if (result === undefined) return { accepted: false };
      // node:zlib stops behind the first frame.
      const expected = oracle(bytes);
      assert(expected !== undefined, "libzstd refuses what was accepted");
      assert(equalBytes(result.plain.subarray(0, expected.length), expected), "libzstd decodes something else");
      return { accepted: true, compared: true };
    };
  },
};

/** Mutated bytes, windows, states and places, from which a decoder starts. */
export const zstdDecoderFuzz: FuzzTarget = {
  name: "zstd-decoder",
  missing: MISSING,
  prepare(preparing) {
    const plain = sections(5_000_000, preparing);
    const whole = [frame(plain, { 100: 3 }), frame(plain, { 100: 1, 201: 1 }), concat([frame(plain), frame(plain)])]
      .map((bytes) => ({ bytes, checkpoints: scan(zstd, [bytes], { spacingBytes: 200_000 }).checkpoints }));
    const counts = whole.map(({ checkpoints }) => checkpoints.length);
    assert(counts.every((count) => count > 2), String(counts));
    return (random) => {
      const { bytes, checkpoints } = whole[random.below(whole.length)]!;
      const checkpoint = checkpoints[random.below(checkpoints.length - 1)]!;
      const shift = random.below(4) === 0 ? 8 * (random.below(9) - 4) : 0;
      const from = {
        ...checkpoint,
        atHeader: random.below(8) === 0 ? !checkpoint.atHeader : checkpoint.atHeader,
        compressedBitOffset: Math.max(0, checkpoint.compressedBitOffset + shift),
        block: checkpoint.block === undefined || random.below(3) === 0
          ? checkpoint.block
          : { ...checkpoint.block, header: mutate(checkpoint.block.header, random) },
        window: random.below(4) === 0 ? wholeWindow(random.bytes(random.below(33_000))) : checkpoint.window,
      };
      const rest = bytes.subarray(Math.floor(from.compressedBitOffset / 8), bytes.length);
      const input = random.below(2) === 0 ? rest.subarray(0, 50_000) : mutate(rest.subarray(0, 50_000), random);
      const wanted = random.below(100_000);
      const made = attempt(() => {
        try {
          return decode(zstd, from, wanted, random.split(input, 8000));
        } catch (error) {
          if (error instanceof ClipError && error.code === "unsupported") return undefined;
          throw error;
        }
      });
      if (made !== undefined) assert(made.length <= wanted);
      return { accepted: made !== undefined };
    };
  },
};
