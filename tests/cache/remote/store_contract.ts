import assert from "node:assert/strict";
import { ClipError } from "../../../src/base/mod.ts";
import { type ContentStore, openStore } from "../../../src/cache/remote/mod.ts";
import { e2eTest } from "../../e2e/workbench.ts";
import { assertSameBytes } from "./remote_bench.ts";
import type { StoreServer, StoreServerKind } from "./store_server.ts";

const KEY = "0123456789abcdef".repeat(4);
const OTHER_KEY = "f".repeat(64);
/** More than a server or a client takes at one go. */
const LARGE_BYTES = 3 * 1024 * 1024;
/** Nothing that is not stopped takes so long. */
const PATIENCE_MS = 60_000;

/** Bytes of all values, and not the same again. */
function noise(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

function isClipError(...codes: string[]): (error: unknown) => boolean {
  return (error) => error instanceof ClipError && codes.includes(error.code);
}

/** What every store has to do, tried on a real server. */
export function storeContract(kind: StoreServerKind): void {
  const test = (what: string, body: (store: ContentStore, server: StoreServer) => Promise<void>) =>
    e2eTest(`${kind.name}: ${what}`, kind.needs, async (bench) => {
      const server = await kind.start(bench);
      const store = openStore(server.url, (name) => server.env[name]);
      try {
        await body(store, server);
      } finally {
        await store.close();
      }
    });
  const signal = () => AbortSignal.timeout(PATIENCE_MS);

  test("what is put is there, byte for byte, under its bare key; nothing else is", async (store, server) => {
    assert.equal(await store.get(KEY, 100, signal()), undefined);
    assert.equal(await store.has(KEY, signal()), false);
    for (const value of [noise(1), noise(LARGE_BYTES), new Uint8Array(new TextEncoder().encode("\r\n$5\r\n\0%2f"))]) {
      await store.put(KEY, value, signal());
      assertSameBytes(await store.get(KEY, value.length, signal()), value);
      assert.equal(await store.has(KEY, signal()), true);
      assertSameBytes(await server.peek(KEY), value);
    }
    assert.equal(await store.get(OTHER_KEY, 100, signal()), undefined);
  });

  test("what others have put is there; of what is too long nothing is", async (store, server) => {
    const value = noise(100_000);
    await server.plant(KEY, value);
    assertSameBytes(await store.get(KEY, 100_000, signal()), value);
    await assert.rejects(store.get(KEY, 99_999, signal()), isClipError("limit"));
    await assert.rejects(store.get(KEY, 1, signal()), isClipError("limit"));
    assertSameBytes(await store.get(KEY, 1_000_000, signal()), value);
  });

  test("many at a time", async (store) => {
    const values = Array.from({ length: 40 }, (_, at) => noise(1 + at * 5000));
    const key = (at: number) => at.toString(16).padStart(64, "0");
    await Promise.all(values.map((value, at) => store.put(key(at), value, signal())));
    const read = await Promise.all(values.map((_, at) => store.get(key(at), LARGE_BYTES, signal())));
    values.forEach((value, at) => assertSameBytes(read[at], value));
  });

  test("a full server takes no writes, and serves reads", async (store, server) => {
    const value = noise(256 * 1024);
    await store.put(KEY, value, signal());
    await server.fill();
    await assert.rejects(store.put(OTHER_KEY, noise(256 * 1024), signal()), isClipError("limit", "denied", "network"));
    assertSameBytes(await store.get(KEY, value.length, signal()), value);
    assert.equal(await store.get(OTHER_KEY, value.length, signal()), undefined);
    await server.makeRoom();
    await store.put(OTHER_KEY, value, signal());
    assertSameBytes(await store.get(OTHER_KEY, value.length, signal()), value);
  });

  test("a stopped server: calls end with their signals; then all is well again", async (store, server) => {
    const value = noise(1000);
    await store.put(KEY, value, signal());
    server.process.pause();
    const reason = new Error("enough");
    const stop = new AbortController();
    const calls = [
      store.get(KEY, 1000, stop.signal),
      store.has(KEY, stop.signal),
      store.put(OTHER_KEY, value, stop.signal),
    ];
    setTimeout(() => stop.abort(reason), 100);
    for (const { status, reason: why } of await Promise.allSettled(calls) as PromiseRejectedResult[]) {
      assert.deepEqual([status, why], ["rejected", reason]);
    }
    server.process.resume();
    assertSameBytes(await store.get(KEY, 1000, signal()), value);
  });

  test("a dead server: an error at once; once it is back, its values", async (store, server) => {
    await store.has(KEY, signal());
    await server.process.kill();
    await assert.rejects(store.get(KEY, 1000, signal()), isClipError("network"));
    await assert.rejects(store.put(KEY, noise(10), signal()), isClipError("network"));
    await server.process.start();
    const value = noise(1000);
    await server.plant(KEY, value);
    for (const startedMs = performance.now();;) {
      try {
        assertSameBytes(await store.get(KEY, 1000, signal()), value);
        break;
      } catch (error) {
        if (!isClipError("network")(error) || performance.now() - startedMs > PATIENCE_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  });

  test("descriptions and errors hold no credentials", async (store, server) => {
    await server.process.kill();
    const said: string[] = [store.description];
    await store.get(KEY, 10, signal()).catch((error) => said.push(String(error), JSON.stringify(error)));
    for (const text of said) assert.doesNotMatch(text, /p@ss|p%40ss|word|only\/for/i);
    assert.match(store.description, /^(redis|http|s3):\/\/[^@]*127\.0\.0\.1/);
  });
}
