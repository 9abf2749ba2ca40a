import assert from "node:assert/strict";
import { exchange, type HttpRequest } from "../../src/oci/http_exchange.ts";
import { RegistryError } from "../../src/oci/mod.ts";
import { failure } from "./test_support.ts";

/** Answers by URL: a Location to be redirected to, or the text of a 200; and what was asked, with which login. */
function stubFetch(answers: Record<string, { location: string } | string>): {
  fetch: typeof fetch;
  asked: [string, string | null][];
} {
  const asked: [string, string | null][] = [];
  const stub = (input: URL, init: RequestInit) => {
    asked.push([input.href, new Headers(init.headers).get("authorization")]);
    assert.equal(init.redirect, "manual");
    const answer = answers[input.href];
    if (answer === undefined) return Promise.reject(new TypeError(`no ${input.href} (os error 111)`));
    if (typeof answer === "string") return Promise.resolve(new Response(answer));
    return Promise.resolve(new Response(null, { status: 302, headers: { location: answer.location } }));
  };
  return { fetch: stub as typeof fetch, asked };
}

function request(url: string, rest: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", url: new URL(url), headers: {}, authorization: "Bearer s3cret", signals: [], ...rest };
}

Deno.test("the login goes with redirects as long as scheme, host and port stay, and never comes back", async () => {
  const cases: readonly (readonly [string[], (string | null)[]])[] = [
    [["https://a.example/1", "https://a.example/2"], ["Bearer s3cret", "Bearer s3cret"]],
    [["https://a.example/1", "https://a.example:444/2"], ["Bearer s3cret", null]],
    [["https://a.example/1", "https://b.example/2"], ["Bearer s3cret", null]],
    [["https://a.example/1", "https://b.example/2", "https://a.example/3"], ["Bearer s3cret", null, null]],
    [["http://a.example/1", "https://a.example/2"], ["Bearer s3cret", null]],
    [["https://a.example/1", "https://aa.example/2"], ["Bearer s3cret", null]],
  ];
  for (const [urls, logins] of cases) {
    const entries = urls.map((url, at) => [url, urls[at + 1] === undefined ? "end" : { location: urls[at + 1]! }]);
    const { fetch, asked } = stubFetch(Object.fromEntries(entries));
    const response = await exchange({ fetch, timeoutMs: 1000 }, request(urls[0]!));
    assert.equal(new TextDecoder().decode(await response.readAll(100)), "end");
    response.close();
    assert.deepEqual(asked, urls.map((url, at) => [url, logins[at]]));
  }
});

Deno.test("a redirect from https to http is refused, also after others, without its query", async () => {
  const { fetch, asked } = stubFetch({
    "https://a.example/1": { location: "https://b.example/2?signature=s3cret" },
    "https://b.example/2?signature=s3cret": { location: "http://user:s3cret@c.example/3?signature=s3cret#s3cret" },
  });
  const error = await failure(() => exchange({ fetch, timeoutMs: 1000 }, request("https://a.example/1")), "registry");
  assert.match(error.message, /from https to http:\/\/c\.example\/3/);
  assert(!`${error.stack}${Deno.inspect(error)}`.includes("s3cret"));
  assert.equal(asked.length, 2);
});

Deno.test("users and passwords in a Location are dropped, relative ones are resolved", async () => {
  const { fetch, asked } = stubFetch({
    "https://a.example/x/1": { location: "../y?q=1" },
    "https://a.example/y?q=1": { location: "https://user:pass@b.example/3" },
    "https://b.example/3": "end",
  });
  (await exchange({ fetch, timeoutMs: 1000 }, request("https://a.example/x/1"))).close();
  assert.deepEqual(asked.map(([url]) => url), [
    "https://a.example/x/1",
    "https://a.example/y?q=1",
    "https://b.example/3",
  ]);
});

Deno.test("what fetch throws is told without URLs; TLS that is refused is not worth another try", async () => {
  const throwing = (message: string, cause?: Error) => {
    const stub = (() => Promise.reject(new TypeError(message, { cause }))) as typeof fetch;
    return failure(
      () => exchange({ fetch: stub, timeoutMs: 1000 }, request("https://a.example/1?q=s3cret")),
      "network",
    );
  };
  const url = "https://u:s3cret@a.example/1?q=s3cret(x)";
  const why = "tcp connect error: Connection refused (os error 111)";
  for (const said of [why, `${why}: Connection refused (os error 111)`]) {
    const { message } = await throwing(`error sending request for url (${url}): client error (Connect): ${said}`);
    assert.equal(message, `GET https://a.example/1?…: no answer: ${why}`);
  }
  const refused = await throwing(`error sending request for url (${url})`);
  assert.match(refused.message, /: no answer: error sending request/);
  assert(refused.retryable && refused instanceof RegistryError);
  const nested = await throwing("fetch failed", new Error(`error for url (${url}): dns error, see ${url}`));
  for (const error of [refused, nested]) {
    assert(!`${error.stack}${Deno.inspect(error)}`.includes("s3cret"), error.message);
  }
  assert.match(nested.message, /dns error/);
  assert.equal((await throwing("invalid peer certificate: UnknownIssuer")).retryable, false);
  const noTls = await throwing("received corrupt message of type InvalidContentType");
  assert(!noTls.retryable && noTls.message.includes("--plain-http"));
});

Deno.test("a signal's listeners are gone when the answer is closed", async () => {
  const { fetch } = stubFetch({ "https://a.example/1": "end" });
  const stopper = new AbortController();
  let listeners = 0;
  const { signal } = stopper;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  const response = await exchange(
    { fetch, timeoutMs: 1000 },
    request("https://a.example/1", { signals: [signal, undefined] }),
  );
  assert.equal(listeners, 1);
  response.close();
  assert.equal(listeners, 0);
  await failure(
    () => exchange({ fetch, timeoutMs: 1000 }, request("https://a.example/2", { signals: [signal] })),
    "network",
  );
  assert.equal(listeners, 0);
});
