import assert from "node:assert/strict";
import { Limiter } from "../../src/base/mod.ts";

Deno.test("no more than the limit run at once, the others in order of arrival", async () => {
  for (const limit of [1, 3]) {
    const limiter = new Limiter(limit);
    const started: number[] = [];
    let running = 0;
    let most = 0;
    const results = Array.from({ length: 10 }, (_, i) =>
      limiter.run(async () => {
        started.push(i);
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1 + (i * 7) % 4));
        running--;
        return i * i;
      }));
    assert.deepEqual(await Promise.all(results), Array.from({ length: 10 }, (_, i) => i * i));
    assert.deepEqual(started, Array.from({ length: 10 }, (_, i) => i));
    assert.equal(most, limit);
  }
});

Deno.test("work that fails gives its place back", async () => {
  const limiter = new Limiter(1);
  const failing = [
    limiter.run(() => Promise.reject(new Error("later"))),
    limiter.run(() => {
      throw new Error("at once");
    }),
  ];
  const after = limiter.run(() => Promise.resolve("done"));
  await assert.rejects(failing[0]!, /later/);
  await assert.rejects(failing[1]!, /at once/);
  assert.equal(await after, "done");
  assert.equal(await limiter.run(() => Promise.resolve("again")), "again");
});

Deno.test("a place that is handed over is not taken by a newcomer as well", async () => {
  const limiter = new Limiter(1);
  let running = 0;
  const work = async () => {
    assert.equal(++running, 1);
    await Promise.resolve();
    running--;
  };
  const first = limiter.run(work);
  const second = limiter.run(work);
  await first;
  await Promise.all([second, limiter.run(work), limiter.run(work)]);
});
