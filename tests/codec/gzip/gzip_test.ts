import assert from "node:assert/strict";
import { deflateRawSync, gzipSync } from "node:zlib";
import { CorruptError, equalBytes } from "../../../src/base/mod.ts";
import {
  CheckpointKind,
  codecByName,
  expandWindow,
  INFLATE_NAMES,
  MAX_CHECKPOINT_LAG_BYTES,
  STRATEGY_NAMES,
} from "../../../src/codec/mod.ts";
import { assertSameCheckpoints, codecContract, concat, decode, scan } from "../codec_contract.ts";
import { DeflateWriter, gzipMember } from "../deflate_writer.ts";
import { SeededRandom } from "../seeded_random.ts";
import { commandStreams, handmadeStreams, nodeStreams, textLike } from "./streams.ts";

const gzip = codecByName("gzip");
const spacing = { spacingBytes: 65536 };

for (const inflate of INFLATE_NAMES) {
  for (const strategy of STRATEGY_NAMES) {
    // pako sees no single symbols; and that blocks end where they end need not be shown twice.
    const isBySymbols = strategy === "sparse" || strategy === "exact";
    if (isBySymbols === (inflate === "pako") && strategy !== "file") continue;
    codecContract(gzip, nodeStreams, `gzip by ${inflate}, streams of node:zlib`, { strategy, inflate });
    codecContract(gzip, handmadeStreams, `gzip by ${inflate}, streams made by hand`, { strategy, inflate });
    codecContract(gzip, commandStreams, `gzip by ${inflate}, streams of programs`, { strategy, inflate });
  }
}

function corrupt(bytes: Uint8Array, { field, offset, message }: { field: string; offset: number; message?: RegExp }) {
  for (const pieces of [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
    assert.throws(() => scan(gzip, pieces, spacing), (error) => {
      assert(error instanceof CorruptError, String(error));
      assert.equal(error.details.subject, "gzip");
      assert.equal(error.details.field, field, error.message);
      assert.equal(error.details.offset, offset, error.message);
      if (message !== undefined) assert.match(error.message, message);
      return true;
    });
  }
}

const PLAIN = new TextEncoder().encode("the quick brown fox jumps over the lazy dog");
const MEMBER = gzipMember(deflateRawSync(PLAIN), PLAIN);

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at < 0 ? copy.length + at : at] = value;
  return copy;
}

Deno.test("gzip: each bad header field is named with its offset", () => {
  corrupt(changed(MEMBER, 0, 0x1e), { field: "magic", offset: 0 });
  corrupt(changed(MEMBER, 1, 0), { field: "magic", offset: 1 });
  corrupt(changed(MEMBER, 2, 7), { field: "compression method", offset: 2 });
  corrupt(changed(MEMBER, 3, 0x20), { field: "flags", offset: 3 });
  const summed = gzipMember(deflateRawSync(PLAIN), PLAIN, { name: "x", headerCrc: true });
  corrupt(changed(summed, 4, 9), { field: "header CRC", offset: 14 });
  const named = gzipMember(deflateRawSync(PLAIN), PLAIN, { name: "x".repeat(65537) });
  assert.throws(
    () => scan(gzip, [named], spacing),
    /bad file name in header at byte 65546: found more than 65536 bytes/,
  );
});

Deno.test("gzip: each bad trailer field is named with its offset", () => {
  const end = MEMBER.length;
  corrupt(changed(MEMBER, -8, MEMBER.at(-8)! ^ 1), { field: "CRC-32", offset: end - 8 });
  corrupt(changed(MEMBER, -4, MEMBER.at(-4)! ^ 1), {
    field: "length",
    offset: end - 4,
    message: /found 42, expected 43/,
  });
});

Deno.test("gzip: a stream cut anywhere is refused at the cut", () => {
  const two = concat([MEMBER, MEMBER]);
  const deflateBytes = MEMBER.length - 18;
  for (let length = 0; length < two.length; length++) {
    const within = length % MEMBER.length;
    if (length > 0 && within === 0) continue;
    if (within === 1 && length > 1) continue; // A lone 0x1f is garbage.
    const field = within < 10 ? "header" : within < 10 + deflateBytes ? "deflate data" : "trailer";
    corrupt(two.subarray(0, length), { field, offset: length });
  }
});

