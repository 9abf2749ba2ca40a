/** Remote caches whose servers are killed, stopped or full while they are used: reads go on, and the cache comes back. */
import assert from "node:assert/strict";
import { e2eTest } from "../../e2e/workbench.ts";
import { nginxServer } from "./nginx_server.ts";
import { redisServer } from "./redis_server.ts";
import { eventually, noiseSpan, textSpan, WatchedCache } from "./remote_bench.ts";
import { s3Gateway } from "./s3_gateway.ts";

/** A read that meets a stopped server for the first time waits so long. */
const TIMEOUT_MS = 300;
/** What a busy machine may add to it. */
const SLACK_MS = 8000;

for (const kind of [redisServer, nginxServer, s3Gateway]) {
  e2eTest(`remote cache, ${kind.name}: killed and started again under readers`, kind.needs, async (bench) => {
    const server = await kind.start(bench);
    const watched = new WatchedCache(bench, [server], { timeoutMs: 5 * TIMEOUT_MS });
    const spans = [textSpan(1), noiseSpan(), textSpan(2, 1_000_000), noiseSpan(1_000_000)];
    for (const span of spans) assert.equal(await watched.put(span), "stored");
    let isOver = false;
    let longestMs = 0;
    const readers = Array.from({ length: 8 }, async (_, reader) => {
      for (let turn = reader; !isOver; turn++) {
        const startedMs = performance.now();
        await watched.has(spans[turn % spans.length]!); // compares, where there is something
        longestMs = Math.max(longestMs, performance.now() - startedMs);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    await eventually(() => watched.gets.some(({ result }) => result === "hit"));
    await server.process.kill();
    await eventually(() => watched.gets.some(({ result }) => result === "error"));
    await server.process.start();
    // A Redis without persistence has lost all; a folder has not.
    for (const { key, bytes } of spans) await server.plant(key, bytes);
    const hits = () => watched.gets.filter(({ result }) => result === "hit").length;
    const before = hits();
    await eventually(() => hits() > before + 20);
    isOver = true;
    await Promise.all(readers);
    assert.ok(longestMs < 5 * TIMEOUT_MS + SLACK_MS, `a read took ${longestMs} ms`);
    assert.match(watched.log.join(""), /^clip: warn: the remote cache fails: reads go on without it cache=\S+ /);
    assert.match(watched.log[1]!, /^clip: warn: the remote cache is back: reads go to it again /);
    assert.ok(watched.log.length <= 4, `${watched.gets.length} reads, and in the log:\n${watched.log.join("")}`);
  });

  e2eTest(`remote cache, ${kind.name}: stopped, one read waits for it and no other`, kind.needs, async (bench) => {
    const server = await kind.start(bench);
    const watched = new WatchedCache(bench, [server], { timeoutMs: TIMEOUT_MS });
    const span = textSpan(1);
    assert.equal(await watched.put(span), "stored");
    server.process.pause();
    const startedMs = performance.now();
    for (let time = 0; time < 50; time++) assert.equal(await watched.has(span), false);
    assert.ok(performance.now() - startedMs < TIMEOUT_MS + SLACK_MS);
    assert.equal(watched.gets[0]!.result, "error");
    assert.match(String(watched.gets[0]!.error), /no answer for 300 ms/);
    assert.ok(watched.gets.filter(({ result }) => result === "error").length < 5);
    server.process.resume();
    await eventually(() => watched.has(span));
    assert.match(watched.log[1]!, /^clip: warn: the remote cache is back: reads go to it again /);
    assert.match(watched.log[0]!, /cache fails: reads go on without it .*error="no answer for 300 ms" rest="1\.00 s"/);
  });

  e2eTest(
    `remote cache, ${kind.name}: full, it is read and written again when it has room`,
    kind.needs,
    async (bench) => {
      const server = await kind.start(bench);
      const watched = new WatchedCache(bench, [server]);
      const [there, other] = [noiseSpan(300_000), noiseSpan(300_000)];
      assert.equal(await watched.put(there), "stored");
      await server.fill();
      assert.equal(await watched.put(other), "error");
      for (let time = 0; time < 10; time++) assert.equal(await watched.put(noiseSpan(300_000)), "resting");
      assert.equal(await watched.has(there), true);
      assert.equal(watched.log.length, 1, watched.log.join(""));
      assert.match(watched.log[0]!, /^clip: warn: the remote cache fails: writes go on without it /);
      await server.makeRoom();
      await eventually(async () => await watched.put(other) === "stored");
      assert.equal(await new WatchedCache(bench, [server]).has(other), true);
      assert.equal(watched.log.length, 2, watched.log.join(""));
    },
  );
}

e2eTest(
  "remote cache: of what a slow server is offered, only so much waits, and closing is short",
  redisServer.needs,
  async (bench) => {
    const server = await redisServer.start(bench);
    const watched = new WatchedCache(bench, [server]);
    assert.equal(await watched.put(textSpan(0)), "stored");
    server.process.pause();
    for (let span = 1; span <= 50; span++) {
      const { sha256, bytes } = noiseSpan(1024 * 1024);
      watched.cache.offer(sha256, bytes);
    }
    assert.equal(watched.puts.filter(({ result }) => result === "dropped").length, 50 - 32);
    const startedMs = performance.now();
    await watched.cache.close();
    const ms = performance.now() - startedMs;
    assert.ok(ms > 1500 && ms < 2000 + SLACK_MS, `closing took ${ms} ms`);
  },
);

e2eTest("remote cache: nobody there from the start, then somebody", redisServer.needs, async (bench) => {
  const server = await redisServer.start(bench);
  await server.process.kill();
  const watched = new WatchedCache(bench, [server]);
  const span = textSpan(1);
  assert.equal(await watched.has(span), false);
  assert.match(watched.log[0]!, /reads go on without it .*refused/i);
  await server.process.start();
  await eventually(async () => await watched.has(span) || watched.gets.at(-1)!.result === "miss");
  assert.equal(await watched.put(span), "stored");
  assert.equal(await watched.has(span), true);
});
