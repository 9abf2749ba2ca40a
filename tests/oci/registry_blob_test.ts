import assert from "node:assert/strict";
import { ClipError, RangesIgnoredError, sha256 } from "../../src/base/mod.ts";
import type { Digest, RangeSource } from "../../src/base/mod.ts";
import { type BlobStore, openBlobStore, parseImageReference, RegistryError } from "../../src/oci/mod.ts";
import { type FakeRegistry, type Fault, noise, serveBlob, startFakeRegistry } from "./fake_registry.ts";
import { assertBytes, collect, failure, type QuickOptions, quickOptions, writeTemporary } from "./test_support.ts";

const BYTES = noise(300_000, 7);

/** Opens a blob of a registry that is stopped afterwards. */
async function withBlob(
  test: (
    context: { registry: FakeRegistry; blob: RangeSource; store: BlobStore; options: ReturnType<typeof quickOptions> },
  ) => Promise<void>,
  overrides: QuickOptions | ((registry: FakeRegistry) => QuickOptions) = {},
): Promise<void> {
  const registry = startFakeRegistry();
  const options = quickOptions(typeof overrides === "function" ? overrides(registry) : overrides);
  const store = await openBlobStore(parseImageReference(`${registry.host}/some/image`), options);
  try {
    assert.equal(registry.seen.length, 0, "opening a store sends nothing");
    const digest = registry.addBlob(BYTES) as Digest;
    const blob = store.layer({ digest, diffId: digest, sizeBytes: BYTES.length });
    await test({ registry, blob, store, options });
  } finally {
    store.close();
    await registry.stop();
  }
}

const RANGES: readonly (readonly [number, number])[] = [[0, 1], [0, 300_000], [299_999, 300_000], [1, 299_999], [
  70_000,
  200_000,
]];

async function checkRanges(blob: RangeSource): Promise<void> {
  for (const [offset, endExclusive] of RANGES) {
    assertBytes(await blob.readRange({ offset, endExclusive }), BYTES.slice(offset, endExclusive));
  }
}

Deno.test("ranges hold just the bytes asked for, and an empty one asks nothing", () =>
  withBlob(async ({ registry, blob }) => {
    await checkRanges(blob);
    assert.equal(registry.seen.length, RANGES.length);
    assert.equal(registry.seen[4]!.range, "bytes=70000-199999");
    assertBytes(await blob.readRange({ offset: 5, endExclusive: 5 }), new Uint8Array(0));
    assert.equal(registry.seen.length, RANGES.length);
    await failure(() => blob.readRange({ offset: 0, endExclusive: 300_001 }), "internal");
  }));

Deno.test("a stream holds all bytes from its offset on", () =>
  withBlob(async ({ blob }) => {
    assertBytes(await collect(blob), BYTES);
    assertBytes(await collect(blob, 123_456), BYTES.slice(123_456));
    assertBytes(await collect(blob, 300_000), new Uint8Array(0));
  }));

Deno.test("a 200 to a range request is said, once it is known without asking; streams from the start go on", () =>
  withBlob(async ({ registry, blob, options }) => {
    registry.always = { kind: "ignoreRange" };
    const read = () => blob.readRange({ offset: 70_000, endExclusive: 200_000 });
    const error = await failure(read, "unsupported");
    assert(error instanceof RangesIgnoredError && !error.retryable);
    await failure(() => collect(blob, 123_456), "unsupported");
    assert.equal(registry.seen.length, 1);
    assertBytes(await collect(blob), BYTES);
    assertBytes(await blob.readRange({ offset: 0, endExclusive: 300_000 }), BYTES);
    assertBytes(await blob.readRange({ offset: 0, endExclusive: 1000 }), BYTES.slice(0, 1000));
    assert.equal(registry.seen.length, 4);
    assert.equal(options.log.lines.filter((line) => line.includes("ignores Range")).length, 1);
    // After a minute another server may be behind the name.
    registry.always = { kind: "none" };
    const now = Date.now;
    Date.now = () => now() + 61_000;
    try {
      assertBytes(await read(), BYTES.slice(70_000, 200_000));
    } finally {
      Date.now = now;
    }
  }));

const WRONG_RANGES = [
  "bytes 71-80/300000",
  "bytes 69-79/300000",
  "bytes 70-78/300000",
  "bytes 70-79/300001",
  "bytes 70-79/*",
  "bytes */300000",
  "70-79",
  undefined,
];

