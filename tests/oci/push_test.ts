/** Pushing blobs, manifests and lists to registries that are slow, picky, shared, or elsewhere. */
import assert from "node:assert/strict";
import { type Digest, sha256 } from "../../src/base/mod.ts";
import { ArtifactRepository, Network, type NewArtifact } from "../../src/oci/mod.ts";
import { startRegistry } from "../real_registry.ts";
import { startTokenServer } from "../token_server.ts";
import { type FakeRegistry, noise, startFakeRegistry } from "./fake_registry.ts";
import { AUTHORITY, SERVER_CERTIFICATE, SERVER_KEY } from "./test_certificates.ts";
import { failure, haveOrSkip, quickOptions, writeTemporary } from "./test_support.ts";

const { test } = Deno;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const SUBJECT = { mediaType: MANIFEST, digest: sha256(new Uint8Array([1])), sizeBytes: 1 };
const MIB = 1024 * 1024;

function artifact(change: Partial<NewArtifact> = {}): NewArtifact {
  const blob = noise(5000, 7);
  const type = "application/vnd.example.thing";
  return { artifactType: type, blobType: type, blob, title: "thing", subject: SUBJECT, annotations: {}, ...change };
}

/** What arrived at a registry that takes uploads. */
interface Uploads {
  readonly registry: FakeRegistry;
  /** `METHOD path` of requests that are no GET, with the host where it is another. */
  readonly requests: string[];
  readonly withLogin: boolean[];
  readonly stored: Map<string, Uint8Array>;
  /** Answers in place of the registry, where it returns something. */
  instead: (request: Request, url: URL) => Response | undefined;
  /** Where uploads go on. */
  location: (url: URL) => string;
}

/** A registry that takes uploads, and another host that takes their data. */
async function withUploads(work: (uploads: Uploads, elsewhere: FakeRegistry) => Promise<void>): Promise<void> {
  const [registry, elsewhere] = [startFakeRegistry(), startFakeRegistry({ hostname: "localhost" })];
  const uploads: Uploads = {
    registry,
    requests: [],
    withLogin: [],
    stored: new Map(),
    instead: () => undefined,
    location: () => "/v2/some/image/blobs/uploads/1?state=a%2Bb",
  };
  let held = new Uint8Array(0);
  const answer = async (request: Request, url: URL): Promise<Response | undefined> => {
    if (request.method === "GET") return uploads.instead(request, url);
    const body = new Uint8Array(await request.arrayBuffer());
    const place = url.host === registry.host ? "" : `${url.hostname} `;
    uploads.requests.push(`${request.method} ${place}${url.pathname.replace(/^\/v2\/some\/image\//, "")}`);
    uploads.withLogin.push(request.headers.has("authorization"));
    const special = uploads.instead(request, url);
    if (special !== undefined) return special;
    if (request.method === "HEAD") return new Response(null, { status: 404 });
    if (request.method === "POST") {
      held = new Uint8Array(0);
      return new Response(null, { status: 202, headers: { location: uploads.location(url) } });
    }
    if (url.pathname.includes("/manifests/")) {
      return new Response(null, { status: 201, headers: { "oci-subject": "x" } });
    }
    const all = new Uint8Array(held.length + body.length);
    all.set(held);
    all.set(body, held.length);
    held = all;
    const headers = { location: uploads.location(url), range: `0-${held.length - 1}` };
    if (request.method === "PATCH") return new Response(null, { status: 202, headers });
    assert.equal(url.searchParams.get("digest"), sha256(held));
    assert.equal(url.searchParams.get("state"), "a+b");
    uploads.stored.set(sha256(held), held);
    return new Response(null, { status: 201 });
  };
  registry.handler = (request, url) => answer(request, url) as Promise<Response>;
  elsewhere.handler = (request, url) => answer(request, url) as Promise<Response>;
  try {
    await work(uploads, elsewhere);
  } finally {
    await registry.stop();
    await elsewhere.stop();
  }
}

async function push(host: string, what: NewArtifact, options = quickOptions()) {
  const repository = new ArtifactRepository({ registry: host, repository: "some/image" }, options);
  try {
    return await repository.push(what, []);
  } finally {
    repository.close();
  }
}

test("a blob: asked for, sent at one go, in pieces where it is large, not at all where it is there", () =>
  withUploads(async (uploads) => {
    const { registry: { host }, requests, stored } = uploads;
    const small = artifact();
    const { digest, blobWasThere, listed } = await push(host, small);
    const blob = [`HEAD blobs/${sha256(small.blob)}`, "POST blobs/uploads/", "PUT blobs/uploads/1"];
    assert.deepEqual(requests.slice(0, 3), blob);
    assert.deepEqual([requests.at(-1), blobWasThere, listed], [`PUT manifests/${digest}`, false, "api"]);
    assert.equal(stored.size, 2);
    requests.length = 0;
    const large = artifact({ blob: noise(33 * MIB, 9) });
    await push(host, large);
    assert.deepEqual(requests.slice(2, 5), ["PATCH blobs/uploads/1", "PATCH blobs/uploads/1", "PUT blobs/uploads/1"]);
    assert(stored.has(sha256(large.blob)));
    requests.length = 0;
    uploads.instead = ({ method }) => method === "HEAD" ? new Response(null, { status: 200 }) : undefined;
    assert.equal((await push(host, small)).blobWasThere, true);
    assert(!requests.some((request) => request.startsWith("POST")));
  }));

