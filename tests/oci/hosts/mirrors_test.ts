/** Mirrors that fail in every way, over real HTTP. */
import assert from "node:assert/strict";
import type { Digest, RangeSource } from "../../../src/base/mod.ts";
import {
  ArtifactRepository,
  type BlobStore,
  Network,
  openBlobStore,
  parseImageReference,
  resolveDigest,
} from "../../../src/oci/mod.ts";
import { addImage, type FakeRegistry, noise, startFakeRegistry } from "../fake_registry.ts";
import { withFolder } from "../make_layout.ts";
import { assertBytes, collect, failure, quickOptions, writeTemporary } from "../test_support.ts";

const BYTES = noise(300_000, 7);
const MIDDLE = { offset: 70_000, endExclusive: 200_000 };

interface Setting {
  readonly first: FakeRegistry;
  readonly second: FakeRegistry;
  readonly upstream: FakeRegistry;
  readonly options: ReturnType<typeof quickOptions>;
  readonly blob: RangeSource;
  readonly store: BlobStore;
  readonly digest: Digest;
}

/** Two mirrors by a hosts.toml, and the registry that they stand for; all of them have the blob. */
async function withMirrors(work: (setting: Setting) => Promise<void>, dockerConfigPath?: string): Promise<void> {
  const [first, second, upstream] = [startFakeRegistry(), startFakeRegistry(), startFakeRegistry()];
  try {
    await withFolder(async (hostsDir) => {
      await Deno.mkdir(`${hostsDir}/${upstream.host}`);
      await Deno.writeTextFile(
        `${hostsDir}/${upstream.host}/hosts.toml`,
        `server = "${upstream.origin}"\n[host."${first.origin}"]\n[host."${first.origin}".header]\nx-own = "planted"\n` +
          `[host."${second.origin}"]\n`,
      );
      const network = new Network({ registriesConf: "none", hostsDir });
      const options = quickOptions({ network, plainHttp: false, ...(dockerConfigPath ? { dockerConfigPath } : {}) });
      const digest = [first, second, upstream].map((registry) => registry.addBlob(BYTES) as Digest)[0]!;
      const store = await openBlobStore(parseImageReference(`${upstream.host}/some/image`), options);
      const blob = store.layer({ digest, diffId: digest, sizeBytes: BYTES.length });
      try {
        await work({ first, second, upstream, options, blob, store, digest });
      } finally {
        store.close();
        network.close();
      }
    });
  } finally {
    await Promise.all([first, second, upstream].map((registry) => registry.stop()));
  }
}

const counts = ({ first, second, upstream }: Setting) => [first, second, upstream].map(({ seen }) => seen.length);

Deno.test("the first mirror gives all, and is told for which registry", () =>
  withMirrors(async (setting) => {
    const { blob, first, upstream, digest } = setting;
    assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
    assertBytes(await collect(blob), BYTES);
    assert.deepEqual(counts(setting), [2, 0, 0]);
    assert.equal(first.seen[0]!.path, `/v2/some/image/blobs/${digest}`);
    assert.equal(first.seen[0]!.query, `?ns=${encodeURIComponent(upstream.host)}`);
  }));

Deno.test("a mirror that dies in the middle: the next one sends the rest of the blob, and the first one rests", () =>
  withMirrors(async (setting) => {
    const { blob, first, second, options } = setting;
    first.always = { kind: "cut", afterBytes: 100_000 };
    assertBytes(await collect(blob), BYTES);
    assert.deepEqual(counts(setting), [1, 1, 0]);
    // The client may not have taken all that was sent.
    assert.match(second.seen[0]!.range ?? "", /^bytes=(?!0-)\d+-299999$/);
    // Both are gone for good: no read fails.
    await Promise.all([first.stop(), second.stop()]);
    assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
    assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
    assert.deepEqual(counts(setting), [1, 1, 2]);
    const warnings = options.log.lines.filter((line) => line.includes("a mirror fails"));
    assert.equal(warnings.length, 2, warnings.join(""));
    assert.doesNotMatch(options.log.lines.join(""), /planted/);
  }));

Deno.test("a mirror that has failed is asked again later", () =>
  withMirrors(async (setting) => {
    const { blob, first } = setting;
    first.faults.push({ kind: "status", status: 500 });
    const now = Date.now;
    try {
      assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
      assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
      assert.deepEqual(counts(setting), [1, 2, 0]);
      Date.now = () => now() + 2000;
      assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
      assert.deepEqual(counts(setting), [2, 2, 0]);
    } finally {
      Date.now = now;
    }
  }));

Deno.test("what a mirror lacks, or cannot send in ranges, is asked elsewhere; the rest is still asked of it", () =>
  withMirrors(async (setting) => {
    const { blob, first, second, store, digest } = setting;
    first.blobs.delete(digest);
    second.faults.push({ kind: "ignoreRange" });
    for (let time = 0; time < 3; time++) assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
    assert.deepEqual(counts(setting), [1, 1, 3]);
    const other = first.addBlob(noise(1000, 3)) as Digest;
    await store.layer({ digest: other, diffId: other, sizeBytes: 1000 }).readRange({ offset: 0, endExclusive: 10 });
    assert.deepEqual(counts(setting), [2, 1, 3]);
  }));

