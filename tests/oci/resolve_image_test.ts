import assert from "node:assert/strict";
import { type ClipError, type ErrorCode, sha256 } from "../../src/base/mod.ts";
import {
  formatImageReference,
  formatPlatform,
  type Image,
  parseImageReference,
  parsePlatform,
  RegistryError,
  resolveImage,
} from "../../src/oci/mod.ts";
import { addImage, type FakeRegistry, noise, sha512, startFakeRegistry } from "./fake_registry.ts";
import { assertBytes, collect, failure, quickOptions } from "./test_support.ts";

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";

async function withRegistry(test: (registry: FakeRegistry) => Promise<void>): Promise<void> {
  const registry = startFakeRegistry();
  try {
    await test(registry);
  } finally {
    await registry.stop();
  }
}

async function resolve(
  registry: FakeRegistry,
  { name = "some/image:v1", platform = "linux/amd64", options = quickOptions() }: {
    name?: string;
    platform?: string;
    options?: ReturnType<typeof quickOptions>;
  } = {},
): Promise<Image> {
  const reference = parseImageReference(`${registry.host}/${name}`);
  const { image, blobs } = await resolveImage(reference, { ...options, platform: parsePlatform(platform) });
  blobs.close();
  return image;
}

function refused(
  registry: FakeRegistry,
  code: ErrorCode,
  options: Parameters<typeof resolve>[1] = {},
): Promise<ClipError> {
  return failure(() => resolve(registry, options), code);
}

/** Adds an index of `entries` under the tag v1 (or another); its digest and size. */
function addIndex(
  registry: FakeRegistry,
  entries: unknown[],
  { tag = "v1", ...rest }: Record<string, unknown> & { tag?: string } = {},
): { digest: string; size: number; mediaType: string } {
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries, ...rest };
  return {
    digest: registry.addManifest(index, OCI_INDEX, tag),
    size: JSON.stringify(index).length,
    mediaType: OCI_INDEX,
  };
}

/** An entry of an index for a new image. */
function addEntry(
  registry: FakeRegistry,
  platform: { os: string; architecture: string; variant?: string },
  { stated = platform, seed = 5, ...rest }: { stated?: unknown; seed?: number } & Record<string, unknown> = {},
): Record<string, unknown> & { digest: string } {
  const { digest, sizeBytes } = addImage(registry, { platform, layers: [noise(50, seed)] });
  return { mediaType: OCI_MANIFEST, digest, size: sizeBytes, platform: stated, ...rest };
}

const AMD64 = { os: "linux", architecture: "amd64" };
const ARM64 = { os: "linux", architecture: "arm64", variant: "v8" };
const ARM6 = { os: "linux", architecture: "arm", variant: "v6" };

Deno.test("an image by tag: pinned by digest, with its layers bottom first", () =>
  withRegistry(async (registry) => {
    const { digest, layers } = addImage(registry, { tag: "v1" });
    const options = { ...quickOptions(), platform: AMD64 };
    const reference = parseImageReference(`${registry.host}/some/image:v1`);
    const { image, blobs } = await resolveImage(reference, options);
    assert.equal(image.manifestDigest, digest);
    assert.equal(sha256(image.manifestBytes), digest);
    assert.equal(sha256(image.configBytes), image.configDigest);
    assert.equal(image.reference, reference);
    assert.equal(formatImageReference(image.pinnedReference), `docker://${registry.host}/some/image@${digest}`);
    assert.deepEqual(image.platform, AMD64);
    assert.deepEqual(image.config.config, { Env: ["PATH=/bin"], Cmd: ["/bin/sh"] });
    assert.deepEqual(image.layers.map(({ sizeBytes }) => sizeBytes), [5000, 300]);
    for (const [index, layer] of image.layers.entries()) assertBytes(await collect(blobs.layer(layer)), layers[index]!);
    blobs.close();
    const again = await resolveImage(image.pinnedReference, options);
    again.blobs.close();
    assert.deepEqual(again.image.layers, image.layers);
  }));

Deno.test("the digest asked for is verified, also where it is a sha512", () =>
  withRegistry(async (registry) => {
    const { digest, manifest } = addImage(registry, { tag: "v1" });
    const bytes = new Uint8Array(new TextEncoder().encode(JSON.stringify(manifest)));
    registry.manifests.set(sha512(bytes), { bytes, mediaType: OCI_MANIFEST });
    assert.equal((await resolve(registry, { name: `a@${sha512(bytes)}` })).manifestDigest, sha512(bytes));
    const other = `sha256:${"0".repeat(64)}`;
    registry.manifests.set(other, registry.manifests.get(digest)!);
    await refused(registry, "digest_mismatch", { name: `a@${other}` });
    registry.manifests.set("v1", { bytes, mediaType: OCI_MANIFEST, headers: { "docker-content-digest": other } });
    await refused(registry, "digest_mismatch");
    registry.manifests.set("v1", { bytes, mediaType: OCI_MANIFEST, headers: { "docker-content-digest": digest } });
    assert.equal((await resolve(registry)).manifestDigest, digest);
  }));

