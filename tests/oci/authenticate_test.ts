import assert from "node:assert/strict";
import type { Digest, RangeSource } from "../../src/base/mod.ts";
import {
  Network,
  openBlobStore,
  parseImageReference,
  pingRegistry,
  resolveDigest,
  resolveImage,
} from "../../src/oci/mod.ts";
import { givenToken, isTokenUsable, parseTokenAnswer } from "../../src/oci/token.ts";
import { addImage, type FakeRegistry, noise, startFakeRegistry } from "./fake_registry.ts";
import { withFolder } from "./make_layout.ts";
import { assertBytes, failure, type QuickOptions, quickOptions, writeTemporary } from "./test_support.ts";

const BYTES = noise(1000, 3);
const RANGE = { offset: 10, endExclusive: 20 };
const SECRET = "hunter2-s3cret";

/** A registry that wants tokens, and the server that gives them. */
interface TokenSetup {
  registry: FakeRegistry;
  server: FakeRegistry;
  /** What the registry accepts. */
  valid: Set<string>;
  /** What the server answers next, beside the token. */
  extra: Record<string, unknown>;
  blob: RangeSource;
  options: ReturnType<typeof quickOptions>;
}

async function withTokens(
  test: (setup: TokenSetup) => Promise<void>,
  { auth, serverHost = "127.0.0.1", ...overrides }: QuickOptions & { auth?: unknown; serverHost?: string } = {},
): Promise<void> {
  const registry = startFakeRegistry();
  const server = startFakeRegistry({ hostname: serverHost });
  const auths = auth === undefined ? {} : { [registry.host]: auth };
  const options = quickOptions({ dockerConfigPath: writeTemporary(JSON.stringify({ auths })), ...overrides });
  const store = await openBlobStore(parseImageReference(`${registry.host}/some/image`), options);
  const valid = new Set<string>();
  const digest = registry.addBlob(BYTES) as Digest;
  const blob = store.layer({ digest, diffId: digest, sizeBytes: BYTES.length });
  const setup: TokenSetup = { registry, server, valid, extra: {}, blob, options };
  registry.login = {
    challenge: `Bearer realm="${server.origin}/token?keep=1",service="the registry, \\"quoted\\"",scope="other"`,
    accepts: (header) => valid.has(header ?? ""),
  };
  server.handler = () => {
    const token = `${SECRET}-token-${server.seen.length}`;
    valid.add(`Bearer ${token}`);
    return Response.json({ token, ...setup.extra });
  };
  try {
    await test(setup);
  } finally {
    store.close();
    await registry.stop();
    await server.stop();
  }
}

Deno.test("an anonymous token is asked for once, with service and scope, and used from then on", () =>
  withTokens(async ({ registry, server, blob }) => {
    assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
    await Promise.all(Array.from({ length: 10 }, () => blob.readRange(RANGE)));
    assert.equal(server.seen.length, 1);
    assert.equal(server.seen[0]!.authorization, null);
    const query = new URLSearchParams(server.seen[0]!.query);
    assert.deepEqual(Object.fromEntries(query), {
      keep: "1",
      service: 'the registry, "quoted"',
      scope: "repository:some/image:pull",
    });
    assert.equal(registry.seen.length, 12);
    assert.equal(registry.seen[0]!.authorization, null);
  }));

Deno.test("requests refused at the same time share one login", () =>
  withTokens(async ({ server, blob }) => {
    await Promise.all(Array.from({ length: 20 }, () => blob.readRange(RANGE)));
    assert.equal(server.seen.length, 1);
  }));

Deno.test("who gives up waiting for a login goes at once; those who share it get it", () =>
  withTokens(async ({ server, blob }) => {
    const answer = server.handler!;
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    server.handler = async (request, url) => {
      asked.resolve();
      await held.promise;
      return await answer(request, url)!;
    };
    const stopper = new AbortController();
    const given = blob.readRange(RANGE, stopper.signal);
    const other = blob.readRange(RANGE);
    await asked.promise;
    stopper.abort(new Error("enough"));
    await assert.rejects(given, /enough/);
    held.resolve();
    assertBytes(await other, BYTES.slice(10, 20));
    assert.equal(server.seen.length, 1);
  }));