Deno.test("a mirror that is busy is not waited for; one that stays silent has a third of the time", () =>
  withMirrors(async (setting) => {
    const { blob, first, second } = setting;
    first.always = { kind: "status", status: 429, headers: { "retry-after": "60" } };
    second.always = { kind: "stall", afterBytes: 1000 };
    const started = performance.now();
    assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
    assert.ok(performance.now() - started < 2500, "a third of 3 s, and not 60 s");
    assert.deepEqual(counts(setting), [1, 1, 1]);
  }));

Deno.test("a mirror that is busy is not waited for by those who wait for their turn with it either", () =>
  withMirrors(async (setting) => {
    const { blob, first } = setting;
    first.always = { kind: "status", status: 429, headers: { "retry-after": "60" } };
    const started = performance.now();
    const all = await Promise.all(Array.from({ length: 80 }, () => blob.readRange(MIDDLE)));
    for (const bytes of all) assertBytes(bytes, BYTES.slice(70_000, 200_000));
    assert.ok(performance.now() - started < 30_000, "and not 60 s");
    const [firsts, seconds, upstreams] = counts(setting);
    assert.ok(firsts! <= 32 && seconds === 80 && upstreams === 0, counts(setting).join());
  }));

Deno.test("wrong bytes are held against who gave them last", () =>
  withMirrors(async (setting) => {
    const { blob, first, second, digest } = setting;
    const now = Date.now;
    try {
      await blob.readRange(MIDDLE);
      first.faults.push({ kind: "status", status: 500 });
      second.blobs.delete(digest);
      await blob.readRange(MIDDLE);
      assert.deepEqual(counts(setting), [2, 1, 1]);
      Date.now = () => now() + 2000;
      blob.mistrust!();
      await blob.readRange(MIDDLE);
      assert.deepEqual(counts(setting), [3, 1, 1]);
    } finally {
      Date.now = now;
    }
  }));

Deno.test("a mirror cannot forge: manifests are compared at once, blobs when their reader says so", () =>
  withMirrors(async (setting) => {
    const { first, second, upstream, options, blob, digest } = setting;
    const forged = noise(300_000, 8);
    first.blobs.set(digest, forged);
    assertBytes(await blob.readRange(MIDDLE), forged.slice(70_000, 200_000));
    blob.mistrust!();
    blob.mistrust!();
    assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
    assert.deepEqual(counts(setting), [1, 1, 0]);
    const image = addImage(upstream, { tag: "v1" });
    first.manifests.set(image.digest, { bytes: BYTES, mediaType: "application/vnd.oci.image.manifest.v1+json" });
    second.manifests.set("v1", { bytes: BYTES, mediaType: "application/vnd.oci.image.manifest.v1+json" });
    const resolve = (name: string) => resolveDigest(parseImageReference(`${upstream.host}/some/image${name}`), options);
    assert.equal(await resolve(`@${image.digest}`), image.digest);
    // A tag is what the first says that knows it; nonsense is nobody's answer.
    assert.equal(await resolve(":v1"), image.digest);
    assert.ok(options.log.lines.some((line) => /digest mismatch/.test(line)));
  }));

Deno.test("each host has its own login, and the registry's goes to no mirror", async () => {
  const auth = (text: string) => ({ auth: btoa(text) });
  const config = writeTemporary("{}");
  await withMirrors(async ({ first, second, upstream, blob }) => {
    await Deno.writeTextFile(
      config,
      JSON.stringify({ auths: { [first.host]: auth("one:planted1"), [upstream.host]: auth("up:planted3") } }),
    );
    for (const registry of [first, second, upstream]) {
      registry.login = { challenge: 'Basic realm="r"', accepts: (header) => header === `Basic ${btoa("up:planted3")}` };
    }
    assertBytes(await blob.readRange(MIDDLE), BYTES.slice(70_000, 200_000));
    const sent = (registry: FakeRegistry) => new Set(registry.seen.map(({ authorization }) => authorization));
    assert.deepEqual(sent(first), new Set([null, `Basic ${btoa("one:planted1")}`]));
    assert.deepEqual(sent(second), new Set([null]));
    assert.deepEqual(sent(upstream), new Set([null, `Basic ${btoa("up:planted3")}`]));
  }, config);
});

Deno.test("when all fail, the registry's own error is told", () =>
  withMirrors(async ({ first, second, upstream, blob }) => {
    await Promise.all([first.stop(), second.stop()]);
    upstream.always = { kind: "status", status: 404 };
    const error = await failure(() => blob.readRange(MIDDLE), "not_found");
    assert.match(error.message, new RegExp(upstream.host));
  }));

Deno.test("which index belongs to an image is not for a mirror to say", () =>
  withMirrors(async ({ first, second, upstream, options }) => {
    const image = addImage(upstream, { tag: "v1" });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const tag = image.digest.replace(":", "-");
    for (const mirror of [first, second]) {
      mirror.addManifest(
        { schemaVersion: 2, mediaType, manifests: [{ mediaType, digest: image.digest, size: 1 }] },
        mediaType,
        tag,
      );
    }
    const repository = new ArtifactRepository({ registry: upstream.host, repository: "some/image" }, options);
    try {
      assert.deepEqual((await repository.list(image.digest as Digest, "")).entries, []);
      assert.equal(await repository.read("kept"), undefined);
    } finally {
      repository.close();
    }
    assert.deepEqual(first.seen.length + second.seen.length, 0);
    assert.ok(upstream.seen.some(({ path }) => path.endsWith(`manifests/${tag}`)));
  }));
