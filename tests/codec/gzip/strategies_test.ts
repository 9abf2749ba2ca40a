/** What the strategies choose, on streams long enough for their searches. */
import assert from "node:assert/strict";
import { constants, gzipSync } from "node:zlib";
import { equalBytes } from "../../../src/base/mod.ts";
import { type Checkpoint, CheckpointKind, codecByName, type StrategyName } from "../../../src/codec/mod.ts";
import { assertSameCheckpoints, concat, decode, scan } from "../codec_contract.ts";
import { DeflateWriter, gzipMember } from "../deflate_writer.ts";
import { SeededRandom } from "../seeded_random.ts";
import { textLike } from "./streams.ts";

const gzip = codecByName("gzip");
const SPACING_BYTES = 512 * 1024;

/** Text and noise in turn, so that places differ in what they refer to. */
function mixed(): Uint8Array {
  const random = new SeededRandom(7);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 60; i++) parts.push(i % 3 === 0 ? random.bytes(30_000) : textLike(60_000, random));
  return concat(parts);
}

const PLAIN = mixed();
const MANY_BLOCKS = gzipSync(PLAIN, { level: 6 });
const FIXED = gzipSync(PLAIN.subarray(0, 3_000_000), { strategy: constants.Z_FIXED, memLevel: 9 });

/** 4 MB in one block: zlib ends a block after so many symbols only, and copies are one symbol for 258 bytes. */
const { deflate: ONE_BLOCK_DEFLATE, plain: ONE_BLOCK_PLAIN } = oneBlock(PLAIN.subarray(0, 40_000), 16_000);
const ONE_BLOCK = gzipMember(ONE_BLOCK_DEFLATE, ONE_BLOCK_PLAIN);

/** `first` stored, then one block of copies from afar. */
function oneBlock(first: Uint8Array, copies: number): { deflate: Uint8Array; plain: Uint8Array } {
  const writer = new DeflateWriter().stored(first).fixed(true);
  for (let i = 0; i < copies; i++) writer.copyFarthest();
  const plain = new Uint8Array(first.length + copies * 258);
  plain.set(first);
  for (let at = first.length; at < plain.length; at++) plain[at] = plain[at - 32_768]!;
  return { deflate: writer.endOfBlock().deflate, plain };
}

function windowBytes(checkpoints: readonly Checkpoint[]): number {
  return checkpoints.reduce((bytes, { window }) => bytes + window.bytes.length, 0);
}

function scanBy(strategy: StrategyName, compressed: Uint8Array, fileStarts: readonly number[] = []) {
  return scan(gzip, [compressed], { strategy, spacingBytes: SPACING_BYTES, fileStarts }).checkpoints;
}

function decodesFromAll(checkpoints: readonly Checkpoint[], plain: Uint8Array, compressed: Uint8Array): void {
  for (let i = 0; i + 1 < checkpoints.length; i++) {
    const [from, to] = [checkpoints[i]!, checkpoints[i + 1]!];
    const range = [Math.floor(from.compressedBitOffset / 8), Math.ceil(to.compressedBitOffset / 8)] as const;
    const bytes = decode(gzip, from, to.plainOffset - from.plainOffset, [compressed.subarray(...range)]);
    assert(equalBytes(bytes, plain.subarray(from.plainOffset, to.plainOffset)), `from ${from.plainOffset}`);
  }
}

Deno.test("sparse keeps the spacing within a quarter, and windows that are a fraction of whole ones", () => {
  const whole = scanBy("interval", MANY_BLOCKS);
  const sparse = scanBy("sparse", MANY_BLOCKS);
  for (let i = 1; i + 1 < sparse.length; i++) {
    const distance = sparse[i]!.plainOffset - sparse[i - 1]!.plainOffset;
    assert(distance >= SPACING_BYTES * 0.75 && distance <= SPACING_BYTES * 1.25, `${distance} bytes apart`);
  }
  assert(windowBytes(sparse) * 3 < windowBytes(whole), `${windowBytes(sparse)} of ${windowBytes(whole)} bytes`);
  decodesFromAll(sparse, PLAIN, MANY_BLOCKS);
});

Deno.test("exact starts at the first byte of each large file, and drops what that makes superfluous", () => {
  const starts = [3, 700_001, 700_100, 1_000_000, 2_000_003, 2_400_000, 2_432_768, 2_999_999];
  const exact = scanBy("exact", MANY_BLOCKS, starts);
  const files = exact.filter(({ kind }) => kind === CheckpointKind.file).map(({ plainOffset }) => plainOffset);
  assert.deepEqual(files, starts);
  for (let i = 1; i + 1 < exact.length; i++) {
    const { kind, plainOffset } = exact[i]!;
    const next = exact[i + 1]!.plainOffset;
    if (kind === CheckpointKind.interval) assert(next - exact[i - 1]!.plainOffset > SPACING_BYTES, `at ${plainOffset}`);
  }
  decodesFromAll(exact, PLAIN, MANY_BLOCKS);
});

Deno.test("a stream of one block is cut inside it, at the same spacing", () => {
  for (const strategy of ["sparse", "exact"] as const) {
    const checkpoints = scanBy(strategy, ONE_BLOCK, [1_500_001]);
    assert(checkpoints.filter(({ block }) => block !== undefined).length >= checkpoints.length - 3);
    for (let i = 1; i < checkpoints.length; i++) {
      const distance = checkpoints[i]!.plainOffset - checkpoints[i - 1]!.plainOffset;
      assert(distance <= SPACING_BYTES * 1.25 + 258, `${distance} bytes apart`);
    }
    decodesFromAll(checkpoints, ONE_BLOCK_PLAIN, ONE_BLOCK);
  }
});

Deno.test("what is chosen does not depend on how the input is cut", () => {
  const random = new SeededRandom(11);
  const starts = [700_001, 2_000_003];
  for (const [compressed, strategy] of [[MANY_BLOCKS, "exact"], [ONE_BLOCK, "sparse"], [FIXED, "exact"]] as const) {
    const options = { strategy, spacingBytes: SPACING_BYTES, fileStarts: starts };
    const whole = scan(gzip, [compressed], options).checkpoints;
    for (const mean of [900, 40_000]) {
      assertSameCheckpoints(scan(gzip, random.split(compressed, mean), options).checkpoints, whole);
    }
  }
});

Deno.test("members: their starts are taken, for they need no window", () => {
  const member = gzipSync(PLAIN.subarray(0, 200_000));
  const compressed = concat(Array.from({ length: 20 }, () => member));
  const plain = concat(Array.from({ length: 20 }, () => PLAIN.subarray(0, 200_000)));
  const checkpoints = scanBy("exact", compressed, [600_000]);
  assert(checkpoints.slice(1, -1).every(({ atHeader }) => atHeader));
  assert(checkpoints.some(({ kind, plainOffset }) => kind === CheckpointKind.file && plainOffset === 600_000));
  assert.equal(windowBytes(checkpoints), 0);
  decodesFromAll(checkpoints, plain, compressed);
});
