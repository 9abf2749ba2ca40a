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