for (const value of WRONG_RANGES) {
  Deno.test(`a 206 with Content-Range ${value} is tried again, then an error`, () =>
    withBlob(async ({ registry, blob }) => {
      const range = { offset: 70, endExclusive: 80 };
      registry.faults = [{ kind: "contentRange", value }];
      assertBytes(await blob.readRange(range), BYTES.slice(70, 80));
      registry.always = { kind: "contentRange", value };
      registry.seen = [];
      const error = await failure(() => blob.readRange(range), "registry");
      assert(error instanceof RegistryError && error.status === 206);
      assert.equal(registry.seen.length, 4);
    }));
}

const PASSING_FAULTS: readonly Fault[] = [
  { kind: "status", status: 500 },
  { kind: "status", status: 502, body: "<html>bad gateway</html>" },
  { kind: "status", status: 503, headers: { "retry-after": "0" } },
  { kind: "status", status: 429 },
  { kind: "status", status: 416 },
  { kind: "cut", afterBytes: 0 },
  { kind: "cut", afterBytes: 10_000 },
  { kind: "wrongLength", addBytes: -1 },
  { kind: "wrongLength", addBytes: 1 },
  { kind: "wrongLength", addBytes: 70_000 },
];

for (const fault of PASSING_FAULTS) {
  Deno.test(`reads and streams get over ${JSON.stringify(fault)}`, () =>
    withBlob(async ({ registry, blob }) => {
      registry.faults = [fault, fault];
      assertBytes(await blob.readRange({ offset: 1000, endExclusive: 90_000 }), BYTES.slice(1000, 90_000));
      assert.equal(registry.seen.length, 3);
      registry.faults = [fault, fault];
      assertBytes(await collect(blob), BYTES);
      registry.always = fault;
      await failure(
        () => blob.readRange({ offset: 1000, endExclusive: 90_000 }),
        fault.kind === "cut" ? undefined : "registry",
      );
    }));
}

for (const status of [400, 403, 404, 410, 501]) {
  Deno.test(`a ${status} is not tried again`, () =>
    withBlob(async ({ registry, blob }) => {
      registry.always = { kind: "status", status };
      const code = status === 404 ? "not_found" : status === 403 ? "denied" : "registry";
      const error = await failure(() => blob.readRange({ offset: 0, endExclusive: 10 }), code);
      assert(error instanceof RegistryError && error.status === status && !error.retryable);
      assert.equal(registry.seen.length, 1);
    }));
}

Deno.test("a broken range read goes on where it stopped", () =>
  withBlob(async ({ registry, blob }) => {
    registry.faults = [{ kind: "cut", afterBytes: 40_000 }];
    assertBytes(await blob.readRange({ offset: 1000, endExclusive: 90_000 }), BYTES.slice(1000, 90_000));
    assert.deepEqual(registry.seen.map(({ range }) => range), ["bytes=1000-89999", "bytes=41000-89999"]);
  }));

Deno.test("a stream may break more often than a request may be tried, as long as it gets on", () =>
  withBlob(async ({ registry, blob }) => {
    registry.faults = Array.from({ length: 12 }, () => ({ kind: "cut", afterBytes: 20_000 }));
    assertBytes(await collect(blob), BYTES);
    assert.equal(registry.seen.length, 13);
    assert.equal(registry.seen[12]!.range, "bytes=240000-299999");
  }));

Deno.test("what has begun goes on even where the registry ignores Range on the second request", () =>
  withBlob(async ({ registry, blob }) => {
    registry.faults = [{ kind: "cut", afterBytes: 100_000 }, { kind: "ignoreRange" }];
    assertBytes(await collect(blob), BYTES);
    registry.faults = [{ kind: "cut", afterBytes: 100_000 }, { kind: "ignoreRange" }];
    assertBytes(await blob.readRange({ offset: 0, endExclusive: 300_000 }), BYTES);
  }));

Deno.test("a stalled body is given up and resumed", () =>
  withBlob(async ({ registry, blob, options }) => {
    registry.faults = [{ kind: "stall", afterBytes: 50_000 }];
    assertBytes(await collect(blob), BYTES);
    assert.equal(registry.seen[1]!.range, "bytes=50000-299999");
    assert(options.log.lines.some((line) => line.includes("no data for 200 ms")));
    registry.faults = [{ kind: "stall", afterBytes: 10 }];
    assertBytes(await blob.readRange({ offset: 5, endExclusive: 50 }), BYTES.slice(5, 50));
  }, { requestTimeoutMs: 200 }));

