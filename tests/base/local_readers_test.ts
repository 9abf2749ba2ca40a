import assert from "node:assert/strict";
import { LocalReaders, SpanState } from "../../src/base/mod.ts";

Deno.test("spans are retired at once where nobody reads", () => {
  const readers = new LocalReaders(4);
  readers.spanStates.fill(SpanState.verified);
  assert.equal(readers.retire([1, 3]), true);
  assert.deepEqual([...readers.spanStates], [1, 0, 1, 0]);
  readers.begin();
  readers.end();
  assert.equal(readers.retire([0]), true);
});

Deno.test("a read that does not end keeps its spans; they are to be verified again all the same", () => {
  const readers = new LocalReaders(2);
  readers.spanStates.fill(SpanState.verified);
  readers.begin();
  assert.equal(readers.retire([0]), false);
  assert.deepEqual([...readers.spanStates], [0, 1]);
  readers.end();
  assert.equal(readers.retire([0]), true);
});

/** Reads slots that are verified, over and over; a slot that is not what was put there while verified is wrong. */
const READING_WORKER = `
  import { LocalReaders, SpanState } from ${JSON.stringify(new URL("../../src/base/mod.ts", import.meta.url).href)};
  self.onmessage = ({ data: { from, slots, control } }) => {
    const readers = new LocalReaders(from);
    let reads = 0, wrong = 0;
    while (Atomics.load(control, 0) === 0) {
      const span = reads % readers.spanStates.length;
      readers.begin();
      if (Atomics.load(readers.spanStates, span) === SpanState.verified) {
        for (let i = 0; i < 20; i++) if (Atomics.load(slots, span) !== 7) wrong++;
      }
      readers.end();
      reads++;
    }
    self.postMessage({ reads, wrong });
  };
`;

Deno.test("what is retired is not read afterwards, however fast the other thread is", async () => {
  const readers = new LocalReaders(8);
  const slots = new Int32Array(new SharedArrayBuffer(8 * 4)).fill(7);
  const control = new Int32Array(new SharedArrayBuffer(4));
  readers.spanStates.fill(SpanState.verified);
  const url = URL.createObjectURL(new Blob([READING_WORKER], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const result = Promise.withResolvers<{ reads: number; wrong: number }>();
  worker.onmessage = ({ data }) => result.resolve(data);
  worker.postMessage({ from: { ...readers }, slots, control });
  while (Atomics.load(readers.sequence, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  let retired = 0;
  // On a busy machine the other thread may rest for long: it is given its turns.
  const deadline = Date.now() + 60_000;
  for (let round = 0; retired < 1000 || Atomics.load(readers.sequence, 0) < 10_000; round++) {
    assert.ok(Date.now() < deadline, `${retired} retired of ${round}`);
    const span = round % 8;
    if (span === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    if (!readers.retire([span])) continue;
    retired++;
    Atomics.store(slots, span, 0);
    Atomics.store(slots, span, 7);
    Atomics.store(readers.spanStates, span, SpanState.verified);
  }
  Atomics.store(control, 0, 1);
  const { reads, wrong } = await result.promise;
  worker.terminate();
  URL.revokeObjectURL(url);
  assert.ok(reads >= 5000);
  assert.equal(wrong, 0);
});
