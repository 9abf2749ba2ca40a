import assert from "node:assert/strict";
import { ClipError, SILENT } from "../../src/base/mod.ts";
import { type ObjectSource, openObject } from "../../src/storage/mod.ts";

const BYTES = Uint8Array.from({ length: 700_000 }, (_, at) => (at >> 3) ^ (at >> 11));
const RETRY = { attempts: 3, firstDelayMs: 1, maxDelayMs: 2 };

/** What the server does with a request; undefined: as it should. */
type Answer = (request: { offset: number; endExclusive: number; headers: Headers; number: number }) =>
  | Response
  | undefined;

interface ObjectServer {
  readonly url: string;
  /** Ranges that were asked for. */
  readonly asked: string[];
  /** The object's ETag from now on. */
  tag: string;
  answer: Answer;
}

/** Runs `body` with a web server that has BYTES as `/some.clip`. */
async function withServer(body: (server: ObjectServer) => Promise<void>): Promise<void> {
  const state = { url: "", asked: [] as string[], tag: '"one"', answer: (() => undefined) as Answer };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, ({ headers }) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range")!)!;
    const offset = Number(first);
    const endExclusive = Math.min(Number(last) + 1, BYTES.length);
    state.asked.push(`${offset}-${endExclusive}`);
    const own = state.answer({ offset, endExclusive, headers, number: state.asked.length });
    if (own !== undefined) return own;
    const expected = headers.get("if-match");
    if (expected !== null && expected !== state.tag) return new Response(null, { status: 412 });
    return part(offset, endExclusive, { etag: state.tag });
  });
  state.url = `http://user:s%65cret@127.0.0.1:${server.addr.port}/some.clip?X-Signature=secret`;
  try {
    await body(state);
  } finally {
    await server.shutdown();
  }
}

function part(offset: number, endExclusive: number, headers: Record<string, string>, bytes = BYTES): Response {
  const contentRange = `bytes ${offset}-${endExclusive - 1}/${bytes.length}`;
  const body = bytes.slice(offset, endExclusive);
  return new Response(body, { status: 206, headers: { "content-range": contentRange, ...headers } });
}

const open = (url: string) => openObject(url, { env: () => undefined, log: SILENT, retry: RETRY, timeoutMs: 5000 });

async function expectRange(source: ObjectSource, offset: number, endExclusive: number): Promise<void> {
  assert.deepEqual(await source.readRange({ offset, endExclusive }), BYTES.slice(offset, endExclusive));
}

async function fails(work: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.ok(error instanceof ClipError, error.stack);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /secret|user:/);
    return true;
  });
}

Deno.test("one request opens; what is expected is got together; the version is asked for", () =>
  withServer(async (server) => {
    const source = await open(server.url);
    assert.equal(source.sizeBytes, BYTES.length);
    await expectRange(source, 0, 1000);
    assert.deepEqual(server.asked, ["0-65536"]);
    await source.expect([{ offset: 100, endExclusive: 200 }, { offset: 400_000, endExclusive: 450_000 }, {
      offset: 500_000,
      endExclusive: 700_000,
    }]);
    for (const [offset, end] of [[100, 200], [400_000, 450_000], [500_000, 600_000], [600_000, 700_000]] as const) {
      await expectRange(source, offset, end);
    }
    assert.deepEqual(server.asked.slice(1), ["400000-700000"]);
    server.answer = ({ headers }) => {
      assert.equal(headers.get("if-match"), '"one"');
      assert.equal(headers.get("authorization"), `Basic ${btoa("user:secret")}`);
      return undefined;
    };
    await expectRange(source, 70_000, 690_000);
    assert.equal(server.asked.length, 3);
  }));

Deno.test("an object that was replaced is an error, whatever the server makes of If-Match", () =>
  withServer(async (server) => {
    const range = { offset: 100_000, endExclusive: 200_000 };
    const replaced = /some\.clip\?… was replaced while it was read: open it again$/;
    let source = await open(server.url);
    server.tag = '"two"';
    await fails(source.readRange(range), "io", replaced);
    server.answer = ({ offset, endExclusive }) => part(offset, endExclusive, { etag: '"three"' });
    await fails(source.readRange(range), "io", replaced);
    // Weak ETags are not to be asked for: they are compared here.
    for (
      const [before, after] of [
        [{ etag: 'W/"1"' }, { etag: 'W/"2"' }],
        [{ "last-modified": "Fri, 20 Nov 2026 10:00:00 GMT" }, { "last-modified": "Fri, 20 Nov 2026 10:00:01 GMT" }],
      ]
    ) {
      server.answer = ({ offset, endExclusive, headers }) => {
        assert.equal(headers.get("if-match"), null);
        return part(offset, endExclusive, before as Record<string, string>);
      };
      source = await open(server.url);
      await expectRange(source, 100_000, 200_000);
      server.answer = ({ offset, endExclusive }) => part(offset, endExclusive, after as Record<string, string>);
      await fails(source.readRange(range), "io", replaced);
    }
    server.answer = ({ offset, endExclusive }) => part(offset, endExclusive, {}, new Uint8Array(BYTES.length + 1));
    await fails(source.readRange(range), "io", replaced);
  }));

