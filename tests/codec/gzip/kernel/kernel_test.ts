/** Starts between and inside blocks, what the log tells, and stops of the kernel. */
import assert from "node:assert/strict";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { equalBytes } from "../../../../src/base/mod.ts";
import { CELL_BYTES, LOG_REACH_BYTES } from "../../../../src/codec/gzip/engine.ts";
import {
  InflateKernel,
  KernelStop,
  MAX_BLOCK_HEADER_BYTES,
  WINDOW_BYTES,
} from "../../../../src/codec/gzip/kernel/mod.ts";
import { concat } from "../../codec_contract.ts";
import { DeflateWriter } from "../../deflate_writer.ts";
import { type SeededRandom, withSeed } from "../../seeded_random.ts";
import { textLike } from "../streams.ts";
import { compressedStream, drawnStream } from "./generated_streams.ts";
import { kernelInflate, PakoRaw } from "./raw_inflate.ts";

const NO_WINDOW = new Uint8Array(0);

/** A place to start at, and what the kernel said of it. */
interface Place {
  readonly plainOffset: number;
  readonly bitOffset: number;
  /** Undefined between blocks. */
  readonly headerBitOffset: number | undefined;
  readonly window: Uint8Array;
  /** Which window bytes are needed. */
  readonly map: Uint8Array;
}

/** Decodes a stream with stops at block ends and at random offsets, and asks the log about all of them. */
function places(kernel: InflateKernel, input: Uint8Array, plain: Uint8Array, random: SeededRandom): Place[] {
  const found: Place[] = [];
  const open: Omit<Place, "map">[] = [];
  const close = () => {
    const place = open.shift()!;
    kernel.mark(place.plainOffset);
    found.push({ ...place, map: kernel.map.slice() });
  };
  kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 0 });
  kernel.startLog();
  let at = 0;
  let limit = 0;
  for (;;) {
    const stop = kernel.run(limit, true);
    if (stop === KernelStop.needInput) {
      assert.ok(at < input.length);
      at += kernel.feed(input, at, Math.min(input.length, at + 1 + random.below(9000)));
      continue;
    }
    if (stop === KernelStop.streamEnd) break;
    assert.ok(stop === KernelStop.blockEnd || stop === KernelStop.outputFull);
    const { plainOffset } = kernel;
    while (open.length > 0 && open[0]!.plainOffset + WINDOW_BYTES <= plainOffset) close();
    if (stop === KernelStop.outputFull) {
      assert.ok(plainOffset <= limit && (plainOffset > limit - 258 || limit === 0));
      limit = plainOffset + 258 + random.below(20_000);
    } else assert.ok(!kernel.isInBlock);
    if (kernel.outputEnd > 600_000) kernel.slide();
    open.push({
      plainOffset,
      bitOffset: kernel.bitOffset,
      headerBitOffset: kernel.isInBlock ? kernel.headerBitOffset : undefined,
      window: plain.slice(Math.max(0, plainOffset - WINDOW_BYTES), plainOffset),
    });
  }
  while (open.length > 0) close();
  return found;
}

/** Which bytes of a place's window its map names. */
function named({ window, map }: Place): number[] {
  const missing = WINDOW_BYTES - window.length;
  const found: number[] = [];
  for (let bit = missing; bit < WINDOW_BYTES; bit++) {
    if (map[bit >> 3] === 0) bit |= 7;
    else if ((map[bit >> 3]! >> (bit % 8)) & 1) found.push(bit - missing);
  }
  return found;
}

/** The window with every byte that the map does not name changed. */
function poisoned(place: Place): Uint8Array {
  const window = place.window.map((byte) => byte ^ 0x5a);
  for (const i of named(place)) window[i] = place.window[i]!;
  return window;
}

/** Decodes from `place` with `window` for up to 80,000 bytes; undefined where the kernel refuses. */
function resume(
  kernel: InflateKernel,
  input: Uint8Array,
  place: Place,
  window: Uint8Array,
): Uint8Array | undefined {
  const { bitOffset, plainOffset, headerBitOffset } = place;
  if (headerBitOffset === undefined) kernel.reset({ window, bitOffset, plainOffset });
  else {
    const from = Math.floor(headerBitOffset / 8);
    const header = input.subarray(from, from + MAX_BLOCK_HEADER_BYTES);
    if (!kernel.resetInBlock({ window, plainOffset, headerBitOffset, header, symbolBitOffset: bitOffset })) return;
  }
  assert.equal(kernel.plainOffset, plainOffset);
  assert.equal(kernel.bitOffset, bitOffset);
  const from = kernel.outputEnd;
  let at = Math.floor(bitOffset / 8);
  for (;;) {
    const stop = kernel.run(plainOffset + 80_000, false);
    if (stop === KernelStop.bad) return undefined;
    if (stop !== KernelStop.needInput) return kernel.output.slice(from, kernel.outputEnd);
    assert.ok(at < input.length);
    at += kernel.feed(input, at, input.length);
  }
}

