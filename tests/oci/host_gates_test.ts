import assert from "node:assert/strict";
import { HostGates } from "../../src/oci/host_gates.ts";

const FOREVER = new AbortController().signal;

/** Lets everything go on that can. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("32 requests to a host at once, the others in order of arrival; hosts do not wait for each other", async () => {
  const gates = new HostGates();
  const gate = gates.gate("https://a.example");
  assert.equal(gates.gate("https://a.example"), gate);
  const leave = await Promise.all(Array.from({ length: 32 }, () => gate.enter(FOREVER)));
  const entered: number[] = [];
  const later = [1, 2, 3].map((number) =>
    gate.enter(FOREVER).then((leaves) => {
      entered.push(number);
      return leaves;
    })
  );
  await gates.gate("https://b.example").enter(FOREVER);
  await turn();
  assert.deepEqual(entered, []);
  leave[5]!();
  leave[5]!();
  await turn();
  assert.deepEqual(entered, [1]);
  (await later[0]!)();
  leave[6]!();
  await turn();
  assert.deepEqual(entered, [1, 2, 3]);
});

Deno.test("one that gives up waiting takes no place", async () => {
  const gate = new HostGates().gate("https://a.example");
  const leave = await Promise.all(Array.from({ length: 32 }, () => gate.enter(FOREVER)));
  const stopper = new AbortController();
  const given = gate.enter(stopper.signal);
  const next = gate.enter(FOREVER);
  stopper.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  await assert.rejects(gate.enter(stopper.signal), /enough/);
  leave[0]!();
  await next;
});

Deno.test("a pause holds for all who come during it, and ends", async () => {
  const gate = new HostGates().gate("https://a.example");
  const startMs = Date.now();
  gate.pause(150);
  gate.pause(20);
  let entered = 0;
  const all = [1, 2].map(() => gate.enter(FOREVER).then(() => entered++));
  await turn();
  assert.equal(entered, 0);
  await Promise.all(all);
  assert(Date.now() - startMs >= 149);
  // Leaves no timer behind where nobody waits any more: the test runner would tell.
  gate.pause(60_000);
  const stopper = new AbortController();
  const given = gate.enter(stopper.signal);
  stopper.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
});

Deno.test("who is impatient waits for a place, but for no pause", async () => {
  const gate = new HostGates({ maxRequests: 1 }).gate("https://a.example");
  const leave = await gate.enter(FOREVER);
  const placed = gate.enter(FOREVER, true);
  leave();
  const leaveToo = (await placed)!;
  const waiting = [gate.enter(FOREVER, true), gate.enter(FOREVER), gate.enter(FOREVER, true)];
  gate.pause(50);
  assert.deepEqual(await Promise.all([waiting[0], waiting[2]]), [undefined, undefined]);
  assert.equal(await gate.enter(FOREVER, true), undefined);
  leaveToo();
  (await waiting[1])!();
  (await gate.enter(FOREVER, true))!();
});

Deno.test("a host that says that there is too much gets fewer requests, after a pause that grows; then more again", () => {
  const { now } = Date;
  let nowMs = 1_000_000;
  Date.now = () => nowMs;
  try {
    const gate = new HostGates({ random: () => 0 }).gate("https://a.example");
    gate.refused(nowMs, undefined);
    assert.equal(gate.pauseMs, 50);
    // All that were under way say the same.
    for (let number = 0; number < 9; number++) gate.refused(nowMs, undefined);
    assert.equal(gate.pauseMs, 50);
    nowMs += 50;
    gate.refused(nowMs, undefined);
    assert.equal(gate.pauseMs, 100);
    nowMs += 100;
    gate.refused(nowMs, 3000);
    assert.equal(gate.pauseMs, 3000);
    gate.refused(nowMs, 3_600_000);
    assert.equal(gate.pauseMs, 60_000);
    nowMs += 60_000;
    gate.succeeded();
    gate.refused(nowMs, undefined);
    assert.equal(gate.pauseMs, 50);
  } finally {
    Date.now = now;
  }
});

Deno.test("half as many requests at once after a refusal", async () => {
  const gate = new HostGates({ maxRequests: 4, random: () => 0 }).gate("https://a.example");
  gate.refused(Date.now(), 0);
  await new Promise((resolve) => setTimeout(resolve, 2));
  let entered = 0;
  const leaves: (() => void)[] = [];
  const all = [1, 2, 3, 4].map(() =>
    gate.enter(FOREVER).then((leave) => {
      entered++;
      leaves.push(leave);
    })
  );
  await turn();
  assert.equal(entered, 2);
  for (let good = 0; good < 8; good++) gate.succeeded();
  leaves[0]!();
  await Promise.all(all);
});

Deno.test("a host that fails again and again is asked by one request at a time, the others fail at once", () => {
  const { now } = Date;
  let nowMs = 1_000_000;
  Date.now = () => nowMs;
  try {
    const gate = new HostGates({ random: () => 0 }).gate("https://a.example");
    for (let number = 0; number < 7; number++) gate.failed();
    assert.equal(gate.isShut(), false);
    gate.succeeded();
    // Those after the eighth were under way, and fail with it.
    for (let number = 0; number < 32; number++) gate.failed();
    assert.equal(gate.isShut(), true);
    nowMs += 250;
    assert.equal(gate.isShut(), false, "one tries");
    assert.equal(gate.isShut(), true, "the others wait for what it finds");
    gate.failed();
    nowMs += 499;
    assert.equal(gate.isShut(), true);
    nowMs += 1;
    assert.equal(gate.isShut(), false);
    gate.succeeded();
    assert.equal(gate.isShut(), false);
  } finally {
    Date.now = now;
  }
});

Deno.test("bodies come no faster than the bandwidth", () => {
  const gate = new HostGates({ maxBytesPerSecond: 1000 }).gate("https://a.example");
  const waits = [100, 100, 100].map((bytes) => gate.transferMs(bytes));
  for (const [index, waitMs] of waits.entries()) {
    assert.ok(waitMs > 100 * (index + 1) - 60 && waitMs <= 100 * (index + 1), `${waitMs} ms after ${index + 1}`);
  }
  assert.equal(new HostGates().gate("https://a.example").transferMs(1e9), 0);
});

Deno.test("a pause that ends while it is looked at keeps nobody back", async () => {
  const { now } = Date;
  for (let pauseMs = 1; pauseMs <= 8; pauseMs++) {
    let nowMs = 1000;
    Date.now = () => nowMs;
    try {
      const gate = new HostGates().gate("https://a.example");
      gate.pause(pauseMs);
      Date.now = () => nowMs++;
      await gate.enter(FOREVER);
    } finally {
      Date.now = now;
    }
  }
});