Deno.test("gzip: the decoder's own words are carried, with a place near the fault", () => {
  const tooFar = new DeflateWriter().fixed(true).symbol(65).copyFarthest().endOfBlock();
  for (
    const [deflate, words] of [[tooFar.deflate, /too far back/], [Uint8Array.of(7), /invalid block type/]] as const
  ) {
    assert.throws(() => scan(gzip, [gzipMember(deflate, PLAIN)], spacing), (error) => {
      assert(error instanceof CorruptError && error.details.field === "deflate data");
      assert.match(error.message, words);
      const offset = error.details.offset!;
      assert(offset >= 10 && offset <= 10 + deflate.length + 1, `offset ${offset}`);
      return true;
    });
  }
});

Deno.test("gzip: trailing zeros are silent, trailing garbage is a warning", () => {
  for (const padding of [1, 7, 512, 10_000]) {
    const { plain, warnings, checkpoints } = scan(gzip, [MEMBER, new Uint8Array(padding)], spacing);
    assert(equalBytes(plain, PLAIN));
    assert.deepEqual(warnings, []);
    assert.equal(checkpoints.at(-1)!.compressedBitOffset, MEMBER.length * 8);
  }
  for (const [garbage, at] of [[[1, 2, 3], 0], [[0, 0, 5, 0], 2], [[0x1f], 0], [[0x1f, 0x1f, 0x8b], 0]] as const) {
    const bytes = concat([MEMBER, Uint8Array.from(garbage)]);
    for (const pieces of [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
      const { plain, warnings, checkpoints } = scan(gzip, pieces, spacing);
      assert(equalBytes(plain, PLAIN));
      assert.equal(warnings.length, 1);
      assert(warnings[0]!.includes(` ${MEMBER.length + at} `), warnings[0]);
      assert.equal(checkpoints.at(-1)!.compressedBitOffset, MEMBER.length * 8);
    }
  }
});

Deno.test("gzip: what looks like a further member must be one, and none follows padding", () => {
  corrupt(concat([MEMBER, Uint8Array.of(0x1f, 0x8b, 7)]), { field: "compression method", offset: MEMBER.length + 2 });
  corrupt(concat([MEMBER, Uint8Array.of(0), MEMBER]), { field: "padding", offset: MEMBER.length + 1 });
});

Deno.test("gzip: an interval checkpoint is the first block end past the spacing", () => {
  const writer = new DeflateWriter();
  const lengths = [400, 400, 400, 1000, 100, 5000, 10];
  lengths.forEach((length, i) => writer.stored(new Uint8Array(length), i === lengths.length - 1));
  const bytes = gzipMember(writer.deflate, new Uint8Array(7310));
  const { checkpoints } = scan(gzip, [bytes], { spacingBytes: 1000 });
  assert.deepEqual(checkpoints.map(({ kind, plainOffset }) => [kind, plainOffset]), [
    [CheckpointKind.start, 0],
    [CheckpointKind.interval, 1200],
    [CheckpointKind.interval, 2200],
    [CheckpointKind.interval, 7300],
    [CheckpointKind.final, 7310],
  ]);
});

Deno.test("gzip: a file's checkpoint is the last block end before it, wherever it is told", () => {
  const writer = new DeflateWriter();
  for (let i = 0; i < 10; i++) writer.stored(new Uint8Array(1000), i === 9);
  const bytes = gzipMember(writer.deflate, new Uint8Array(10_000));
  const offsets = (fileStarts: number[], spacingBytes = 100_000) =>
    scan(gzip, [bytes], { spacingBytes, fileStarts }).checkpoints
      .filter(({ kind }) => kind === CheckpointKind.file).map(({ plainOffset }) => plainOffset);
  assert.deepEqual(offsets([0, 10, 999]), []);
  assert.deepEqual(offsets([1000]), [1000]);
  assert.deepEqual(offsets([1001, 1999]), [1000]);
  assert.deepEqual(offsets([2999, 3000]), [2000, 3000]);
  assert.deepEqual(offsets([9000, 9999]), [9000]);
  assert.deepEqual(offsets([10_000]), [], "a file after the last byte is empty");
  assert.deepEqual(offsets([2500, 4500], 2000), [], "an interval's checkpoint at the same place is enough");
});

Deno.test("gzip: member starts take the place of intervals, and short members do not all get one", () => {
  const parts = Array.from({ length: 100 }, () => new Uint8Array(1000));
  const bytes = concat(parts.map((part) => gzipSync(part)));
  const { checkpoints } = scan(gzip, [bytes], { spacingBytes: 10_500 });
  const inner = checkpoints.slice(1, -1);
  assert.deepEqual(
    inner.map(({ plainOffset }) => plainOffset),
    [11, 22, 33, 44, 55, 66, 77, 88, 99].map((k) => k * 1000),
  );
  for (const { kind, atHeader, window } of inner) {
    assert.deepEqual([kind, atHeader, window.lengthBytes], [CheckpointKind.member, true, 0]);
  }
});

Deno.test("gzip: a member start past half the spacing saves the window of the block end past the whole", () => {
  const blocks = (count: number) => {
    const writer = new DeflateWriter();
    for (let i = 0; i < count; i++) writer.stored(new Uint8Array(1000), i === count - 1);
    return gzipMember(writer.deflate, new Uint8Array(count * 1000));
  };
  const { checkpoints } = scan(gzip, [concat([blocks(4), blocks(3), blocks(20)])], { spacingBytes: 10_000 });
  assert.deepEqual(checkpoints.map(({ kind, plainOffset }) => [kind, plainOffset]), [
    [CheckpointKind.start, 0],
    [CheckpointKind.member, 7000],
    [CheckpointKind.interval, 17_000],
    [CheckpointKind.final, 27_000],
  ]);
});

Deno.test("gzip: a window that outlives slides of the output buffer is kept", () => {
  // One block end, then a block far longer than the buffer, at whose end the file is told.
  const random = new SeededRandom(3);
  const first = random.bytes(40_000);
  const writer = new DeflateWriter().stored(first).fixed(true);
  for (let i = 0; i < 5000; i++) writer.copyFarthest();
  const plain = new Uint8Array(40_000 + 5000 * 258);
  plain.set(first);
  for (let at = 40_000; at < plain.length; at++) plain[at] = plain[at - 32_768]!;
  const bytes = gzipMember(writer.endOfBlock().deflate, plain);
  const { checkpoints } = scan(gzip, [bytes], { spacingBytes: 2 ** 30, fileStarts: [500_000] });
  assert.deepEqual(checkpoints.map(({ plainOffset }) => plainOffset), [0, 40_000, plain.length]);
  assert(equalBytes(expandWindow(checkpoints[1]!.window), first.subarray(40_000 - 32_768)));
  const rest = bytes.subarray(Math.floor(checkpoints[1]!.compressedBitOffset / 8));
  assert(equalBytes(decode(gzip, checkpoints[1]!, plain.length - 40_000, [rest]), plain.subarray(40_000)));
});

Deno.test("gzip: a checkpoint is named soon, though its block goes on for megabytes", () => {
  const writer = new DeflateWriter().stored(new Uint8Array(40_000)).fixed(true);
  for (let i = 0; i < 20_000; i++) writer.copyFarthest();
  const plain = new Uint8Array(40_000 + 20_000 * 258);
  let written = 0;
  const named: { plainOffset: number; lagBytes: number }[] = [];
  const scanner = gzip.scanner({
    strategy: "file",
    spacingBytes: 30_000,
    sink: { write: (bytes) => written += bytes.length, fileStarts: [], nextStop: Infinity },
    onCheckpoint: ({ plainOffset }) => named.push({ plainOffset, lagBytes: written - plainOffset }),
    onWarning: (message) => assert.fail(message),
  });
  scanner.push(gzipMember(writer.endOfBlock().deflate, plain));
  scanner.finish();
  assert.deepEqual(named.map(({ plainOffset }) => plainOffset), [0, 40_000, plain.length]);
  for (const { lagBytes } of named) assert(lagBytes <= MAX_CHECKPOINT_LAG_BYTES, `${lagBytes} bytes`);
});

Deno.test("gzip: a member start is named soon, though the spacing and its member go on for megabytes", () => {
  const parts = [3_000_000, 100_000, 4_000_000, 2_000_000].map((length) => new Uint8Array(length));
  const bytes = concat(parts.map((part) => gzipSync(part)));
  let written = 0;
  let greatestLagBytes = 0;
  const named: number[] = [];
  const scanner = gzip.scanner({
    strategy: "file",
    spacingBytes: 6_000_000,
    sink: { write: (piece) => written += piece.length, fileStarts: [], nextStop: Infinity },
    onCheckpoint: ({ plainOffset }) => {
      named.push(plainOffset);
      greatestLagBytes = Math.max(greatestLagBytes, written - plainOffset);
    },
    onWarning: (message) => assert.fail(message),
  });
  scanner.push(bytes);
  scanner.finish();
  assert.deepEqual(named, [0, 3_100_000, 7_100_000, 9_100_000]);
  assert(greatestLagBytes <= MAX_CHECKPOINT_LAG_BYTES, `${greatestLagBytes} bytes`);
  const random = new SeededRandom(4);
  for (let round = 0; round < 4; round++) {
    const { checkpoints } = scan(gzip, random.split(bytes, 50), { spacingBytes: 6_000_000 });
    assert.deepEqual(checkpoints.map(({ plainOffset }) => plainOffset), named);
  }
});

Deno.test("gzip: a decoder refuses checkpoints that cannot be", () => {
  const from = {
    plainOffset: 0,
    compressedBitOffset: 9,
    window: new Uint8Array(0),
    prefixBytes: 0,
    atHeader: true,
    block: undefined,
  };
  const options = { plainBytes: 1, onPlain: () => {} };
  assert.throws(() => gzip.decoder({ ...options, from }), CorruptError);
  const tooLong = { ...from, compressedBitOffset: 8, atHeader: false, window: new Uint8Array(32_769) };
  assert.throws(() => gzip.decoder({ ...options, from: tooLong }), CorruptError);
});

Deno.test("gzip: a decoder told to make more than there is runs out, and refuses garbage", () => {
  const from = scan(gzip, [MEMBER], spacing).checkpoints[0]!;
  assert(equalBytes(decode(gzip, from, PLAIN.length + 1, [MEMBER]), PLAIN));
  assert.throws(() => decode(gzip, from, PLAIN.length + 1, [MEMBER, PLAIN]), /expected 1 more plain bytes/);
});

Deno.test("gzip: memory does not grow with the output", () => {
  const zeros = new Uint8Array(1 << 20);
  const member = gzipSync(new Uint8Array(128 << 20));
  let plainBytes = 0;
  let longestWrite = 0;
  const scanner = gzip.scanner({
    strategy: "file",
    spacingBytes: 1 << 30,
    sink: {
      nextStop: Infinity,
      fileStarts: [],
      write(bytes) {
        longestWrite = Math.max(longestWrite, bytes.length);
        assert(equalBytes(bytes, zeros.subarray(0, bytes.length)));
        plainBytes += bytes.length;
      },
    },
    onCheckpoint: () => {},
    onWarning: () => {},
  });
  const before = Deno.memoryUsage();
  scanner.push(member);
  scanner.finish();
  const after = Deno.memoryUsage();
  assert.equal(plainBytes, 128 << 20);
  assert(longestWrite <= 512 * 1024);
  const grownBytes = after.external + after.heapUsed - before.external - before.heapUsed;
  assert(grownBytes < 32 << 20, `grew by ${grownBytes} bytes`);
});

Deno.test("gzip: the plain bytes are those of text, split at every byte", () => {
  const plain = textLike(3000, new SeededRandom(5));
  const compressed = concat([gzipSync(plain.subarray(0, 1500), { memLevel: 1 }), gzipSync(plain.subarray(1500))]);
  const whole = scan(gzip, [compressed], { spacingBytes: 300 });
  for (let at = 0; at <= compressed.length; at++) {
    const split = scan(gzip, [compressed.subarray(0, at), compressed.subarray(at)], { spacingBytes: 300 });
    assert(equalBytes(split.plain, plain));
    assertSameCheckpoints(split.checkpoints, whole.checkpoints);
  }
});