Deno.test("kernel: starts at every stop, with the window bytes that the log does not name poisoned", () => {
  withSeed((random) => {
    const [kernel, other] = [new InflateKernel(), new InflateKernel()];
    const counts = { between: 0, inside: 0, needed: 0, windows: 0 };
    for (let round = 0; round < 250; round++) {
      const input = random.below(3) === 0 ? drawnStream(random) : compressedStream(random);
      const plain = new Uint8Array(inflateRawSync(input)); // Not a Buffer, whose slices share memory.
      for (const place of places(kernel, input, plain, random)) {
        const window = poisoned(place);
        const result = resume(other, input, place, window);
        const expected = plain.subarray(place.plainOffset, place.plainOffset + (result?.length ?? 0));
        assert.ok(result !== undefined && equalBytes(result, expected), "the same bytes from a poisoned window");
        assert.ok(result.length > 79_742 || place.plainOffset + result.length === plain.length);
        counts[place.headerBitOffset === undefined ? "between" : "inside"]++;
        counts.needed += named(place).length;
        counts.windows += place.window.length;
      }
    }
    assert.ok(counts.between > 100 && counts.inside > 100, JSON.stringify(counts));
    assert.ok(counts.needed < counts.windows / 2, "the log names a part of the windows only");
  });
});

Deno.test("kernel: the log names no byte that does not matter", () => {
  withSeed((random) => {
    const [kernel, other] = [new InflateKernel(), new InflateKernel()];
    let spoilt = 0;
    for (let round = 0; round < 100; round++) {
      const input = compressedStream(random);
      const plain = new Uint8Array(inflateRawSync(input)); // Not a Buffer, whose slices share memory.
      for (const place of places(kernel, input, plain, random)) {
        const bytes = named(place);
        if (bytes.length === 0) continue;
        const window = place.window.slice();
        window[bytes[random.below(bytes.length)]!]! ^= 1;
        const result = resume(other, input, place, window)!;
        assert.ok(!equalBytes(result, plain.subarray(place.plainOffset, place.plainOffset + result.length)));
        spoilt++;
      }
    }
    assert.ok(spoilt > 20);
  });
});

Deno.test("kernel: starts at the places that the log finds light", () => {
  withSeed((random) => {
    const [kernel, other] = [new InflateKernel(), new InflateKernel()];
    let found = 0;
    for (let round = 0; round < 10; round++) {
      const plain = textLike(200_000 + random.below(500_000), random);
      const input = deflateRawSync(plain, { level: 1 + random.below(9), memLevel: 1 + random.below(9) });
      kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 0 });
      kernel.startLog();
      const headers = [0];
      let at = 0;
      let limit = 0;
      for (;;) {
        const stop = kernel.run(limit, true);
        if (stop === KernelStop.needInput) {
          at += kernel.feed(input, at, Math.min(input.length, at + 1 + random.below(9000)));
          continue;
        }
        if (stop === KernelStop.streamEnd) break;
        if (stop === KernelStop.blockEnd) {
          headers.push(kernel.bitOffset);
          continue;
        }
        limit = kernel.plainOffset + 258 + random.below(40_000);
        if (kernel.outputEnd > 600_000) kernel.slide();
        const middle = Math.max(0, kernel.plainOffset - WINDOW_BYTES - random.below(40_000));
        const light = kernel.lightestNear(middle);
        if (light === undefined) continue;
        const { plainOffset, compressedBitOffset: bitOffset } = light;
        assert.ok(Math.abs(plainOffset - middle) <= CELL_BYTES / 2);
        kernel.mark(plainOffset);
        const headerBitOffset = headers.findLast((header) => header < bitOffset)!;
        const window = plain.slice(Math.max(0, plainOffset - WINDOW_BYTES), plainOffset);
        const place = { plainOffset, bitOffset, headerBitOffset, window, map: kernel.map.slice() };
        const result = kernel.plainOffset - plainOffset < WINDOW_BYTES
          ? undefined
          : resume(other, input, place, poisoned(place));
        if (result === undefined) continue;
        assert.ok(equalBytes(result, plain.subarray(plainOffset, plainOffset + result.length)));
        found++;
      }
    }
    assert.ok(found > 100, `${found} places`);
  });
});

