/** Remote caches on real servers: what is kept, shared, and never believed. */
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { e2eTest } from "../../e2e/workbench.ts";
import { nginxServer } from "./nginx_server.ts";
import { redisServer } from "./redis_server.ts";
import { assertSameBytes, eventually, noiseSpan, textSpan, WatchedCache } from "./remote_bench.ts";
import { s3Gateway } from "./s3_gateway.ts";

const BOTH_NEEDS = [...new Set([...redisServer.needs, ...nginxServer.needs])];

for (const kind of [redisServer, nginxServer, s3Gateway]) {
  e2eTest(`remote cache, ${kind.name}: what one worker offers, another finds`, kind.needs, async (bench) => {
    const server = await kind.start(bench);
    const one = new WatchedCache(bench, [server]);
    const spans = [textSpan(1, 3_000_000), noiseSpan(2_000_000), textSpan(2, 1), noiseSpan(127)];
    for (const span of spans) assert.equal(await one.has(span), false);
    for (const span of spans) one.cache.offer(span.sha256, span.bytes);
    await eventually(() => one.puts.length === spans.length);
    assert.deepEqual(one.puts.map(({ result }) => result), Array(4).fill("stored"));
    const [text, noise] = spans;
    const stored = await server.peek(text!.key);
    assert.ok(stored!.length < 1_000_000, "text is compressed");
    assertSameBytes(gunzipSync(stored!), text!.bytes);
    assertSameBytes(await server.peek(noise!.key), noise!.bytes);

    const other = new WatchedCache(bench, [server]);
    for (const span of spans) assert.equal(await other.has(span), true);
    assert.equal(await other.has(textSpan(3)), false);
    assert.deepEqual(other.gets.map(({ result }) => result), ["hit", "hit", "hit", "hit", "miss"]);
    assert.equal(other.gets[0]!.storedBytes, stored!.length);
    assert.equal(other.gets[0]!.plainBytes, 3_000_000);
    assert.deepEqual([...one.log, ...other.log], []);
  });
}

e2eTest(
  "remote cache: what others have compressed is read, whatever they did it with",
  redisServer.needs,
  async (bench) => {
    const server = await redisServer.start(bench);
    const watched = new WatchedCache(bench, [server]);
    for (const level of [1, 6, 9]) {
      const span = textSpan(level);
      await server.plant(span.key, gzipSync(span.bytes, { level }));
      assert.equal(await watched.has(span), true);
    }
  },
);

/** Values that are not those of the span, though they could be. */
const POISON: Record<string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array> = {
  "other bytes of the same length": (bytes) => bytes.map((byte) => byte ^ 1),
  "one bit turned over": (bytes) => bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 4),
  "the first half": (bytes) => bytes.subarray(0, bytes.length >> 1),
  "a longer value": (bytes) => new Uint8Array([...bytes, 0]),
  "gzip of other bytes": (bytes) => gzipSync(bytes.map((byte) => byte ^ 1)),
  "gzip of more": (bytes) => gzipSync(new Uint8Array([...bytes, 0])),
  "gzip, cut off": (bytes) => gzipSync(bytes).subarray(0, -100),
  "gzip, damaged": (bytes) => gzipSync(bytes).map((byte, at) => at > 50 && at < 60 ? byte ^ 0xff : byte),
  "a gzip bomb": () => gzipSync(new Uint8Array(128 * 1024 * 1024)).subarray(0, 199_000),
  "one byte": () => new Uint8Array(1),
};

for (const kind of [redisServer, nginxServer]) {
  e2eTest(`remote cache, ${kind.name}: poison is told of, not used, and overwritten`, kind.needs, async (bench) => {
    const server = await kind.start(bench);
    const watched = new WatchedCache(bench, [server]);
    const good = textSpan(0);
    assert.equal(await watched.put(good), "stored");
    const spans = Object.entries(POISON).map(([name, poison], at) => ({ name, poison, span: textSpan(at + 1) }));
    for (const { name, poison, span } of spans) {
      await server.plant(span.key, poison(span.bytes));
      watched.gets.length = watched.log.length = 0;
      for (let time = 0; time < 2; time++) assert.equal(await watched.has(span), false, name);
      assert.equal(await watched.has(good), true, name);
      assert.deepEqual(watched.gets.map(({ result }) => result), ["poison", "resting", "hit"], name);
      assert.equal(watched.log.length, 1, name);
      assert.match(watched.log[0]!, new RegExp(`^clip: warn: a value in the remote cache is wrong.*${span.key}`), name);
      assert.equal(await watched.put(span), "stored", name);
    }
    const other = new WatchedCache(bench, [server]);
    for (const { name, span } of spans) assert.equal(await other.has(span), true, name);
  });
}

