import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import { countOf, type MetricDefinitions, MetricTable } from "../../src/metrics/mod.ts";
import type { BusyWork } from "./busy_worker.ts";

const DEFINITIONS = {
  plain_total: { type: "counter", help: "Without labels." },
  two_total: { type: "counter", help: "Of two labels.", labels: { a: ["x", "y"], b: ["1", "2", "3"] } },
  some_seconds: { type: "histogram", help: "Durations.", labels: { a: ["x", "y"] } },
  rare_total: { type: "counter", help: "Mostly zero.", labels: { a: ["x", "y", "z"] }, sparse: true },
  now: { type: "gauge", help: "At present." },
} as const satisfies MetricDefinitions<string>;

function table(memory?: SharedArrayBuffer) {
  return new MetricTable<keyof typeof DEFINITIONS>(DEFINITIONS, 2, memory);
}

Deno.test("every series has slots of its own, in each region", () => {
  const it = table();
  const seen = new Set<number>();
  const writer = it.writer(0);
  const take = (slot: number, slots = 1) => {
    for (let i = 0; i < slots; i++) {
      assert.ok(!seen.has(slot + i) && slot + i < writer.values.length);
      seen.add(slot + i);
    }
  };
  take(writer.slot("plain_total"));
  for (const a of [0, 1]) for (const b of [0, 1, 2]) take(writer.slot("two_total", a, b));
  for (const a of [0, 1]) take(writer.slot("some_seconds", a), 26);
  for (const a of [0, 1, 2]) take(writer.slot("rare_total", a));
  take(writer.slot("now"));
  assert.equal(seen.size, writer.values.length);
});

Deno.test("what the threads count adds up", () => {
  const it = table();
  const [one, other] = [it.writer(0), table(it.memory).writer(1)];
  one.add(one.slot("two_total", 1, 2), 3);
  other.add(other.slot("two_total", 1, 2), 2 ** 40);
  other.add(other.slot("two_total", 1, 1), 1);
  assert.equal(it.value("two_total", 1, 2), 2 ** 40 + 3);
  assert.equal(it.value("two_total", 1, 1), 1);
  assert.equal(it.value("two_total", 0, 2), 0);
  one.observe(one.slot("some_seconds", 1), 500);
  other.observe(other.slot("some_seconds", 1), 1500);
  const histogram = it.histogram("some_seconds", 1);
  assert.equal(countOf(histogram), 2);
  assert.equal(histogram.sumSeconds, 0.002);
  one.add(one.slot("now"), 2);
  one.add(one.slot("now"), -1);
  assert.equal(it.value("now"), 1);
});

Deno.test("families have every series, sparse ones those that occurred", () => {
  const it = table();
  const writer = it.writer(1);
  writer.add(writer.slot("rare_total", 1), 7);
  writer.add(writer.slot("two_total", 0, 1), 5);
  const families = new Map(it.families().map((family) => [family.name, family]));
  assert.deepEqual([...families.keys()], Object.keys(DEFINITIONS));
  assert.deepEqual(families.get("rare_total")!.samples, [{ labels: { a: "y" }, value: 7 }]);
  assert.deepEqual(families.get("two_total")!.samples.map(({ labels, value }) => [labels!["a"], labels!["b"], value]), [
    ["x", "1", 0],
    ["x", "2", 5],
    ["x", "3", 0],
    ["y", "1", 0],
    ["y", "2", 0],
    ["y", "3", 0],
  ]);
});

Deno.test("labels that are not there, and memory of another table, are bugs that show", () => {
  const it = table();
  const isBug = (error: unknown) => error instanceof ClipError && error.code === "internal";
  assert.throws(() => it.writer(0).slot("two_total", 0), isBug);
  assert.throws(() => it.writer(0).slot("two_total", 0, 3), isBug);
  assert.throws(() => it.writer(0).slot("two_total", -1, 0), isBug);
  assert.throws(() => table(new SharedArrayBuffer(64)), isBug);
});

Deno.test("a Worker that counts is seen here while it counts, and nothing is lost", async () => {
  const it = table();
  const worker = new Worker(new URL("./busy_worker.ts", import.meta.url), { type: "module" });
  const said = { next: Promise.withResolvers<unknown>() };
  worker.onmessage = ({ data }) => said.next.resolve(data);
  worker.postMessage({ definitions: DEFINITIONS, table: it.memory } satisfies BusyWork);
  assert.equal(await said.next.promise, "a third");
  said.next = Promise.withResolvers();
  const own = it.writer(0);
  const [ownSlot, ownPlain] = [own.slot("some_seconds", 0), own.slot("plain_total")];
  let before = 0;
  for (let i = 0; i < 1000; i++) {
    own.observe(ownSlot, 5);
    own.add(ownPlain, 1);
    const seen = it.value("plain_total");
    assert.ok(Number.isInteger(seen) && seen >= before && seen <= 3_001_000);
    before = seen;
  }
  assert.equal(await said.next.promise, "done");
  assert.equal(it.value("plain_total"), 3_001_000);
  assert.equal(countOf(it.histogram("some_seconds", 0)), 3_001_000);
  worker.terminate();
});
