/**
 * The kernel against pako and node:zlib, on streams drawn at random and on damaged ones: the same bytes or the same
 * refusal, whatever the input is split into and wherever the output stops.
 * CLIP_FUZZ=n makes n times as many rounds; CLIP_TEST_SEED=s repeats a run.
 */
import assert from "node:assert/strict";
import { inflateRawSync } from "node:zlib";
import { InflateKernel } from "../../../../src/codec/gzip/kernel/mod.ts";
import { type SeededRandom, withSeed } from "../../seeded_random.ts";
import { compressedStream, drawnStream, mutate, spoiltStream } from "./generated_streams.ts";
import { assertSame, kernelInflate, type Outcome, PakoRaw } from "./raw_inflate.ts";

const SCALE = Number(Deno.env.get("CLIP_FUZZ") ?? "1");
const GENERATED_STREAMS = Math.round(2000 * SCALE);
const MUTATED_STREAMS = Math.round(12_000 * SCALE);

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes.subarray(0, 2000), (b) => b.toString(16).padStart(2, "0")).join("");

/** What node:zlib makes of a stream, undefined where it refuses. */
function nodeInflate(input: Uint8Array): Uint8Array | undefined {
  try {
    return inflateRawSync(input);
  } catch {
    return undefined;
  }
}

/** Asserts that the kernel judges `input` as pako does, in one piece, in random pieces, and with random stops. */
function compare(kernel: InflateKernel, pako: PakoRaw, input: Uint8Array, random: SeededRandom): Outcome {
  const expected = pako.inflate(input);
  const context = (how: string) => () => `${how}: ${input.length} bytes ${hex(input)}`;
  assertSame(kernelInflate(kernel, [input]), expected, context("whole"));
  const meanLength = input.length > 4000 ? [300, 5000][random.below(2)]! : [1, 7, 300][random.below(3)]!;
  assertSame(kernelInflate(kernel, random.split(input, meanLength)), expected, context(`split ${meanLength}`));
  const step = [300, 3000, 100_000][random.below(3)]!;
  const nextLimit = (plainOffset: number) => plainOffset + 1 + random.below(step);
  const stopAtBlockEnds = random.below(2) === 0;
  assertSame(kernelInflate(kernel, [input], { nextLimit, stopAtBlockEnds }), expected, context(`stops ${step}`));
  return expected;
}

Deno.test(`kernel: ${GENERATED_STREAMS} generated streams as pako and node:zlib decode them`, () => {
  withSeed((random) => {
    const [kernel, pako] = [new InflateKernel(), new PakoRaw()];
    for (let round = 0; round < GENERATED_STREAMS; round++) {
      const input = random.below(2) === 0 ? drawnStream(random) : compressedStream(random);
      const { verdict, plain } = compare(kernel, pako, input, random);
      if (verdict !== "complete" && verdict !== "cut off") assert.fail(`${verdict}: ${hex(input)}`);
      if (verdict === "complete") assert.deepEqual(nodeInflate(input)?.length, plain.length);
    }
  });
});

Deno.test(`kernel: ${MUTATED_STREAMS} damaged streams are refused as pako refuses them`, () => {
  withSeed((random) => {
    const [kernel, pako] = [new InflateKernel(), new PakoRaw()];
    const verdicts = new Map<string, number>();
    for (let round = 0; round < MUTATED_STREAMS; round++) {
      const kind = random.below(4);
      const input = kind === 0
        ? spoiltStream(random)
        : mutate(kind === 1 ? compressedStream(random, true) : drawnStream(random, true), random);
      const { verdict } = compare(kernel, pako, input, random);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      const node = nodeInflate(input);
      const agrees = verdict === "cut off" || (node !== undefined) === (verdict === "complete");
      if (!agrees) assert.fail(`pako says ${verdict}, node:zlib otherwise: ${hex(input)}`);
    }
    // deno-lint-ignore no-console -- shows that every refusal was met
    if (SCALE > 1) console.log(Object.fromEntries([...verdicts].sort((a, b) => b[1] - a[1])));
    assert.ok(verdicts.size >= 10, "most kinds of refusal were met");
  });
});

Deno.test("kernel: every split of a stream in two, and byte by byte", () => {
  withSeed((random) => {
    const [kernel, pako] = [new InflateKernel(), new PakoRaw()];
    for (let round = 0; round < 40 * SCALE; round++) {
      let input = random.below(3) === 0 ? compressedStream(random) : drawnStream(random);
      if (random.below(3) === 0) input = mutate(input, random);
      input = input.subarray(0, 700);
      const expected = pako.inflate(input);
      for (let at = 0; at <= input.length; at++) {
        const pieces = [input.subarray(0, at), input.subarray(at)];
        assertSame(kernelInflate(kernel, pieces), expected, () => `split at ${at}: ${hex(input)}`);
      }
      const single = Array.from(input, (_, i) => input.subarray(i, i + 1));
      assertSame(kernelInflate(kernel, single), expected, () => `single bytes: ${hex(input)}`);
    }
  });
});