Deno.test("kernel: weighs places by what is copied over them", () => {
  const copies = 600;
  const first = 33_000;
  const writer = new DeflateWriter().stored(Uint8Array.from({ length: first }, (_, i) => i % 251)).fixed(true);
  for (let i = 0; i < copies; i++) writer.copyFarthest();
  writer.endOfBlock();
  const kernel = new InflateKernel();
  for (const step of [300, 5000, Infinity]) {
    kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 2 ** 33 });
    kernel.feed(writer.deflate, 0, writer.deflate.length);
    kernel.run(2 ** 33 + first, false);
    kernel.startLog();
    kernel.startTally();
    while (kernel.run(kernel.plainOffset + step, false) !== KernelStop.streamEnd);
    const end = first + copies * 258;
    let weight = 0;
    kernel.tally().slice(0, Math.floor((end - first) / CELL_BYTES)).forEach((change, cell) => {
      weight += change;
      const place = first + cell * CELL_BYTES;
      let crossing = 0;
      for (let to = first; to < end; to += 258) if (to >= place && to - WINDOW_BYTES + 258 <= place) crossing++;
      assert.equal(weight, crossing * (258 + 4), `cell ${cell}`);
    });
    const light = kernel.lightestNear(2 ** 33 + end - 258);
    assert.deepEqual(light, { plainOffset: 2 ** 33 + end, compressedBitOffset: kernel.bitOffset - 7 });
  }
});

Deno.test("kernel: does not tell of places that the log does not reach", () => {
  const writer = new DeflateWriter().stored(new Uint8Array(32_768)).fixed(true);
  for (let i = 0; i < 3000; i++) writer.copyFarthest();
  const input = writer.endOfBlock().deflate;
  const kernel = new InflateKernel();
  kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 0 });
  kernel.feed(input, 0, input.length);
  kernel.run(40_000, false);
  const before = kernel.plainOffset;
  assert.throws(() => kernel.mark(before), /does not go back/);
  kernel.startLog();
  kernel.run(50_000, false);
  assert.throws(() => kernel.mark(before - 258), /does not go back/);
  assert.equal(kernel.mark(before), Math.floor((50_000 - before) / 258) * 258 + 4);
  while (kernel.run(kernel.plainOffset + 100_000, false) !== KernelStop.streamEnd);
  assert.ok(kernel.mark(kernel.plainOffset - LOG_REACH_BYTES) > 0);
  kernel.stopLog();
  assert.throws(() => kernel.mark(kernel.plainOffset), /does not go back/);
});

Deno.test("kernel: the log holds the shortest matches there are", () => {
  // A match of three bytes each: as many entries as there can be.
  const plain = Uint8Array.from({ length: 900_000 }, (_, i) => i % 3);
  const writer = new DeflateWriter().fixed(true).symbol(0).symbol(1).symbol(2);
  // Length 3 is symbol 257; distance 3 is symbol 2, in five bits, the highest first.
  for (let i = 3; i < plain.length; i += 3) writer.symbol(257).bits(0b01000, 5);
  const input = writer.endOfBlock().deflate;
  const kernel = new InflateKernel();
  kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 0 });
  kernel.startLog();
  kernel.startTally();
  for (let at = 0;;) {
    const from = kernel.outputEnd;
    const [offset, stop] = [kernel.plainOffset, kernel.run(Infinity, false)];
    assert.ok(equalBytes(kernel.output.subarray(from, kernel.outputEnd), plain.subarray(offset, kernel.plainOffset)));
    const place = Math.ceil((kernel.plainOffset - LOG_REACH_BYTES) / 3) * 3;
    if (place > 300_000) assert.equal(kernel.mark(place), 3 + 4);
    if (stop === KernelStop.needInput) at += kernel.feed(input, at, input.length);
    else if (stop === KernelStop.outputFull) kernel.slide();
    else break;
  }
});

