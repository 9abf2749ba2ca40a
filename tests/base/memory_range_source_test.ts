import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";

const BYTES = Uint8Array.from({ length: 10_000 }, (_, i) => i * 7);

Deno.test("the source in memory keeps the contract that readers rely on: ranges, fresh arrays, errors", async () => {
  const source = memoryRangeSource(BYTES, "blob");
  assert.deepEqual([source.description, source.sizeBytes], ["blob", 10_000]);
  const range = await source.readRange({ offset: 3, endExclusive: 9 });
  assert.deepEqual(range, BYTES.slice(3, 9));
  range.fill(0);
  assert.deepEqual(await source.readRange({ offset: 3, endExclusive: 9 }), BYTES.slice(3, 9));
  assert.equal((await source.readRange({ offset: 10_000, endExclusive: 10_000 })).length, 0);
  for (const [offset, endExclusive] of [[-1, 2], [5, 4], [9_999, 10_001], [NaN, 1]] as const) {
    await assert.rejects(source.readRange({ offset, endExclusive }), ClipError);
  }
  await assert.rejects(source.readRange({ offset: 0, endExclusive: 1 }, AbortSignal.abort(new Error("stop"))), /stop/);
});

Deno.test("its stream ends after the last byte, and stops on a signal", async () => {
  const source = memoryRangeSource(BYTES);
  for (const offset of [0, 1, 4096, 9_999, 10_000]) {
    const pieces: number[] = [];
    for await (const piece of source.stream({ offset })) pieces.push(...piece);
    assert.deepEqual(pieces, [...BYTES.subarray(offset)]);
  }
  const controller = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of source.stream({ signal: controller.signal })) controller.abort(new Error("enough"));
  }, /enough/);
});
