/** Starts between and inside blocks, traces, counts and stops of the kernel. */
import assert from "node:assert/strict";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { equalBytes } from "../../../../src/base/mod.ts";
import {
  InflateKernel,
  KernelStop,
  MAX_BLOCK_HEADER_BYTES,
  TRACE_SLOTS,
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
  readonly tracedBytes: number;
}

/** Decodes a stream with stops at block ends and at random offsets, and traces from all of them. */
function places(kernel: InflateKernel, input: Uint8Array, plain: Uint8Array, random: SeededRandom): Place[] {
  const found: Place[] = [];
  const open: ({ slot: number } & Omit<Place, "map" | "tracedBytes">)[] = [];
  let nextSlot = 0;
  const close = () => {
    const { slot, ...place } = open.shift()!;
    found.push({ ...place, map: kernel.traceMap(slot).slice(), tracedBytes: kernel.tracedBytes(slot) });
    kernel.stopTrace(slot);
  };
  kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 0 });
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
    while (open.length > 0 && (open.length === TRACE_SLOTS || open[0]!.plainOffset + WINDOW_BYTES <= plainOffset)) {
      if (open[0]!.plainOffset + WINDOW_BYTES <= plainOffset) close();
      else kernel.stopTrace(open.shift()!.slot);
    }
    if (stop === KernelStop.outputFull) {
      assert.ok(plainOffset <= limit && (plainOffset > limit - 258 || limit === 0));
      limit = plainOffset + 258 + random.below(20_000);
    } else assert.ok(!kernel.isInBlock);
    if (kernel.outputEnd > 600_000) kernel.slide();
    const slot = nextSlot++ % TRACE_SLOTS;
    open.push({
      slot,
      plainOffset,
      bitOffset: kernel.bitOffset,
      headerBitOffset: kernel.isInBlock ? kernel.headerBitOffset : undefined,
      window: plain.slice(Math.max(0, plainOffset - WINDOW_BYTES), plainOffset),
    });
    kernel.startTrace(slot);
  }
  while (open.length > 0) close();
  return found;
}

/** The window with every byte that the map does not name changed. */
function poisoned({ window, map }: Place): Uint8Array {
  const missing = WINDOW_BYTES - window.length;
  return window.map((byte, i) => (map[(i + missing) >> 3]! >> ((i + missing) % 8)) & 1 ? byte : byte ^ 0x5a);
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

Deno.test("kernel: starts at every stop, with the window bytes that its trace does not name poisoned", () => {
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
        counts.needed += place.tracedBytes;
        counts.windows += place.window.length;
      }
    }
    assert.ok(counts.between > 100 && counts.inside > 100, JSON.stringify(counts));
    assert.ok(counts.needed < counts.windows / 2, "traces name a part of the windows only");
  });
});

Deno.test("kernel: a trace names every byte that matters", () => {
  withSeed((random) => {
    const [kernel, other] = [new InflateKernel(), new InflateKernel()];
    let spoilt = 0;
    for (let round = 0; round < 100; round++) {
      const input = compressedStream(random);
      const plain = new Uint8Array(inflateRawSync(input)); // Not a Buffer, whose slices share memory.
      for (const place of places(kernel, input, plain, random)) {
        const missing = WINDOW_BYTES - place.window.length;
        const named = Array.from(place.window.keys()).filter((i) =>
          (place.map[(i + missing) >> 3]! >> ((i + missing) % 8)) & 1
        );
        assert.equal(named.length, place.tracedBytes);
        if (named.length === 0) continue;
        const window = place.window.slice();
        window[named[random.below(named.length)]!]! ^= 1;
        const result = resume(other, input, place, window)!;
        assert.ok(!equalBytes(result, plain.subarray(place.plainOffset, place.plainOffset + result.length)));
        spoilt++;
      }
    }
    assert.ok(spoilt > 20);
  });
});

Deno.test("kernel: counts the bytes of a block that come from before it", () => {
  const writer = new DeflateWriter();
  const kernel = new InflateKernel();
  const first = Uint8Array.from({ length: 32_768 }, (_, i) => i % 251);
  writer.stored(first);
  // 258 from 32,768 back; one literal; 258 from 1 back, all inside; 258 from 261 back, one of them before the block's end.
  writer.fixed().copyFarthest().symbol(7);
  writer.copy258({ distanceSymbol: 0, extra: 0, extraBits: 0 });
  writer.copy258({ distanceSymbol: 18, extra: 5, extraBits: 8 });
  writer.endOfBlock().fixed(true).endOfBlock();
  for (const history of [NO_WINDOW, first]) {
    kernel.reset({ window: history, bitOffset: 0, plainOffset: 0 });
    kernel.feed(writer.deflate, 0, writer.deflate.length);
    assert.equal(kernel.run(Infinity, true), KernelStop.blockEnd);
    assert.equal(kernel.crossingBytes, 0);
    assert.equal(kernel.run(Infinity, true), KernelStop.blockEnd);
    // The last copy reaches back 518 from 517 bytes into the block.
    assert.equal(kernel.crossingBytes, 258 + 1);
    assert.equal(kernel.run(Infinity, true), KernelStop.streamEnd);
    assert.equal(kernel.crossingBytes, 0);
  }
});

Deno.test("kernel: counts the same whichever loop decodes", () => {
  withSeed((random) => {
    const kernel = new InflateKernel();
    for (let round = 0; round < 30; round++) {
      const input = compressedStream(random);
      const count = (stopEvery: number) => {
        const counts: number[] = [];
        kernel.reset({ window: NO_WINDOW, bitOffset: 0, plainOffset: 0 });
        let at = 0;
        let limit = stopEvery;
        for (;;) {
          const stop = kernel.run(limit, true);
          if (stop === KernelStop.needInput) at += kernel.feed(input, at, input.length);
          else if (stop === KernelStop.outputFull) {
            limit = kernel.plainOffset + stopEvery;
            if (kernel.outputEnd > 900_000) kernel.slide();
          } else counts.push(kernel.crossingBytes);
          if (stop === KernelStop.streamEnd) return counts;
        }
      };
      assert.deepEqual(count(258), count(100_000));
    }
  });
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
