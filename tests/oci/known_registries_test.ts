/** Logging in as the large registries want it, with helpers that answer as theirs do. */
import assert from "node:assert/strict";
import type { Digest } from "../../src/base/mod.ts";
import { openBlobStore, parseImageReference } from "../../src/oci/mod.ts";
import { withHelpers } from "./credential_programs.ts";
import { noise, serveBlob } from "./fake_registry.ts";
import { assertBytes, quickOptions, writeTemporary } from "./test_support.ts";

const BYTES = noise(1000, 3);
const DIGEST = "sha256:0000000000000000000000000000000000000000000000000000000000000000" as Digest;
const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`;

/** A registry somewhere else, as fetch sees it. */
interface Setup {
  readonly image: string;
  /** Docker's config. */
  readonly config: unknown;
  /** How the registry asks, and what it takes. */
  readonly challenge: string;
  readonly accepts: () => string;
  /** What it answers to a login that it does not take. */
  readonly refusal?: number;
  /** The token server's answers. */
  readonly token?: (request: Request, body: URLSearchParams) => Response;
}

/** What was asked, after reading a blob as often as `reads` says; between two reads, half a minute and more passes. */
async function requestsOf({ image, config, challenge, accepts, refusal = 401, token }: Setup, reads = 1) {
  const seen: { method: string; url: string; authorization: string | null }[] = [];
  const answer = (async (input: URL, init: RequestInit) => {
    const request = new Request(input, init);
    const authorization = request.headers.get("authorization");
    seen.push({ method: request.method, url: request.url, authorization });
    if (!request.url.includes("/v2/") || request.url.includes("/v2/token")) {
      return token!(request, new URLSearchParams(request.method === "POST" ? await request.text() : ""));
    }
    if (authorization === accepts()) return serveBlob(BYTES, request);
    const headers = { "www-authenticate": challenge };
    return new Response("", { status: authorization === null ? 401 : refusal, headers });
  }) as typeof fetch;
  const dockerConfigPath = writeTemporary(JSON.stringify(config));
  const options = quickOptions({ plainHttp: false, fetch: answer, dockerConfigPath });
  const { now } = Date;
  let aheadMs = 0;
  // Before anything takes it for the clock.
  Date.now = () => now() + aheadMs;
  const store = await openBlobStore(parseImageReference(image), options);
  const blob = store.layer({ digest: DIGEST, diffId: DIGEST, sizeBytes: BYTES.length });
  try {
    for (let read = 0; read < reads; read++, aheadMs += 31_000) {
      assertBytes(await blob.readRange({ offset: 10, endExclusive: 20 }), BYTES.slice(10, 20));
    }
  } finally {
    Date.now = now;
    store.close();
  }
  return seen.filter(({ authorization, method }) => authorization !== null || method === "POST");
}

Deno.test("Docker Hub: its own key and server, a token server under another name of its domain", () =>
  withHelpers(async (helpers) => {
    helpers.add("cliphub", `echo '{"ServerURL":"https://index.docker.io/v1/","Username":"me","Secret":"pat"}'`);
    const seen = await requestsOf({
      image: "ubuntu:24.04",
      config: { credsStore: "cliphub" },
      challenge: 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
      accepts: () => "Bearer hub",
      token: () => Response.json({ token: "hub", access_token: "hub", expires_in: 300 }),
    });
    assert.deepEqual(helpers.asked("cliphub"), ["https://index.docker.io/v1/"]);
    const url = new URL(seen[0]!.url);
    assert.equal(url.host, "auth.docker.io");
    assert.equal(url.searchParams.get("scope"), "repository:library/ubuntu:pull");
    assert.equal(seen[0]!.authorization, basic("me", "pat"));
    assert.deepEqual(seen.slice(1).map(({ authorization }) => authorization), ["Bearer hub"]);
  }));

Deno.test("Amazon ECR: Basic by a helper, whose login ends with a 403", () =>
  withHelpers(async (helpers) => {
    const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    const give = (secret: string) => helpers.add("clipecr", `echo '{"Username":"AWS","Secret":"${secret}"}'`);
    give("first");
    let calls = 0;
    const seen = await requestsOf({
      image: `${host}/app:v1`,
      config: { credHelpers: { [host]: "clipecr" } },
      challenge: `Basic realm="https://${host}/",service="ecr.amazonaws.com"`,
      refusal: 403,
      accepts: () => {
        if (++calls === 3) give("second");
        return basic("AWS", calls < 3 ? "first" : "second");
      },
    }, 2);
    assert.deepEqual(seen.map(({ authorization }) => authorization), [
      basic("AWS", "first"),
      basic("AWS", "first"),
      basic("AWS", "second"),
    ]);
    assert.deepEqual(helpers.asked("clipecr"), [host, host]);
  }));

Deno.test("Google Artifact Registry: an access token as a password, for the registry's own token server", () =>
  withHelpers(async (helpers) => {
    helpers.add("clipgcloud", `echo '{"Username":"_dcgcloud_token","Secret":"ya29.access"}'`);
    const seen = await requestsOf({
      image: "europe-docker.pkg.dev/project/repository/app:v1",
      config: { credHelpers: { "europe-docker.pkg.dev": "clipgcloud" } },
      challenge: 'Bearer realm="https://europe-docker.pkg.dev/v2/token",service="europe-docker.pkg.dev"',
      accepts: () => "Bearer google",
      token: () => Response.json({ token: "google", expires_in: 3599 }),
    });
    assert.equal(seen[0]!.authorization, basic("_dcgcloud_token", "ya29.access"));
    assert.equal(new URL(seen[0]!.url).searchParams.get("scope"), "repository:project/repository/app:pull");
  }));

Deno.test("Azure ACR: a refresh token by a helper, sent by POST", () =>
  withHelpers(async (helpers) => {
    helpers.add("clipacr", `echo '{"Username":"<token>","Secret":"refresh"}'`);
    const sent: URLSearchParams[] = [];
    const seen = await requestsOf({
      image: "mine.azurecr.io/app:v1",
      config: { credHelpers: { "mine.azurecr.io": "clipacr" } },
      challenge: 'Bearer realm="https://mine.azurecr.io/oauth2/token",service="mine.azurecr.io",scope="x"',
      accepts: () => "Bearer azure",
      token: (_, body) => {
        sent.push(body);
        return Response.json({ access_token: "azure" });
      },
    });
    assert.deepEqual(seen.map(({ method }) => method), ["POST", "GET"]);
    const { grant_type, service, scope, refresh_token } = Object.fromEntries(sent[0]!);
    assert.deepEqual([grant_type, service, scope, refresh_token], [
      "refresh_token",
      "mine.azurecr.io",
      "repository:app:pull",
      "refresh",
    ]);
  }));

Deno.test("GHCR and GitLab: a user and a token as password; GitLab's token server is at the parent domain", async () => {
  for (
    const [image, realm] of [["ghcr.io/o/n", "https://ghcr.io/token"], [
      "registry.gitlab.com/o/n",
      "https://gitlab.com/jwt/auth",
    ]]
  ) {
    const host = image!.slice(0, image!.indexOf("/"));
    const seen = await requestsOf({
      image: image!,
      config: { auths: { [host]: { auth: btoa("me:pat") } } },
      challenge: `Bearer realm="${realm}",service="s",scope="repository:o/n:pull"`,
      accepts: () => "Bearer git",
      token: () => Response.json({ token: "git" }),
    });
    assert(seen[0]!.url.startsWith(`${realm}?`));
    assert.deepEqual(seen.map(({ authorization }) => authorization), [basic("me", "pat"), "Bearer git"]);
  }
});