Deno.test("a slow consumer is no stall", () =>
  withBlob(async ({ registry, blob }) => {
    let sizeBytes = 0;
    for await (const piece of blob.stream()) {
      sizeBytes += piece.length;
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    assert.equal(sizeBytes, BYTES.length);
    assert.equal(registry.seen.length, 1);
  }, { requestTimeoutMs: 80 }));

Deno.test("no answer at all is an error of code network", () =>
  withBlob(async ({ registry, blob }) => {
    const waiting = Promise.withResolvers<void>();
    registry.handler = async () => {
      await waiting.promise;
      return new Response("");
    };
    const error = await failure(() => blob.readRange({ offset: 0, endExclusive: 5 }), "network");
    assert.match(error.message, /no answer for 100 ms/);
    waiting.resolve();
  }, { requestTimeoutMs: 100, retry: { attempts: 2, firstDelayMs: 1, maxDelayMs: 1 } }));

Deno.test("Retry-After is honoured", () =>
  withBlob(async ({ registry, blob }) => {
    registry.faults = [{ kind: "status", status: 429, headers: { "retry-after": "1" } }];
    const startMs = performance.now();
    await blob.readRange({ offset: 0, endExclusive: 5 });
    assert(performance.now() - startMs >= 990);
  }, { retry: { attempts: 2, firstDelayMs: 1, maxDelayMs: 500 } }));

Deno.test("one Retry-After speaks for every request to the host", () =>
  withBlob(async ({ registry, blob }) => {
    registry.faults = [{ kind: "status", status: 429, headers: { "retry-after": "1" } }];
    const startMs = performance.now();
    const first = blob.readRange({ offset: 0, endExclusive: 5 });
    while (registry.faults.length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([first, ...Array.from({ length: 5 }, () => blob.readRange({ offset: 0, endExclusive: 5 }))]);
    assert(performance.now() - startMs >= 990);
    assert.equal(registry.seen.length, 7);
  }, { retry: { attempts: 2, firstDelayMs: 1, maxDelayMs: 500 } }));

Deno.test("a redirect is followed without the login, and its query is in nothing that is printed", async () => {
  const storage = startFakeRegistry();
  try {
    await withBlob(async ({ registry, blob, options }) => {
      storage.handler = (request, url) => {
        assert.equal(request.headers.get("authorization"), null);
        return url.searchParams.get("signature") === "s3cret" ? serveBlob(BYTES, request) : undefined;
      };
      registry.login = {
        challenge: 'Basic realm="x"',
        accepts: (header) => header === `Basic ${btoa("user:pass:word")}`,
      };
      registry.always = { kind: "redirect", location: `${storage.origin}/storage/x?signature=s3cret` };
      await checkRanges(blob);
      assertBytes(await collect(blob), BYTES);
      assert.equal(storage.seen.at(-2)!.range, "bytes=70000-199999");
      storage.handler = () => new Response("?signature=s3cret", { status: 403 });
      const error = await failure(() => blob.readRange({ offset: 0, endExclusive: 5 }), "denied");
      await storage.stop();
      const gone = await failure(() => blob.readRange({ offset: 0, endExclusive: 5 }), "network");
      const printed = [error, gone].map((e) => `${e.stack} ${Deno.inspect(e)} ${JSON.stringify(e)}`).join() +
        options.log.lines;
      assert(printed.includes("/storage/x"));
      assert(!/s3cret|pass:word|dXNlcjpwYXNz/.test(printed), printed);
    }, (registry) => {
      const auths = { [registry.host]: { auth: btoa("user:pass:word") } };
      return { dockerConfigPath: writeTemporary(JSON.stringify({ auths })) };
    });
  } finally {
    await storage.stop();
  }
});

Deno.test("redirects: five at most, only to http and https, and a Location that is one", () =>
  withBlob(async ({ registry, blob }) => {
    const range = { offset: 0, endExclusive: 5 };
    const path = `/v2/some/image/blobs/${sha256(BYTES)}`;
    registry.faults = Array.from({ length: 5 }, () => ({ kind: "redirect", location: path }));
    assertBytes(await blob.readRange(range), BYTES.slice(0, 5));
    registry.faults = Array.from({ length: 6 }, () => ({ kind: "redirect", location: path }));
    assert.match((await failure(() => blob.readRange(range), "registry")).message, /more than 5 redirects/);
    for (const location of ["ftp://example.com/x", "file:///etc/passwd", "http://[bad"]) {
      registry.faults = [{ kind: "redirect", location }];
      assert.match((await failure(() => blob.readRange(range), "registry")).message, /redirects to/);
    }
  }));

Deno.test("aborting ends a read, a stream and a wait at once, with the signal's reason", () =>
  withBlob(async ({ registry, blob, store }) => {
    const reason = new ClipError("aborted", "enough");
    registry.always = { kind: "stall", afterBytes: 10 };
    const stopper = new AbortController();
    setTimeout(() => stopper.abort(reason), 30);
    assert.equal(await failure(() => blob.readRange({ offset: 0, endExclusive: 50 }, stopper.signal)), reason);
    assert.equal(await failure(() => blob.readRange({ offset: 0, endExclusive: 50 }, stopper.signal)), reason);
    registry.always = { kind: "status", status: 503, headers: { "retry-after": "30" } };
    setTimeout(() => store.close(), 30);
    await failure(() => blob.readRange({ offset: 0, endExclusive: 50 }), "aborted");
    await failure(() => collect(blob), "aborted");
  }, { requestTimeoutMs: 20_000, retry: { attempts: 3, firstDelayMs: 10, maxDelayMs: 30_000 } }));

Deno.test("leaving a stream early gives up the transfer", () =>
  withBlob(async ({ registry, blob }) => {
    const gone = Promise.withResolvers<string>();
    registry.handler = () =>
      new Response(
        new ReadableStream({
          pull: async (controller) => {
            controller.enqueue(new Uint8Array(1000));
            await registry.pause(5);
          },
          cancel: () => gone.resolve("given up"),
        }),
      );
    for await (const piece of blob.stream()) {
      assert(piece.length > 0);
      break;
    }
    const timer = setTimeout(() => gone.resolve("still read after 300 ms"), 300);
    assert.equal(await gone.promise, "given up");
    clearTimeout(timer);
  }));

Deno.test("nothing is kept of an answer that turns out to be too long", () =>
  withBlob(async ({ registry, blob }) => {
    registry.handler = () => {
      if (registry.seen.length > 1) return undefined;
      const garbage = [new Uint8Array(5000), new Uint8Array(5000)];
      const stream = new ReadableStream({
        async pull(controller) {
          const piece = garbage.pop();
          if (piece === undefined) return controller.close();
          controller.enqueue(piece);
          // So that they arrive as two pieces.
          await registry.pause(20);
        },
      });
      return new Response(stream, { status: 206, headers: { "content-range": "bytes 100-7099/300000" } });
    };
    assertBytes(await blob.readRange({ offset: 100, endExclusive: 7100 }), BYTES.slice(100, 7100));
    assert.deepEqual(registry.seen.map(({ range }) => range), ["bytes=100-7099", "bytes=100-7099"]);
  }));

Deno.test("a 401 of the storage that a registry redirects to starts no login", async () => {
  const storage = startFakeRegistry();
  try {
    await withBlob(async ({ registry, blob }) => {
      storage.handler = () => {
        const headers = { "www-authenticate": `Bearer realm="${storage.origin}/token"` };
        return new Response("", { status: 401, headers });
      };
      registry.always = { kind: "redirect", location: `${storage.origin}/x` };
      await failure(() => blob.readRange({ offset: 0, endExclusive: 5 }), "denied");
      assert.deepEqual(storage.seen.map(({ path }) => path), ["/x"]);
    }, (registry) => {
      const auths = { [registry.host]: { auth: btoa("user:password") } };
      return { dockerConfigPath: writeTemporary(JSON.stringify({ auths })) };
    });
  } finally {
    await storage.stop();
  }
});

Deno.test("a hundred ranges at once", () =>
  withBlob(async ({ blob }) => {
    await Promise.all(Array.from({ length: 100 }, async (_, index) => {
      const range = { offset: index * 2000, endExclusive: index * 2000 + 3000 };
      assertBytes(await blob.readRange(range), BYTES.slice(range.offset, range.endExclusive));
    }));
  }));