Deno.test("kernel: refuses what zlib refuses, in its words", () => {
  const kernel = new InflateKernel();
  const fixed = () => new DeflateWriter().fixed();
  const dynamic = (litlens: number, distances: number, precodes: number) =>
    new DeflateWriter().bits(1, 1).bits(2, 2).bits(litlens, 5).bits(distances, 5).bits(precodes, 4);
  const cases: [words: string, writer: DeflateWriter][] = [
    ["invalid block type", new DeflateWriter().bits(7, 3)],
    ["invalid stored block lengths", new DeflateWriter().bits(1, 8).bits(5, 16).bits(5, 16)],
    ["too many length or distance symbols", dynamic(30, 0, 0)],
    ["too many length or distance symbols", dynamic(0, 30, 0)],
    ["invalid code lengths set", dynamic(0, 0, 0).bits(1, 3).bits(1, 3).bits(1, 3).bits(0, 3)],
    ["invalid code lengths set", dynamic(0, 0, 0).bits(1, 3).bits(0, 9)],
    ["invalid bit length repeat", dynamic(0, 0, 0).bits(1, 3).bits(0, 3).bits(0, 3).bits(1, 3).bits(1, 1).bits(0, 2)],
    ["invalid code -- missing end-of-block", dynamic(0, 0, 0).bits(0, 12).bits(0, 258)],
    ["invalid literal/length code", fixed().symbol(286)],
    ["invalid literal/length code", fixed().symbol(287)],
    ["invalid distance code", fixed().symbol(65).copy258({ distanceSymbol: 30, extra: 0, extraBits: 0 })],
    ["invalid distance code", fixed().symbol(65).copy258({ distanceSymbol: 31, extra: 0, extraBits: 0 })],
    ["invalid distance too far back", fixed().symbol(65).copy258({ distanceSymbol: 1, extra: 0, extraBits: 0 })],
    ["invalid distance too far back", new DeflateWriter().stored(new Uint8Array(32_767)).fixed().copyFarthest()],
  ];
  for (const [words, writer] of cases) {
    for (const tail of [0, 400]) {
      const input = new Uint8Array([...writer.deflate, ...new Uint8Array(tail)]);
      assert.equal(kernelInflate(kernel, [input]).verdict, words);
      assert.equal(new PakoRaw().inflate(input).verdict, words);
    }
  }
  assert.equal(kernel.run(Infinity, false), KernelStop.bad, "a refusal stays");
});

Deno.test("kernel: refuses to start at what is not inside the block", () => {
  const kernel = new InflateKernel();
  const header = new DeflateWriter().stored(new Uint8Array(100)).deflate;
  const at = (symbolBitOffset: number, bytes = header) =>
    kernel.resetInBlock({ window: NO_WINDOW, plainOffset: 0, headerBitOffset: 0, header: bytes, symbolBitOffset });
  assert.ok(at(40));
  assert.ok(at(40 + 800));
  for (const outside of [0, 39, 41, 48 + 800, NaN]) {
    assert.ok(!at(outside));
    assert.equal(kernel.problem, "resume offset outside its block");
  }
  assert.ok(!at(40, header.subarray(0, 3)));
  assert.equal(kernel.problem, "incomplete block header");
  assert.ok(!at(40, Uint8Array.of(7)));
  assert.equal(kernel.problem, "invalid block type");
});

Deno.test("kernel: stops before a byte limit of a stored block exactly, and gives back what it has not begun", () => {
  const kernel = new InflateKernel();
  const input = new DeflateWriter().stored(new Uint8Array(1000), true).deflate;
  kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 50 });
  assert.equal(kernel.feed(input, 0, input.length), input.length);
  assert.equal(kernel.run(777, false), KernelStop.outputFull);
  assert.equal(kernel.plainOffset, 777);
  assert.equal(kernel.bitOffset, 40 + 727 * 8);
  assert.equal(kernel.untouchedBytes, 1000 - 727);
  kernel.unfeed(273);
  assert.equal(kernel.run(Infinity, false), KernelStop.needInput);
  kernel.feed(input, 5 + 727, input.length);
  assert.equal(kernel.run(Infinity, false), KernelStop.streamEnd);
  assert.equal(kernel.plainOffset, 1050);
});

Deno.test("kernel: fills its output to the end and writes no further than the slack behind it", () => {
  withSeed((random) => {
    const kernel = new InflateKernel();
    const plain = textLike(5_000_000, random);
    plain.fill(65, 1_000_000, 1_500_000);
    const input = deflateRawSync(plain);
    kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 0 });
    const behind = new Uint8Array(kernel.output.buffer, kernel.output.byteOffset + kernel.output.length + 31);
    const pieces: Uint8Array[] = [];
    let fullest = 0;
    for (let at = 0;;) {
      const from = kernel.outputEnd;
      const stop = kernel.run(Infinity, false);
      pieces.push(kernel.output.slice(from, kernel.outputEnd));
      fullest = Math.max(fullest, kernel.outputEnd);
      if (stop === KernelStop.needInput) at += kernel.feed(input, at, input.length);
      else if (stop === KernelStop.outputFull) kernel.slide(WINDOW_BYTES + random.below(WINDOW_BYTES));
      else break;
    }
    assert.ok(equalBytes(concat(pieces), plain));
    assert.ok(fullest > kernel.output.length - 258);
    assert.ok(behind.length > 0 && behind.every((byte) => byte === 0));
  });
});