Deno.test("an index: the entry for the platform, or a list of those there are", () =>
  withRegistry(async (registry) => {
    const attestation = addEntry(registry, AMD64, {
      stated: { os: "unknown", architecture: "unknown" },
      seed: 1,
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    });
    const entries = [attestation, addEntry(registry, ARM64), addEntry(registry, AMD64), addEntry(registry, ARM6)];
    addIndex(registry, entries);
    assert.equal((await resolve(registry)).manifestDigest, entries[2]!.digest);
    assert.equal((await resolve(registry, { platform: "linux/arm64" })).manifestDigest, entries[1]!.digest);
    assert.equal((await resolve(registry, { platform: "linux/arm" })).manifestDigest, entries[3]!.digest);
    const error = await refused(registry, "not_found", { platform: "linux/s390x" });
    assert.match(error.message, /no image for linux\/s390x; it offers linux\/arm64\/v8, linux\/amd64, linux\/arm\/v6$/);
    addIndex(registry, []);
    assert.match((await refused(registry, "not_found")).message, /no images at all/);
  }));

Deno.test("indexes in indexes: four deep, found with and without stated platforms", () =>
  withRegistry(async (registry) => {
    const image = addEntry(registry, AMD64, { stated: null });
    let index = addIndex(registry, [addEntry(registry, ARM64), image], { tag: "x" });
    for (let depth = 2; depth <= 4; depth++) index = addIndex(registry, [index], { tag: "v1" });
    assert.equal((await resolve(registry)).manifestDigest, image.digest);
    assert.match(
      (await refused(registry, "not_found", { platform: "linux/386" })).message,
      /linux\/arm64\/v8, linux\/amd64/,
    );
    addIndex(registry, [index]);
    await refused(registry, "limit");
  }));

Deno.test("an index that lists one manifest many times, or too many, ends", () =>
  withRegistry(async (registry) => {
    const same = addEntry(registry, ARM64, { stated: null });
    addIndex(registry, Array.from({ length: 1000 }, () => same));
    await refused(registry, "not_found");
    assert(registry.seen.length < 5);
    const many = Array.from({ length: 70 }, (_, seed) => addEntry(registry, ARM64, { stated: null, seed: seed + 10 }));
    addIndex(registry, many);
    await refused(registry, "limit");
    addIndex(
      registry,
      Array.from({ length: 5000 }, () => same),
    );
    await refused(registry, "corrupt");
  }));

Deno.test("another platform than asked: refused where the manifest was named, a warning where the index is wrong", () =>
  withRegistry(async (registry) => {
    addImage(registry, { tag: "v1", platform: ARM64 });
    const error = await refused(registry, "not_found");
    assert.match(error.message, /is an image for linux\/arm64\/v8, not for linux\/amd64/);
    assert.equal(formatPlatform((await resolve(registry, { platform: "linux/arm64" })).platform), "linux/arm64/v8");
    addImage(registry, { tag: "v1", platform: { os: "linux", architecture: "arm" } });
    await resolve(registry, { platform: "linux/arm/v6" });
    addImage(registry, { tag: "v1", platform: { os: "", architecture: "" } });
    await refused(registry, "corrupt");
    addIndex(registry, [addEntry(registry, ARM64, { stated: AMD64 })]);
    const options = quickOptions();
    const image = await resolve(registry, { options });
    assert.equal(formatPlatform(image.platform), "linux/arm64/v8");
    assert(options.log.lines.some((line) => line.includes("disagree about the platform")));
  }));