e2eTest("remote cache: a store of nothing but poison is left alone", redisServer.needs, async (bench) => {
  const server = await redisServer.start(bench);
  const watched = new WatchedCache(bench, [server]);
  const spans = Array.from({ length: 20 }, (_, at) => textSpan(at, 1000));
  for (const { key } of spans) await server.plant(key, new Uint8Array(1000));
  for (const span of spans) assert.equal(await watched.has(span), false);
  assert.equal(watched.gets.filter(({ result }) => result === "poison").length, 4);
  assert.equal(watched.gets.filter(({ result }) => result === "resting").length, 16);
  assert.equal(watched.log.length, 4);
  assert.match(watched.log[3]!, /the remote cache fails: reads go on without it/);
});

e2eTest("remote cache: a hit is offered to the stores before, as it was stored", BOTH_NEEDS, async (bench) => {
  const [near, far] = [await redisServer.start(bench), await nginxServer.start(bench)];
  const filler = new WatchedCache(bench, [far]);
  const spans = [textSpan(1), noiseSpan()];
  for (const span of spans) assert.equal(await filler.put(span), "stored");
  const watched = new WatchedCache(bench, [near, far]);
  for (const span of spans) assert.equal(await watched.has(span), true);
  await watched.cache.close();
  assert.deepEqual(watched.gets.map(({ result }) => result), ["miss", "hit", "miss", "hit"]);
  for (const { key } of spans) {
    assertSameBytes(await near.peek(key), (await far.peek(key))!);
  }
  await far.process.kill();
  const other = new WatchedCache(bench, [near, far]);
  for (const span of spans) assert.equal(await other.has(span), true);
});

e2eTest("remote cache: nothing is stored twice", redisServer.needs, async (bench) => {
  const server = await redisServer.start(bench);
  const one = new WatchedCache(bench, [server]);
  const span = textSpan(1);
  for (let time = 0; time < 10; time++) one.cache.offer(span.sha256, span.bytes);
  assert.equal(await one.put(span), "stored");
  one.cache.offer(span.sha256, span.bytes);
  const other = new WatchedCache(bench, [server]);
  assert.equal(await other.put(span), "present");
  await Promise.all([one.cache.close(), other.cache.close()]);
  assert.equal(one.puts.length, 1);
  assert.equal(other.puts.length, 1);
});

e2eTest("remote cache: a reader that goes away, and a cache that is closed", redisServer.needs, async (bench) => {
  const server = await redisServer.start(bench);
  const watched = new WatchedCache(bench, [server], { timeoutMs: 60_000 });
  const span = textSpan(1);
  assert.equal(await watched.put(span), "stored");
  server.process.pause();
  const reason = new Error("the reader was interrupted");
  const stop = new AbortController();
  const read = watched.cache.get(span.sha256, span.bytes.length, stop.signal);
  setTimeout(() => stop.abort(reason), 50);
  await assert.rejects(read, (error) => error === reason);
  await assert.rejects(watched.cache.get(span.sha256, span.bytes.length, stop.signal), (error) => error === reason);
  server.process.resume();
  assert.equal(await watched.has(span), true, "that is not held against the store");
  await watched.cache.close();
  await watched.cache.close();
  assert.equal(await watched.has(span), false);
  watched.cache.offer(span.sha256, span.bytes);
  assert.deepEqual(watched.log, []);
});

e2eTest("remote cache: bytes in shared memory can be offered", redisServer.needs, async (bench) => {
  const server = await redisServer.start(bench);
  for (const span of [textSpan(1), noiseSpan()]) {
    const shared = new Uint8Array(new SharedArrayBuffer(span.bytes.length));
    shared.set(span.bytes);
    const watched = new WatchedCache(bench, [server]);
    watched.cache.offer(span.sha256, shared);
    await watched.cache.close();
    assert.equal(await new WatchedCache(bench, [server]).has(span), true);
  }
});
