import assert from "node:assert/strict";
import { SingleFlight } from "../../src/base/mod.ts";

Deno.test("callers at the same time share one piece of work, later ones get a new one", async () => {
  const flights = new SingleFlight<string, number>();
  let started = 0;
  const work = async () => {
    const number = ++started;
    await new Promise((resolve) => setTimeout(resolve, 1));
    return number;
  };
  const all = [flights.run("a", work), flights.run("a", work), flights.run("b", work)];
  assert.equal(flights.size, 2);
  assert.deepEqual(await Promise.all(all), [1, 1, 2]);
  assert.equal(flights.size, 0);
  assert.equal(await flights.run("a", work), 3);
});

Deno.test("a failure reaches every waiter, and is not kept", async () => {
  const flights = new SingleFlight<number, string>();
  const gate = Promise.withResolvers<string>();
  const both = [flights.run(1, () => gate.promise), flights.run(1, () => Promise.resolve("not called"))];
  const results = Promise.allSettled(both);
  gate.reject(new Error("lost"));
  assert.deepEqual((await results).map((result) => result.status), ["rejected", "rejected"]);
  assert.equal(flights.size, 0);
  assert.equal(await flights.run(1, () => Promise.resolve("anew")), "anew");
});

Deno.test("keys are compared as a Map does", async () => {
  const flights = new SingleFlight<unknown, number>();
  const never = Promise.withResolvers<number>();
  const one = flights.run(1, () => never.promise);
  assert.equal(await flights.run("1", () => Promise.resolve(2)), 2);
  never.resolve(1);
  assert.equal(await one, 1);
});
