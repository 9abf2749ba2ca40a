import assert from "node:assert/strict";
import { ReadRing } from "../../src/metrics/mod.ts";
import type { BusyWork } from "./busy_worker.ts";

const CAPACITY = 65_536;

Deno.test("reads come out as they went in, oldest first, no more than asked for", () => {
  const ring = new ReadRing();
  const other = new ReadRing(ring.memory);
  ring.push(1e15 + 0.5, 4_000_000_000, 2 ** 52, 131_072, 4711, 12.25);
  ring.push(2, 3, 4, 5, 6, 7);
  assert.deepEqual(other.take(1), [
    { started: 1e15 + 0.5, inode: 4_000_000_000, offset: 2 ** 52, bytes: 131_072, pid: 4711, duration: 12.25 },
  ]);
  assert.deepEqual(other.take(100).map(({ started }) => started), [2]);
  assert.deepEqual(other.take(100), []);
});

Deno.test("a full ring drops what comes, says how much, and goes on once there is room", () => {
  const ring = new ReadRing();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < CAPACITY + 10; i++) ring.push(i, 0, 0, 0, 0, 0);
    assert.equal(ring.dropped, 10 * (round + 1));
    const taken = ring.take(Infinity);
    assert.deepEqual([taken.length, taken[0]!.started, taken.at(-1)!.started], [CAPACITY, 0, CAPACITY - 1]);
  }
});

Deno.test("numbers of records may run over 32 bits", () => {
  const ring = new ReadRing();
  new Int32Array(ring.memory, 0, 2).fill(0x7fffffff - 2);
  for (let i = 0; i < 10; i++) ring.push(i, 0, 0, 0, 0, 0);
  assert.deepEqual(ring.take(100).map(({ started }) => started), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  new Int32Array(ring.memory, 0, 2).fill(-2);
  for (let i = 0; i < CAPACITY + 1; i++) ring.push(i, 0, 0, 0, 0, 0);
  assert.equal(ring.take(Infinity).length, CAPACITY);
  assert.equal(ring.dropped, 1);
});

Deno.test("one thread puts in while another takes out: all in order, none twice", async () => {
  const ring = new ReadRing();
  const worker = new Worker(new URL("./busy_worker.ts", import.meta.url), { type: "module" });
  const ended = Promise.withResolvers<number>();
  let dropped: number | undefined;
  ended.promise.then((count) => dropped = count);
  worker.onmessage = ({ data }) => ended.resolve(data);
  worker.postMessage({ ring: ring.memory } satisfies BusyWork);
  let [taken, last] = [0, 0];
  for (let over = false; !over;) {
    over = dropped !== undefined;
    for (const read of ring.take(10_000)) {
      assert.ok(read.started > last);
      for (const field of [read.inode, read.offset, read.bytes, read.pid, read.duration]) {
        assert.equal(field, read.started);
      }
      last = read.started;
      taken++;
      over = false;
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.equal(taken + dropped!, 400_000);
  worker.terminate();
});