Deno.test("a login that is given is for the registry that is asked first, though that one wants none", async () => {
  const login = { credential: { kind: "basic", username: "me", password: SECRET }, origin: "--creds" } as const;
  const options = quickOptions({ given: { given: { kind: "login", login: () => Promise.resolve(login) } } });
  const [first, second] = [startFakeRegistry(), startFakeRegistry()];
  second.login = { challenge: 'Basic realm="r"', accepts: (header) => header !== null };
  try {
    for (const [registry, code] of [[first, "not_found"], [second, "denied"]] as const) {
      await failure(() => resolveDigest(parseImageReference(`${registry.host}/some/image`), options), code);
      assert.deepEqual(registry.seen.filter(({ authorization }) => authorization !== null), []);
      assert.equal(options.logins!.givenFor, first.host);
    }
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
});

Deno.test("a token that the registry no longer accepts is renewed, once a request", () =>
  withTokens(async ({ server, valid, blob }) => {
    await blob.readRange(RANGE);
    valid.clear();
    assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
    assert.equal(server.seen.length, 2);
    server.handler = () => Response.json({ token: "never-accepted" });
    valid.clear();
    await failure(() => blob.readRange(RANGE), "denied");
    assert.equal(server.seen.length, 3);
  }));

/** Runs `test` with a clock that it can set forward. */
async function withClock(test: (pass: (ms: number) => void) => Promise<void>): Promise<void> {
  const real = Date.now;
  let aheadMs = 0;
  Date.now = () => real() + aheadMs;
  try {
    await test((ms) => aheadMs += ms);
  } finally {
    Date.now = real;
  }
}

/** Waits for what goes on besides the reads. */
async function settle(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition() && tries < 500; tries++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert(condition());
}

Deno.test("a token near its end is renewed once, while reads go on with it; one too near is renewed first", () =>
  withClock((pass) =>
    withTokens(async ({ registry, server, valid, blob }) => {
      await blob.readRange(RANGE);
      await blob.readRange(RANGE);
      assert.equal(server.seen.length, 1);
      const answer = server.handler!;
      const held = Promise.withResolvers<void>();
      server.handler = async (request, url) => {
        await held.promise;
        return await answer(request, url)!;
      };
      // Of 60 s, 15 are left at first.
      pass(46_000);
      await Promise.all([blob.readRange(RANGE), blob.readRange(RANGE)]);
      held.resolve();
      await settle(() => valid.size === 2);
      await blob.readRange(RANGE);
      await settle(() => registry.seen.at(-1)!.authorization === [...valid][1]);
      assert.equal(server.seen.length, 2);
      pass(56_000);
      valid.clear();
      await blob.readRange(RANGE);
      assert.equal(server.seen.length, 3);
      // Nothing was refused but the first request, which knew no token.
      assert.equal(registry.seen.filter(({ authorization }) => authorization === null).length, 1);
      assert.equal(registry.seen.length, 7);
    })
  ));

Deno.test("a token server that is down does not matter before the token ends, and is not asked at each read", () =>
  withClock((pass) =>
    withTokens(async ({ server, blob }) => {
      await blob.readRange(RANGE);
      server.handler = () => new Response("", { status: 503 });
      pass(46_000);
      await blob.readRange(RANGE);
      await settle(() => server.seen.length === 2);
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (let reads = 0; reads < 5; reads++) await blob.readRange(RANGE);
      assert.equal(server.seen.length, 2);
    })
  ));

Deno.test("a 403 to a login that has got old leads to a new one, to a new login it is an answer", () =>
  withClock((pass) =>
    withTokens(async ({ registry, server, valid, blob }) => {
      await blob.readRange(RANGE);
      registry.handler = (request) =>
        valid.has(request.headers.get("authorization") ?? "") ? undefined : new Response("", { status: 403 });
      valid.clear();
      await failure(() => blob.readRange(RANGE), "denied");
      assert.equal(server.seen.length, 1);
      pass(31_000);
      assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
      assert.equal(server.seen.length, 2);
    })
  ));

Deno.test("user and password go to the token server, and nowhere else", () =>
  withTokens(async ({ registry, server, blob, options }) => {
    await blob.readRange(RANGE);
    assert.equal(server.seen[0]!.authorization, `Basic ${btoa(`user:${SECRET}`)}`);
    assert(registry.seen.every(({ authorization }) => !authorization?.startsWith("Basic")));
    server.handler = () => Response.json({ details: SECRET }, { status: 401 });
    registry.login!.accepts = () => false;
    const error = await failure(() => blob.readRange(RANGE), "denied");
    assert.match(error.message, /refuses the login of \S+\.json for 127\.0\.0\.1:\d+/);
    const printed = `${error.stack} ${Deno.inspect(error)} ${options.log.lines}`;
    assert(!printed.includes(SECRET) && !printed.includes(btoa(`user:${SECRET}`)), printed);
  }, { auth: { username: "user", password: SECRET } }));

Deno.test("an identity token is exchanged by a POST", () =>
  withTokens(async ({ server, blob }) => {
    assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
    const { method, body, authorization } = server.seen[0]!;
    assert.equal(method, "POST");
    assert.equal(authorization, null);
    const { refresh_token, grant_type, scope, service } = Object.fromEntries(new URLSearchParams(body));
    assert.deepEqual({ refresh_token, grant_type, scope, service }, {
      refresh_token: SECRET,
      grant_type: "refresh_token",
      scope: "repository:some/image:pull",
      service: 'the registry, "quoted"',
    });
  }, { auth: { identitytoken: SECRET } }));

Deno.test("a token server without POST is given a refresh token as a password", async () => {
  for (const status of [401, 404, 405]) {
    await withTokens(async ({ server, blob }) => {
      const answer = server.handler!;
      server.handler = (request, url) =>
        request.method === "POST" ? new Response("", { status }) : answer(request, url);
      assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
      assert.deepEqual(server.seen.map(({ method, authorization }) => [method, authorization]), [
        ["POST", null],
        ["GET", `Basic ${btoa(`<token>:${SECRET}`)}`],
      ]);
    }, { auth: { identitytoken: SECRET } });
  }
});

Deno.test("a refresh token that came in place of the stored one is used, and the stored one when that is refused", () =>
  withTokens(async ({ server, valid, blob, extra }) => {
    extra["refresh_token"] = "rotated";
    const sent = () => server.seen.map(({ body }) => new URLSearchParams(body).get("refresh_token"));
    await blob.readRange(RANGE);
    valid.clear();
    await blob.readRange(RANGE);
    assert.deepEqual(sent(), [SECRET, "rotated"]);
    valid.clear();
    const answer = server.handler!;
    server.handler = (request, url) =>
      sent().at(-1) === "rotated" ? new Response("", { status: 400 }) : answer(request, url);
    assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
    assert.deepEqual(sent().slice(2), ["rotated", SECRET]);
    server.handler = () => new Response("", { status: 400 });
    valid.clear();
    const error = await failure(() => blob.readRange(RANGE), "registry");
    assert(/refuses the login of/.test(error.message) && !error.message.includes(SECRET), error.message);
  }, { auth: { identitytoken: SECRET } }));

Deno.test("what one client has learnt of a registry, the next knows: no second refusal, no second token", () =>
  withTokens(async ({ registry, server, blob, options }) => {
    await blob.readRange(RANGE);
    const store = await openBlobStore(parseImageReference(`${registry.host}/some/image`), options);
    const digest = [...registry.blobs.keys()][0] as Digest;
    try {
      await store.layer({ digest, diffId: digest, sizeBytes: BYTES.length }).readRange(RANGE);
    } finally {
      store.close();
    }
    assert.equal(server.seen.length, 1);
    assert.equal(registry.seen.filter(({ authorization }) => authorization === null).length, 1);
  }));

Deno.test("a login does not follow the token server's redirect to another host", () =>
  withTokens(async ({ server, valid, blob }) => {
    const elsewhere = startFakeRegistry({ hostname: "127.0.0.2" });
    elsewhere.handler = () => {
      valid.add("Bearer elsewhere");
      return Response.json({ token: "elsewhere" });
    };
    server.handler = () => new Response(null, { status: 307, headers: { location: `${elsewhere.origin}/token` } });
    try {
      assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
      assert.deepEqual(elsewhere.seen.map(({ authorization }) => authorization), [null]);
    } finally {
      await elsewhere.stop();
    }
  }, { auth: { username: "user", password: SECRET } }));

Deno.test("a POST with a refresh token is not redirected", () =>
  withTokens(async ({ server, blob }) => {
    server.handler = () => new Response(null, { status: 307, headers: { location: "/elsewhere" } });
    await failure(() => blob.readRange(RANGE), "registry");
    assert.equal(server.seen.length, 1);
  }, { auth: { identitytoken: SECRET } }));

Deno.test("a login is not sent in plain http to another host than the registry, an anonymous request is", async () => {
  const serverHost = "127.0.0.2";
  await withTokens(async ({ server, blob }) => {
    const error = await failure(() => blob.readRange(RANGE), "denied");
    assert.match(error.message, /another host in plain http/);
    assert.equal(server.seen.length, 0);
  }, { auth: { username: "user", password: SECRET }, serverHost });
  await withTokens(async ({ server, blob }) => {
    await blob.readRange(RANGE);
    assert.equal(server.seen.length, 1);
  }, { serverHost });
});

Deno.test("the token server must be https, a loopback host, or allowed by --plain-http", () =>
  withTokens(async ({ registry, blob }) => {
    for (const realm of ["http://example.com/token", "ftp://127.0.0.1/x", "nonsense", ""]) {
      registry.login!.challenge = `Bearer realm="${realm}"`;
      assert.match((await failure(() => blob.readRange(RANGE), "denied")).message, /token server/);
    }
  }, { plainHttp: false }));

Deno.test("a hostile token server is sent no login, whatever way leads there", async () => {
  const auth = { username: "user", password: SECRET };
  const seen: { url: string; authorization: string | null }[] = [];
  const record = (async (input: URL, init: RequestInit) => {
    const request = new Request(input, init);
    if (new URL(request.url).hostname === "127.0.0.1") return await fetch(input, init);
    seen.push({ url: request.url, authorization: request.headers.get("authorization") });
    return Response.json({ token: "from-the-attacker" });
  }) as typeof fetch;
  const realms = [
    "https://attacker.example/token",
    "https://127.0.0.1.attacker.example/token",
    "http://attacker.example/token",
    "http://127.0.0.2/token",
    "https://169.254.169.254/token",
    "file:///etc/passwd",
    "https://user:pw@attacker.example/token",
  ];
  for (const login of [auth, { identitytoken: SECRET }]) {
    for (const realm of realms) {
      await withTokens(async ({ registry, blob }) => {
        registry.login!.challenge = `Bearer realm="${realm}"`;
        const error = await failure(() => blob.readRange(RANGE), "denied");
        assert.match(error.message, /names the token server/);
        assert(registry.seen.every(({ authorization }) => authorization === null));
      }, { auth: login, fetch: record });
    }
  }
  assert.deepEqual(seen, []);
  const first = { realm: realms[0]!, sent: `Basic ${btoa(`user:${SECRET}`)}` };
  for (
    const { tokenHosts, sent } of [{ tokenHosts: ["attacker.example"], sent: first.sent }, {
      tokenHosts: [],
      sent: null,
    }]
  ) {
    await withTokens(async ({ registry, blob }) => {
      registry.login!.challenge = `Bearer realm="${first.realm}"`;
      registry.login!.accepts = (header) => header === "Bearer from-the-attacker";
      await blob.readRange(RANGE);
    }, { ...(sent === null ? {} : { auth }), fetch: record, given: { tokenHosts } });
    assert.deepEqual(seen.splice(0).map(({ authorization }) => authorization), [sent]);
  }
});

Deno.test("answers of token servers that are no tokens are errors that do not quote them", () =>
  withTokens(async ({ server, blob, options }) => {
    for (
      const answer of [
        `{"token": "${SECRET}\\n"}`,
        `{"token": 5, "x": "${SECRET}"}`,
        `${SECRET}`,
        `["${SECRET}"]`,
        "{}",
      ]
    ) {
      server.handler = () => new Response(answer);
      const error = await failure(() => blob.readRange(RANGE), "corrupt");
      assert(!`${error.stack}${Deno.inspect(error)}${options.log.lines}`.includes(SECRET));
    }
    server.handler = () => new Response("x".repeat(2_000_000));
    await failure(() => blob.readRange(RANGE), "limit");
    server.handler = () => new Response("", { status: 404 });
    await failure(() => blob.readRange(RANGE), "not_found");
  }));

Deno.test("a token server that fails for a moment is asked again", () =>
  withTokens(async ({ server, blob }) => {
    const answer = server.handler!;
    server.handler = (request, url) =>
      server.seen.length < 3 ? new Response("", { status: 503 }) : answer(request, url);
    assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
    assert.equal(server.seen.length, 3);
  }));

Deno.test("Basic: with a login it works, with a wrong or no one it is denied", async () => {
  const header = `Basic ${btoa(`user:${SECRET}`)}`;
  const basic = (auth?: unknown) => (check: (setup: TokenSetup) => Promise<void>) =>
    withTokens(async (setup) => {
      setup.registry.login = { challenge: 'Basic realm="r"', accepts: (sent) => sent === header };
      await check(setup);
    }, auth === undefined ? {} : { auth });
  await basic({ username: "user", password: SECRET })(async ({ registry, blob }) => {
    await blob.readRange(RANGE);
    await blob.readRange(RANGE);
    assert.deepEqual(registry.seen.map(({ authorization }) => authorization), [null, header, header]);
  });
  await basic({ username: "user", password: "wrong-password" })(async ({ blob, options }) => {
    const error = await failure(() => blob.readRange(RANGE), "denied");
    assert(!`${Deno.inspect(error)}${options.log.lines}`.includes("wrong-password"));
    await failure(() => blob.readRange(RANGE), "denied");
  });
  await basic()(async ({ blob }) => {
    assert.match((await failure(() => blob.readRange(RANGE), "denied")).message, /docker login/);
  });
});

Deno.test("a new login in Docker's config is used once the old one is refused", async () => {
  const registry = startFakeRegistry();
  const path = writeTemporary("{}");
  const write = (password: string) => {
    Deno.writeTextFileSync(path, JSON.stringify({ auths: { [registry.host]: { username: "user", password } } }));
  };
  let accepted = "old";
  registry.login = { challenge: "Basic", accepts: (sent) => sent === `Basic ${btoa(`user:${accepted}`)}` };
  const digest = registry.addBlob(BYTES) as Digest;
  const store = await openBlobStore(
    parseImageReference(`${registry.host}/a`),
    quickOptions({ dockerConfigPath: path }),
  );
  try {
    write("old");
    const blob = store.layer({ digest, diffId: digest, sizeBytes: BYTES.length });
    await blob.readRange(RANGE);
    accepted = "new";
    await failure(() => blob.readRange(RANGE), "denied");
    write("new");
    assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
  } finally {
    store.close();
    await registry.stop();
  }
});

Deno.test("a 401 that does not say how to log in leads to a ping, and one that offers nothing known is denied", () =>
  withTokens(async ({ registry, blob }) => {
    const { challenge } = registry.login!;
    registry.handler = (request, url) => {
      const known = registry.login!.accepts(request.headers.get("authorization"));
      return known || url.pathname === "/v2/" ? undefined : new Response("", { status: 401 });
    };
    assertBytes(await blob.readRange(RANGE), BYTES.slice(10, 20));
    assert.deepEqual(registry.seen.map(({ path }) => path === "/v2/"), [false, true, false]);
    registry.handler = undefined;
    registry.login = { challenge: challenge.replace("Bearer", "Negotiate"), accepts: () => false };
    assert.match((await failure(() => blob.readRange(RANGE), "denied")).message, /neither Basic nor Bearer/);
  }));

Deno.test("a registry on this machine is asked in https first, then in http; the finding is kept", async () => {
  const registry = startFakeRegistry();
  const urls: string[] = [];
  const spy = ((input: URL, init: RequestInit) => {
    urls.push(String(input));
    return fetch(input, init);
  }) as typeof fetch;
  try {
    addImage(registry, { tag: "latest" });
    const options = {
      ...quickOptions({ plainHttp: false, fetch: spy }),
      platform: { os: "linux", architecture: "amd64" },
    };
    const { blobs } = await resolveImage(parseImageReference(`${registry.host}/a/b`), options);
    blobs.close();
    assert.deepEqual(urls.slice(0, 2), [`https://${registry.host}/v2/`, `http://${registry.host}/v2/`]);
    assert.equal(urls.filter((url) => url.startsWith("https:")).length, 1);
  } finally {
    await registry.stop();
  }
});

Deno.test("other hosts are asked in https only", async () => {
  const urls: string[] = [];
  const refuse = ((input: URL) => {
    urls.push(String(input));
    return Promise.reject(new TypeError(`error sending request for url (${input}?x=${SECRET}): refused`));
  }) as typeof fetch;
  const options = {
    ...quickOptions({ plainHttp: false, fetch: refuse }),
    platform: { os: "linux", architecture: "amd64" },
  };
  const error = await failure(() => resolveImage(parseImageReference("registry.example/a/b"), options), "network");
  assert(
    urls.length === 4 && urls.every((url) => url === "https://registry.example/v2/a/b/manifests/latest"),
    `${urls}`,
  );
  assert(!error.message.includes(SECRET) && error.message.includes("refused"), error.message);
  await failure(() => resolveImage(parseImageReference("ubuntu"), options), "network");
  assert.equal(urls.at(-1), "https://registry-1.docker.io/v2/library/ubuntu/manifests/latest");
});

Deno.test("a token's life: as stated, by the clock only where that makes sense, 60 s by default", () => {
  const nowMs = Date.parse("2025-01-01T00:10:00Z");
  const renewAfterMs = (answer: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(answer));
    const { token } = parseTokenAnswer(bytes, { source: "test", nowMs });
    assert(isTokenUsable(token, token.renewAtMs) && !isTokenUsable(token, token.unusableAtMs));
    assert(token.renewAtMs < token.unusableAtMs && token.obtainedAtMs === nowMs);
    return token.renewAtMs - nowMs;
  };
  assert.equal(renewAfterMs({ token: "x" }), 45_000);
  assert.equal(renewAfterMs({ access_token: "x", expires_in: 300 }), 270_000);
  assert.equal(renewAfterMs({ token: "x", expires_in: "300" }), 270_000);
  assert.equal(renewAfterMs({ token: "x", expires_in: 300, issued_at: "2025-01-01T00:09:00Z" }), 210_000);
  assert.equal(renewAfterMs({ token: "x", expires_in: 300, issued_at: "2024-01-01T00:09:00Z" }), 270_000);
  assert.equal(renewAfterMs({ token: "x", expires_in: 300, issued_at: "2026-01-01T00:09:00Z" }), 270_000);
  assert.equal(renewAfterMs({ token: "x", expires_in: -5, issued_at: "nonsense" }), 45_000);
  assert.equal(renewAfterMs({ token: "x", expires_in: 0.001 }), 750);
  assert.equal(renewAfterMs({ token: "x", expires_in: 1e300 }), 24 * 3600_000 - 30_000);
});

