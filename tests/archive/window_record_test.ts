import assert from "node:assert/strict";
import fc from "fast-check";
import { CorruptError } from "../../src/base/mod.ts";
import { packWindow, unpackWindow, type WindowParts } from "../../src/archive/mod.ts";

const NO_BYTES = new Uint8Array(0);
const NO_RUNS = new Uint32Array(0);

/** The window with its parts in place and zeros elsewhere. */
function spread({ lengthBytes, runs, bytes }: WindowParts): Uint8Array {
  const window = new Uint8Array(lengthBytes);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    window.set(bytes.subarray(at, at + runs[i + 1]!), runs[i]!);
    at += runs[i + 1]!;
  }
  return window;
}

/** Windows with any parts, with and without the header of a block. */
const anyParts: fc.Arbitrary<WindowParts> = fc.record({
  steps: fc.array(fc.tuple(fc.nat({ max: 300 }), fc.integer({ min: 1, max: 300 })), { maxLength: 50 }),
  tail: fc.nat({ max: 2000 }),
  seed: fc.nat({ max: 255 }),
  header: fc.uint8Array({ maxLength: 287 }),
}).map(({ steps, tail, seed, header }) => {
  const runs: number[] = [];
  let end = 0;
  for (const [gap, length] of steps) {
    runs.push(end + gap, length);
    end += gap + length;
  }
  const keptBytes = steps.reduce((sum, [, length]) => sum + length, 0);
  return {
    lengthBytes: end + tail,
    runs: Uint32Array.from(runs),
    bytes: Uint8Array.from({ length: keptBytes }, (_, i) => seed + i * 7),
    blockHeader: new Uint8Array(header),
  };
});

Deno.test("windows come back at their full length, with their block headers", () => {
  fc.assert(fc.property(anyParts, (parts) => {
    const { window, blockHeader } = unpackWindow(packWindow(parts), "some.clip");
    assert.deepEqual(window, spread(parts));
    assert.deepEqual(new Uint8Array(blockHeader), parts.blockHeader);
  }));
});

Deno.test("a whole window, and one of 32,768 bytes in as many parts as there can be", () => {
  const whole = Uint8Array.from({ length: 32_768 }, (_, i) => i ^ (i >> 8));
  const parts = { lengthBytes: 32_768, runs: Uint32Array.of(0, 32_768), bytes: whole, blockHeader: NO_BYTES };
  assert.equal(packWindow(parts).length, 1 + 3 + 1 + 1 + 3 + 32_768);
  assert.ok(unpackWindow(packWindow(parts), "x").window.every((byte, i) => byte === whole[i]));
  const runs = Uint32Array.from({ length: 32_768 }, (_, i) => i % 2 === 0 ? i : 1);
  const record = packWindow({ lengthBytes: 32_768, runs, bytes: whole.subarray(0, 16_384), blockHeader: NO_BYTES });
  assert.ok(record.length <= 65_536, "the longest record is within the format's limit");
  assert.equal(unpackWindow(record, "x").window[32_766], whole[16_383]);
});

Deno.test("nothing takes no bytes", () => {
  const nothing = { lengthBytes: 0, runs: NO_RUNS, bytes: NO_BYTES, blockHeader: NO_BYTES };
  assert.equal(packWindow(nothing).length, 0);
  assert.deepEqual(unpackWindow(NO_BYTES, "x"), { window: NO_BYTES, blockHeader: NO_BYTES });
  const header = { ...nothing, blockHeader: Uint8Array.of(5) };
  assert.deepEqual([...packWindow(header)], [1, 0, 0, 5]);
});

Deno.test("what is unpacked is not a view of the record", () => {
  const record = packWindow({
    lengthBytes: 2,
    runs: Uint32Array.of(0, 2),
    bytes: Uint8Array.of(1, 2),
    blockHeader: Uint8Array.of(3),
  });
  const { window, blockHeader } = unpackWindow(record, "x");
  record.fill(9);
  assert.deepEqual([[...window], [...blockHeader]], [[1, 2], [3]]);
});

Deno.test("records whose numbers contradict each other are refused by name", () => {
  const cases: [number[], RegExp][] = [
    [[0], /^window window length$/], // ends after a number
    [[0x80], /^window block header length$/], // ends in a number
    [[0x81, 8, 0, 0], /^window block header length$/], // 1,025
    [[0, 0x81, 0x80, 0x80, 4, 0], /^window window length$/], // 8,388,609
    [[0, 0x80, 0x80, 0x80, 0x80, 0], /^window window length$/], // five bytes
    [[0, 3, 4], /^window number of parts$/],
    [[0, 3, 1, 4, 0], /^window gap$/],
    [[0, 3, 1, 1, 3, 1, 1, 1], /^window part length$/],
    [[0, 3, 2, 1, 1, 2, 0], /^window gap$/],
    [[0, 3, 1, 1, 2, 7], /^window length$/], // a byte is missing
    [[0, 3, 1, 1, 2, 7, 7, 7], /^window length$/], // one too many
    [[2, 0, 0, 7], /^window length$/],
  ];
  for (const [bytes, field] of cases) {
    assert.throws(() => unpackWindow(Uint8Array.from(bytes), "some.clip: checkpoint 3"), (error) => {
      assert.ok(error instanceof CorruptError, String(error));
      assert.match(error.details.field, field, bytes.join(" "));
      assert.ok(error.message.startsWith("archive some.clip: checkpoint 3: bad window "));
      return true;
    });
  }
});

Deno.test("any bytes are a record or a CorruptError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        const { window, blockHeader } = unpackWindow(bytes, "x");
        assert.ok(window.length <= 8_388_608 && blockHeader.length <= bytes.length);
      } catch (error) {
        if (!(error instanceof CorruptError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});