test("an upload that goes on at another host gets no login, and its address is in no message", () =>
  withUploads(async (uploads, elsewhere) => {
    const { registry, requests, withLogin } = uploads;
    registry.login = { challenge: 'Basic realm="x"', accepts: () => true };
    const auths = { [registry.host]: { auth: btoa("user:planted-secret") } };
    const options = quickOptions({ dockerConfigPath: writeTemporary(JSON.stringify({ auths })) });
    uploads.instead = (request) =>
      request.headers.has("authorization") || new URL(request.url).host !== registry.host
        ? undefined
        : new Response(null, { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
    uploads.location = () => `http://who:cares@${elsewhere.host}/upload?state=a%2Bb&sig=planted-secret`;
    await push(registry.host, artifact(), options);
    const away = requests.map((request, i) => [request, withLogin[i]] as const).filter(([r]) =>
      r.includes("localhost")
    );
    assert.deepEqual(away, [["PUT localhost /upload", false], ["PUT localhost /upload", false]]);
    uploads.location = () => "ftp://user:planted-secret@host/upload?sig=planted-secret";
    const { message } = await failure(() => push(registry.host, artifact(), options), "registry");
    assert.match(message, /an upload that would go on at ftp:\/\/host$/);
    assert(!options.log.lines.join("").includes("planted-secret"));
    assert(!message.includes("planted-secret"));
  }));

test("a token server is asked for what is done: to push, to pull, to delete", () =>
  withUploads(async (uploads) => {
    const { registry } = uploads;
    const scopes: string[] = [];
    uploads.instead = (request, url) => {
      if (url.pathname === "/token") {
        scopes.push(url.searchParams.get("scope")!);
        return Response.json({ token: btoa(scopes.at(-1)!) });
      }
      const [, token] = (request.headers.get("authorization") ?? "").split(" ");
      if (request.method === "DELETE" && token !== undefined) return new Response(null, { status: 202 });
      if (token !== undefined) return request.method === "GET" ? new Response(null, { status: 404 }) : undefined;
      const challenge = `Bearer realm="${registry.origin}/token",service="x"`;
      return new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
    };
    const repository = new ArtifactRepository({ registry: registry.host, repository: "some/image" }, quickOptions());
    const { digest } = await repository.push(artifact(), []);
    assert.deepEqual(scopes, ["repository:some/image:pull,push"]);
    await repository.read("v1");
    assert.deepEqual(scopes.slice(1), ["repository:some/image:pull"]);
    await repository.remove(digest, SUBJECT.digest);
    // The list, to see whether it is to be changed, as who may push.
    assert.deepEqual(scopes.slice(2), ["repository:some/image:pull,delete"]);
    assert.equal(uploads.requests.at(-1), `DELETE manifests/${digest}`);
    repository.close();
  }));

test("what goes wrong while pushing: again where that may help, a line where not", () =>
  withUploads(async (uploads) => {
    const { registry: { host }, stored } = uploads;
    let faults = 3;
    uploads.instead = ({ method }) => {
      if (method === "PUT" && faults > 0) return new Response(null, { status: faults-- % 2 === 1 ? 404 : 503 });
      return undefined;
    };
    await push(host, artifact());
    assert.equal(stored.size, 2, "a lost session is begun anew");
    const refused = async (of: string, response: () => Response) => {
      uploads.instead = ({ method }) => method === of ? response() : undefined;
      return (await failure(() => push(host, artifact()))).message;
    };
    assert.match(await refused("PUT", () => new Response(null, { status: 413 })), /^PUT \S+\?…: .*status 413/);
    assert.match(await refused("POST", () => new Response(null, { status: 202 })), /without saying where it goes on/);
    assert.match(
      await refused("POST", () => new Response(null, { status: 307, headers: { location: "/else" } })),
      /redirects a request that carries a login or data/,
    );
    assert.match(
      await refused(
        "PUT",
        () => new Response(null, { status: 201, headers: { "docker-content-digest": "sha256:no" } }),
      ),
      /stored other bytes than were sent/,
    );
    assert.match(
      await refused("HEAD", () => new Response(null, { status: 200, headers: { "content-length": "3" } })),
      /a blob of 3 bytes, expected 5000/,
    );
    assert.match(
      await refused(
        "POST",
        () => new Response(null, { status: 202, headers: { location: "/x", "oci-chunk-min-length": "999999999999" } }),
      ),
      /asks for pieces of 999999999999 bytes/,
    );
  }));

test("a registry with conditional writes: who comes too late reads the list again; what is gone is left out", () =>
  withUploads(async ({ registry }) => {
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const path = `/v2/some/image/manifests/${SUBJECT.digest.replace(":", "-")}`;
    const other = { mediaType: MANIFEST, digest: sha256(new Uint8Array([2])), size: 1, platform: { os: "x" }, own: 1 };
    const gone = { ...other, digest: sha256(new Uint8Array([3])) };
    const list = (manifests: unknown[]) => JSON.stringify({ schemaVersion: 2, mediaType, manifests });
    let stored: string | undefined;
    const puts: string[] = [];
    const handler = registry.handler!;
    registry.handler = async (request, url) => {
      // It keeps no list itself, and takes none that names what is gone.
      if (request.method === "HEAD" && url.pathname.endsWith(gone.digest)) return new Response(null, { status: 404 });
      if (request.method === "HEAD" && url.pathname.endsWith(other.digest)) return new Response(null);
      if (url.pathname.includes("/referrers/")) return new Response(null, { status: 404 });
      if (url.pathname !== path) {
        const response = (await handler(request, url))!;
        response.headers.delete("oci-subject");
        return response;
      }
      const etag = stored === undefined ? undefined : `"${sha256(new TextEncoder().encode(stored))}"`;
      if (request.method === "GET") {
        if (stored === undefined) return new Response(null, { status: 404 });
        return new Response(stored, { headers: { "content-type": mediaType, etag: etag! } });
      }
      const condition = request.headers.get("if-match") ?? request.headers.get("if-none-match");
      puts.push(condition!);
      const body = await request.text();
      if (puts.length === 1) stored = list([other, gone]);
      if (condition !== etag || puts.length === 1) return new Response(null, { status: 412 });
      if (body.includes(gone.digest)) return new Response(null, { status: 400 });
      stored = body;
      return new Response(null, { status: 201 });
    };
    const { digest, listed } = await push(registry.host, artifact());
    assert.equal(listed, "tag");
    const first = `"${sha256(new TextEncoder().encode(list([other, gone])))}"`;
    assert.deepEqual(puts, ["*", first, first]);
    const { manifests } = JSON.parse(stored!);
    assert.deepEqual(manifests[0], other, "as it was, to the last field");
    assert.deepEqual(manifests.map((entry: { digest: string }) => entry.digest), [other.digest, digest]);
  }));

/** The password is "secret", in bcrypt. */
const HTPASSWD = "user:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

test("eight who push at once to a real registry that keeps no list, with the tokens of a token server", async () => {
  if (!haveOrSkip("pushing at once", "docker-registry", "openssl")) return;
  const server = await startTokenServer({ username: "user", password: "secret" });
  const registry = (await startRegistry({ tokens: server.issuer }))!;
  try {
    await pushAtOnce(registry.host);
    const scopes = new Set(server.asked.map(({ scope }) => scope));
    const wanted = ["pull", "pull,delete", "pull,push"].map((actions) => `repository:some/image:${actions}`);
    assert.deepEqual([...scopes].sort(), wanted);
  } finally {
    await registry.stop();
    await server.stop();
  }
});

test("the same with a password, over TLS by a private authority", async () => {
  if (!haveOrSkip("pushing over TLS", "docker-registry")) return;
  const tls = { certificate: SERVER_CERTIFICATE, key: SERVER_KEY };
  const registry = (await startRegistry({ htpasswd: HTPASSWD, tls }))!;
  const host = registry.host.replace("127.0.0.1", "localhost");
  const caFiles = [writeTemporary(AUTHORITY)];
  const network = new Network({ registriesConf: "none", hostsDir: "none", caFiles });
  try {
    await pushAtOnce(host, { plainHttp: false, network });
  } finally {
    network.close();
    await registry.stop();
  }
});

async function pushAtOnce(host: string, way: Parameters<typeof quickOptions>[0] = {}): Promise<void> {
  const login = (password: string) => {
    const auths = { [host]: { auth: btoa(`user:${password}`) } };
    return quickOptions({ ...way, dockerConfigPath: writeTemporary(JSON.stringify({ auths })) });
  };
  const wrong = await failure(() => push(host, artifact(), login("planted-secret")), "denied");
  assert(!wrong.message.includes("planted-secret"));
  const options = login("secret");
  const repository = new ArtifactRepository({ registry: host, repository: "some/image" }, options);
  try {
    const pushed = await Promise.all(
      Array.from({ length: 8 }, (_, i) => push(host, artifact({ annotations: { number: `${i}` } }), options)),
    );
    const digests = async () => {
      const { entries, kept } = await repository.list(SUBJECT.digest, artifact().artifactType);
      assert.equal(kept, "tag");
      return entries.map(({ digest }) => digest).sort();
    };
    assert.deepEqual(await digests(), pushed.map(({ digest }) => digest).sort(), "nobody's was lost");
    const [first, ...rest] = pushed.map(({ digest }) => digest) as [Digest, ...Digest[]];
    await repository.remove(first, SUBJECT.digest);
    assert.deepEqual(await digests(), rest.sort());
    assert.equal(await repository.read(first), undefined);
    assert(!options.log.lines.join("").includes("secret"));
  } finally {
    repository.close();
  }
}
