import assert from "node:assert/strict";
import type { Digest } from "../../src/base/mod.ts";
import { openBlobStore, parseImageReference } from "../../src/oci/mod.ts";
import { RedirectMemory, redirectUsableUntil } from "../../src/oci/redirect_memory.ts";
import { type FakeRegistry, noise, serveBlob, startFakeRegistry } from "./fake_registry.ts";
import { assertBytes, failure, quickOptions } from "./test_support.ts";

const NOW_MS = Date.parse("2025-01-01T00:00:00Z");
const SECOND = 1000;
const MINUTE = 60 * SECOND;

Deno.test("how long a redirect's target may be used", () => {
  const lifeMs = (query: string, cacheControl: string | null = null) =>
    redirectUsableUntil(cacheControl, new URL(`https://cdn.example/x?${query}`), NOW_MS) - NOW_MS;
  assert.equal(lifeMs(""), 5 * MINUTE);
  assert.equal(lifeMs("", "no-store"), 0);
  assert.equal(lifeMs("", "private, No-Cache"), 0);
  assert.equal(lifeMs("", "max-age=0"), 0);
  assert.equal(lifeMs("", "private, max-age=90"), 90 * SECOND);
  assert.equal(lifeMs("", "max-age=999999999"), 60 * MINUTE);
  assert.equal(lifeMs("X-Amz-Date=20250101T000000Z&X-Amz-Expires=1200"), 20 * MINUTE - 30 * SECOND);
  assert.equal(lifeMs("X-Amz-Date=20241231T235900Z&X-Amz-Expires=100"), 30 * SECOND);
  assert.equal(lifeMs("X-Goog-Date=20250101T000000Z&X-Goog-Expires=604800"), 60 * MINUTE);
  assert.equal(lifeMs("se=2025-01-01T00%3A10%3A00Z&sig=x"), 10 * MINUTE - 30 * SECOND);
  assert.equal(lifeMs(`Expires=${NOW_MS / 1000 + 40}&Signature=x`), 30 * SECOND);
  assert.equal(lifeMs(`expires=${NOW_MS / 1000 + 600}`, "max-age=60"), MINUTE);
  assert(lifeMs(`Expires=${NOW_MS / 1000 - 40}`) <= 0);
  for (const odd of ["Expires=soon", "se=never", "X-Amz-Date=2025&X-Amz-Expires=60", "X-Amz-Expires=60"]) {
    assert.equal(lifeMs(odd), 5 * MINUTE, odd);
  }
});

Deno.test("targets are forgotten when their time is over, when told, and the oldest beyond 1,024", () => {
  const memory = new RedirectMemory();
  const url = (number: number) => new URL(`https://registry.example/${number}`);
  const redirect = { url: new URL("https://cdn.example/"), carriesLogin: false, untilMs: NOW_MS + 10 };
  memory.remember(url(0), redirect, NOW_MS);
  assert.equal(memory.find(url(0), NOW_MS + 9), redirect);
  assert.equal(memory.find(url(0), NOW_MS + 10), undefined);
  assert.equal(memory.find(url(0), NOW_MS), undefined);
  memory.remember(url(1), { ...redirect, untilMs: NOW_MS }, NOW_MS);
  assert.equal(memory.find(url(1), NOW_MS - 1), undefined);
  for (let number = 0; number < 1025; number++) memory.remember(url(number), redirect, NOW_MS);
  assert.equal(memory.find(url(0), NOW_MS), undefined);
  assert.equal(memory.find(url(1), NOW_MS), redirect);
  memory.forget(url(1));
  assert.equal(memory.find(url(1), NOW_MS), undefined);
});

const BYTES = noise(50_000, 11);
const RANGE = { offset: 1000, endExclusive: 2000 };

/** A registry that redirects to a storage, which takes only the signature that is `valid`. */
async function withStorage(
  test: (setup: {
    registry: FakeRegistry;
    storage: FakeRegistry;
    signature: { valid: string; refusal: number };
    read: () => Promise<void>;
    log: ReturnType<typeof quickOptions>["log"];
  }) => Promise<void>,
  redirectHeaders: Record<string, string> = {},
): Promise<void> {
  const registry = startFakeRegistry();
  const storage = startFakeRegistry();
  const options = quickOptions();
  const store = await openBlobStore(parseImageReference(`${registry.host}/some/image`), options);
  const digest = registry.addBlob(BYTES) as Digest;
  const blob = store.layer({ digest, diffId: digest, sizeBytes: BYTES.length });
  const signature = { valid: "s3cret-1", refusal: 403 };
  registry.handler = () => {
    const location = `${storage.origin}/x?signature=${signature.valid}`;
    return new Response(null, { status: 307, headers: { location, ...redirectHeaders } });
  };
  storage.handler = (request, url) => {
    assert.equal(request.headers.get("authorization"), null);
    if (url.searchParams.get("signature") === signature.valid) return serveBlob(BYTES, request);
    return new Response("", { status: signature.refusal });
  };
  const read = async () => assertBytes(await blob.readRange(RANGE), BYTES.slice(RANGE.offset, RANGE.endExclusive));
  try {
    await test({ registry, storage, signature, read, log: options.log });
  } finally {
    store.close();
    await registry.stop();
    await storage.stop();
  }
}

Deno.test("later reads go to the storage directly: one round trip each", () =>
  withStorage(async ({ registry, storage, read }) => {
    for (let reads = 0; reads < 5; reads++) await read();
    assert.equal(registry.seen.length, 1);
    assert.equal(storage.seen.length, 5);
  }));

Deno.test("a redirect that may not be kept is asked for each time", () =>
  withStorage(async ({ registry, read }) => {
    for (let reads = 0; reads < 3; reads++) await read();
    assert.equal(registry.seen.length, 3);
  }, { "cache-control": "no-store" }));

for (const refusal of [307, 400, 401, 403, 404, 410]) {
  Deno.test(`a target that says ${refusal} is given up, and the registry asked once`, () =>
    withStorage(async ({ registry, storage, signature, read, log }) => {
      await read();
      signature.refusal = refusal;
      signature.valid = "s3cret-2";
      await read();
      await read();
      assert.equal(registry.seen.length, 2);
      assert.equal(storage.seen.length, 4);
      // Where the new target refuses as well, that is the answer.
      signature.valid = "s3cret-3";
      registry.handler = () =>
        new Response(null, { status: 307, headers: { location: `${storage.origin}/x?signature=old` } });
      if (refusal !== 307) await failure(read);
      if (refusal !== 307) assert.equal(registry.seen.length, 3);
      assert(!log.lines.join().includes("s3cret"), log.lines.join());
    }));
}

Deno.test("a target that fails, or is gone, leads back to the registry by the next try", () =>
  withStorage(async ({ registry, storage, signature, read }) => {
    await read();
    signature.refusal = 503;
    signature.valid = "s3cret-2";
    await read();
    assert.equal(registry.seen.length, 2);
    await storage.stop();
    registry.handler = undefined;
    await read();
    assert.equal(registry.seen.length, 3);
  }));
