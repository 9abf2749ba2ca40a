/** Mutated streams: each is refused with a CorruptError or decoded as node:zlib does; nothing else ever happens. */
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { equalBytes } from "../../../src/base/mod.ts";
import { codecByName, wholeWindow } from "../../../src/codec/mod.ts";
import { concat, decode, scan, type ScanResult, type Variant } from "../codec_contract.ts";
import { attempt, mutate } from "../mutate.ts";
import type { SeededRandom } from "../seeded_random.ts";
import type { FuzzTarget } from "../../fuzz/fuzz_target.ts";
import { handmadeStreams, textLike } from "./streams.ts";

const gzip = codecByName("gzip");
const VARIANTS: readonly Variant[] = [
  { inflate: "pako", strategy: "file" },
  { inflate: "kernel", strategy: "interval" },
  { inflate: "kernel", strategy: "sparse" },
  { inflate: "kernel", strategy: "exact" },
];

function oracle(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(bytes);
  } catch {
    return undefined;
  }
}

function seeds(random: SeededRandom): Uint8Array[] {
  const text = textLike(6000, random);
  const made = [...handmadeStreams()].filter(({ compressed }) => compressed.length < 12_000);
  return [
    gzipSync(text),
    gzipSync(text, { memLevel: 1 }),
    gzipSync(text, { level: 0 }),
    gzipSync(new Uint8Array(40_000)),
    concat([gzipSync(text.subarray(0, 2000)), gzipSync(text.subarray(2000))]),
    gzipSync(random.bytes(700)),
    ...made.map(({ compressed }) => compressed),
  ];
}

/** Mutated gzip streams, scanned; what is accepted is compared with node:zlib. */
export const gzipFuzz: FuzzTarget = {
  name: "gzip",
  prepare(preparing) {
    const inputs = seeds(preparing);
    return (random) => {
      const bytes = mutate(inputs[random.below(inputs.length)]!, random);
      const pieces = random.below(2) === 0 ? [bytes] : [...random.split(bytes, 500)];
      const variant = VARIANTS[random.below(VARIANTS.length)]!;
      const fileStarts = [random.below(3000), 3000 + random.below(3000)];
      const result = attempt(() => scan(gzip, pieces, { ...variant, spacingBytes: 2000, fileStarts }));
      if (result === undefined) return { accepted: false };
      // node:zlib has its own mind about what follows the last member.
      const members = bytes.subarray(0, result.checkpoints.at(-1)!.compressedBitOffset / 8);
      const expected = oracle(members);
      assert(expected !== undefined, "node:zlib refuses what was accepted");
      assert(equalBytes(result.plain, expected), "node:zlib decodes something else");
      return { accepted: true, compared: true };
    };
  },
};

/** Mutated bytes, windows and places, from which a decoder starts. */
export const gzipDecoderFuzz: FuzzTarget = {
  name: "gzip-decoder",
  prepare(preparing) {
    const whole: { bytes: Uint8Array; result: ScanResult; variant: Variant }[] = seeds(preparing).flatMap((bytes) =>
      VARIANTS.map((variant) => {
        const fileStarts = [preparing.below(2000), 2000 + preparing.below(2000)];
        return { bytes, variant, result: scan(gzip, [bytes], { ...variant, spacingBytes: 500, fileStarts }) };
      })
    );
    return (random) => {
      const { bytes, result, variant } = whole[random.below(whole.length)]!;
      const checkpoint = result.checkpoints[random.below(result.checkpoints.length - 1)]!;
      const from = {
        ...checkpoint,
        atHeader: random.below(8) === 0 || checkpoint.atHeader,
        compressedBitOffset: Math.max(0, checkpoint.compressedBitOffset + random.below(5) - 2),
        block: checkpoint.block === undefined
          ? undefined
          : { ...checkpoint.block, header: mutate(checkpoint.block.header, random) },
        window: random.below(4) === 0 ? wholeWindow(random.bytes(random.below(33_000))) : checkpoint.window,
      };
      const input = mutate(bytes.subarray(Math.floor(from.compressedBitOffset / 8)), random);
      const wanted = random.below(20_000);
      const plain = attempt(() => decode(gzip, from, wanted, random.split(input, 800), variant.inflate));
      if (plain !== undefined) assert(plain.length <= wanted);
      return { accepted: plain !== undefined };
    };
  },
};