Deno.test("what breaks off is gone on with, what is refused is told, what is wrong is not taken", () =>
  withServer(async (server) => {
    const source = await open(server.url);
    const range = { offset: 100_000, endExclusive: 600_000 };
    const cut = (bytes: Uint8Array) =>
      new ReadableStream({
        pull(controller) {
          controller.enqueue(bytes);
          controller.error(new Error("cut"));
        },
      }, { highWaterMark: 0 });
    server.answer = ({ offset, endExclusive, number }) => {
      if (number === 2) return new Response("busy", { status: 503 });
      if (number > 4) return undefined;
      const headers = { etag: '"one"', "content-range": `bytes ${offset}-${endExclusive - 1}/${BYTES.length}` };
      return new Response(cut(BYTES.slice(offset, offset + 50_000)), { status: 206, headers });
    };
    await expectRange(source, range.offset, range.endExclusive);
    assert.ok(server.asked.length >= 4, "several tries");
    assert.ok(!server.asked.slice(3).every((asked) => asked === "100000-600000"), "what came is kept");
    const wrong: [Answer, string, RegExp][] = [
      [() => new Response(BYTES, { status: 200 }), "unsupported", /ignores Range/],
      [() => new Response(null, { status: 404 }), "not_found", /does not exist$/],
      [() => new Response("<Code>AccessDenied</Code>", { status: 403 }), "denied", /status 403 \(AccessDenied\)$/],
      [({ offset }) => part(offset, offset + 10, { etag: '"one"' }), "network", /another range was sent/],
      [() => new Response(BYTES, { status: 206, headers: { etag: '"one"' } }), "network", /which bytes it holds$/],
      [() => new Response(null, { status: 302, headers: { location: "ftp://x/" } }), "network", /redirects to where/],
      [() => new Response("busy", { status: 503 }), "network", /status 503$/],
    ];
    for (const [answer, code, message] of wrong) {
      server.answer = answer;
      await fails(source.readRange(range), code, message);
      if (!/another range/.test(message.source)) await fails(open(server.url), code, message);
    }
    for (const url of ["s3://bucket", "s3://bucket/%zz", "http://", "s3://key:secret@bucket/x"]) {
      await fails(open(url), "usage", /archive/);
    }
  }));

Deno.test("a bucket's credentials that become others while it is open are read anew", () =>
  withServer(async (server) => {
    const file = await Deno.makeTempFile({ prefix: "clip-storage-" });
    try {
      const write = (key: string) =>
        Deno.writeTextFile(file, `[default]\naws_access_key_id = ${key}\naws_secret_access_key = none\n`);
      let valid = "first";
      server.answer = ({ headers }) =>
        headers.get("authorization")!.includes(`Credential=${valid}/`)
          ? undefined
          : new Response(null, { status: 403 });
      await write("first");
      const set = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_ENDPOINT_URL: new URL(server.url).origin };
      const env = (name: string) => (set as Record<string, string>)[name];
      const source = await openObject("s3://bucket/some.clip", { env, log: SILENT, retry: RETRY });
      await write(valid = "second");
      await expectRange(source, 100_000, 200_000);
      assert.equal(server.asked.length, 3);
      valid = "third";
      await fails(source.readRange({ offset: 100_000, endExclusive: 200_000 }), "denied", /status 403$/);
      assert.equal(server.asked.length, 5);
    } finally {
      await Deno.remove(file);
    }
  }));

Deno.test("redirects are followed, without the login", () =>
  withServer(async (server) => {
    await withServer(async (storage) => {
      const target = storage.url.replace("user:s%65cret@", "");
      server.answer = () => new Response(null, { status: 307, headers: { location: target } });
      storage.answer = ({ headers }) => {
        assert.equal(headers.get("authorization"), null);
        return undefined;
      };
      await expectRange(await open(server.url), 100_000, 200_000);
      assert.equal(storage.asked.length, 2);
    });
  }));