/** What is changed in a good manifest, and how that is refused. */
const BAD_MANIFESTS: readonly (readonly [string, (manifest: Record<string, unknown>) => void, ErrorCode])[] = [
  ["schema 1", (m) => m["schemaVersion"] = 1, "unsupported"],
  ["no version", (m) => delete m["schemaVersion"], "corrupt"],
  ["another media type than stated", (m) => m["mediaType"] = DOCKER_MANIFEST, "corrupt"],
  ["both manifest and index", (m) => m["manifests"] = [], "corrupt"],
  ["no layers", (m) => delete m["layers"], "corrupt"],
  ["no config", (m) => delete m["config"], "corrupt"],
  ["a layer less than diff_ids", (m) => (m["layers"] as unknown[]).pop(), "corrupt"],
  ["an artifact", (m) => config(m)["mediaType"] = "application/vnd.oci.empty.v1+json", "unsupported"],
  ["a huge config", (m) => config(m)["size"] = 17 * 1024 * 1024, "limit"],
  ["a config of another size", (m) => config(m)["size"] = 12, "registry"],
  ["a config that is not there", (m) => config(m)["digest"] = `sha256:${"1".repeat(64)}`, "not_found"],
  ["too many layers", (m) => m["layers"] = Array.from({ length: 4097 }, () => layer(m)), "corrupt"],
  ["a negative size", (m) => layer(m)["size"] = -1, "corrupt"],
  ["a fractional size", (m) => layer(m)["size"] = 1.5, "corrupt"],
  ["a size beyond 2^53", (m) => layer(m)["size"] = 2 ** 53, "corrupt"],
  ["a size in a string", (m) => layer(m)["size"] = "5", "corrupt"],
  ["a bad digest", (m) => layer(m)["digest"] = "sha256:../../../etc/passwd", "corrupt"],
  [
    "an unknown layer",
    (m) => layer(m)["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
    "unsupported",
  ],
];

function config(manifest: Record<string, unknown>): Record<string, unknown> {
  return manifest["config"] as Record<string, unknown>;
}

function layer(manifest: Record<string, unknown>): Record<string, unknown> {
  return (manifest["layers"] as Record<string, unknown>[])[0]!;
}

for (const [what, change, code] of BAD_MANIFESTS) {
  Deno.test(`a manifest with ${what} is refused (${code})`, () =>
    withRegistry(async (registry) => {
      const { manifest } = addImage(registry);
      change(manifest);
      registry.addManifest(manifest, OCI_MANIFEST, "v1");
      await refused(registry, code);
    }));
}

Deno.test("media types: docker's, generic ones, none inside, a parameter; schema 1 by type", () =>
  withRegistry(async (registry) => {
    const { manifest } = addImage(registry);
    registry.addManifest({ ...manifest, mediaType: DOCKER_MANIFEST }, DOCKER_MANIFEST, "v1");
    assert.equal((await resolve(registry)).manifestMediaType, DOCKER_MANIFEST);
    registry.addManifest({ ...manifest, mediaType: undefined }, `${OCI_MANIFEST}; charset=utf-8`, "v1");
    assert.equal((await resolve(registry)).manifestMediaType, OCI_MANIFEST);
    registry.addManifest({ ...manifest, mediaType: undefined }, "application/json", "v1");
    assert.equal((await resolve(registry)).manifestMediaType, OCI_MANIFEST);
    registry.addManifest(manifest, "text/html", "v1");
    await refused(registry, "corrupt");
    registry.addManifest("{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", "v1");
    assert.match((await refused(registry, "unsupported")).message, /schema 1/);
    registry.addManifest("<html>", OCI_MANIFEST, "v1");
    await refused(registry, "corrupt");
    registry.addManifest(`[${"[".repeat(1e6)}`, OCI_MANIFEST, "v1");
    await refused(registry, "corrupt");
    registry.addManifest(" ".repeat(9 * 1024 * 1024), OCI_MANIFEST, "v1");
    await refused(registry, "limit");
  }));

Deno.test("an index whose entry says another size or type than the manifest has", () =>
  withRegistry(async (registry) => {
    const entry = addEntry(registry, AMD64);
    addIndex(registry, [{ ...entry, size: 5 }]);
    await refused(registry, "corrupt");
    addIndex(registry, [{ ...entry, mediaType: DOCKER_MANIFEST }]);
    await refused(registry, "corrupt");
  }));

Deno.test("a config whose bytes are others than its digest says", () =>
  withRegistry(async (registry) => {
    const { manifest } = addImage(registry, { tag: "v1" });
    const digest = config(manifest)["digest"] as string;
    registry.blobs.set(digest, registry.blobs.get(digest)!.map((byte) => byte ^ 1));
    await refused(registry, "digest_mismatch");
  }));

Deno.test("what is not there: the registry's code is told, its text is not", () =>
  withRegistry(async (registry) => {
    const error = await refused(registry, "not_found");
    assert(error instanceof RegistryError && error.status === 404 && error.method === "GET");
    assert.match(error.message, /manifests\/v1: not found \(status 404, MANIFEST_UNKNOWN\)$/);
    registry.always = { kind: "status", status: 404, body: '{"errors":[{"code":"\\u001b[31m","message":"leak"}]}' };
    assert.match((await refused(registry, "not_found")).message, /\(status 404\)$/);
    registry.always = { kind: "status", status: 403, body: "x".repeat(100_000) };
    await refused(registry, "denied");
  }));

Deno.test("manifests and configs are asked for again after faults that pass", () =>
  withRegistry(async (registry) => {
    addImage(registry, { tag: "v1" });
    registry.faults = [
      { kind: "cut", afterBytes: 10 },
      { kind: "status", status: 500 },
      { kind: "none" },
      { kind: "wrongLength", addBytes: -3 },
      { kind: "cut", afterBytes: 4 },
    ];
    await resolve(registry);
  }));

Deno.test("an aborted resolve ends with the signal's reason", () =>
  withRegistry(async (registry) => {
    addImage(registry, { tag: "v1" });
    registry.always = { kind: "stall", afterBytes: 3 };
    const stopper = new AbortController();
    setTimeout(() => stopper.abort(new Error("enough")), 30);
    const options = { ...quickOptions({ signal: stopper.signal }), platform: AMD64 };
    await assert.rejects(resolveImage(parseImageReference(`${registry.host}/a:v1`), options), { message: "enough" });
    await assert.rejects(resolveImage(parseImageReference(`${registry.host}/a:v1`), options), { message: "enough" });
  }));