Deno.test("a given token's life: a JWT's own word, else asked again after five minutes and used until it is refused", () => {
  const nowMs = Date.parse("2025-01-01T00:10:00Z");
  const jwt = (payload: unknown) => `e30.${btoa(JSON.stringify(payload)).replaceAll("=", "")}.c2ln`;
  const life = (text: string) => {
    const { header, renewAtMs, unusableAtMs } = givenToken(text, nowMs);
    assert.equal(header, `Bearer ${text}`);
    return [renewAtMs, unusableAtMs].map((ms) => Math.round(ms - nowMs));
  };
  assert.deepEqual(life(jwt({ exp: nowMs / 1000 + 40 })), [30_000, 36_667]);
  const unknown = [300_000, Infinity];
  for (const text of ["opaque", jwt({}), jwt({ exp: "1" }), jwt({ exp: nowMs / 1000 - 5 }), "a.!.c", "a.b.c"]) {
    assert.deepEqual(life(text), unknown, text);
  }
});

Deno.test("doctor's ping logs in where a mount would: plain http where that is allowed, with the headers of the host", () =>
  withFolder(async (hostsDir) => {
    await Deno.mkdir(`${hostsDir}/registry.example`);
    await Deno.writeTextFile(`${hostsDir}/registry.example/hosts.toml`, '[header]\nx-own = "one"\n');
    const seen: string[] = [];
    const answer = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const url = new URL(String(input));
      const headers = new Headers(init?.headers);
      if (url.protocol === "https:") return Promise.reject(new TypeError("connection refused"));
      seen.push(`${url.pathname} ${headers.get("x-own")} ${headers.get("authorization")}`);
      if (url.pathname === "/token") return Promise.resolve(Response.json({ token: "t" }));
      const challenge = { "www-authenticate": 'Bearer realm="http://registry.example/token"' };
      const isKnown = headers.get("authorization") === "Bearer t";
      return Promise.resolve(new Response("", isKnown ? {} : { status: 401, headers: challenge }));
    };
    const network = new Network({ registriesConf: "none", hostsDir });
    const options = quickOptions({ plainHttp: false, insecure: true, network, fetch: answer as typeof fetch });
    assert.equal((await pingRegistry({ registry: "registry.example" }, options)).asksForLogin, true);
    assert.deepEqual(seen, ["/v2/ one null", "/token null null", "/v2/ one Bearer t"]);
  }));
