/** Registries that lie about what they hold: bounded, and told in a line. */
import assert from "node:assert/strict";
import { sha256 } from "../../src/base/mod.ts";
import { ANNOTATIONS, ARCHIVE_TYPE, chooseArchives, keptTag, removeArchive } from "../../src/distribution/mod.ts";
import { ArtifactRepository, type Descriptor, type DockerReference, Network } from "../../src/oci/mod.ts";
import { archiveOf, gzipLayer, memoryImage, SMALL_SPANS } from "../indexer/memory_image.ts";
import { startFakeRegistry } from "../oci/fake_registry.ts";
import { withFolder } from "../oci/make_layout.ts";
import { failure } from "../oci/test_support.ts";
import { PlantedRegistry } from "./planted.ts";

const { test } = Deno;
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const LIST_ENTRY = { mediaType: OCI_INDEX, digest: sha256(new Uint8Array(3)), size: 3 };
const LAYERS = [gzipLayer({ path: "etc/motd", data: "hello\n" })];

async function planted(work: (planted: PlantedRegistry, bytes: Uint8Array) => Promise<void>): Promise<void> {
  const registry = new PlantedRegistry(memoryImage(LAYERS).image);
  try {
    await work(registry, (await archiveOf(LAYERS, SMALL_SPANS)).bytes);
  } finally {
    await registry.registry.stop();
  }
}

/** Answers the list of referrers with `body`. */
function list(place: PlantedRegistry, body: BodyInit, headers: Record<string, string> = {}): void {
  place.registry.handler = (_, url) =>
    url.pathname.includes("/referrers/")
      ? new Response(body, { headers: { "content-type": OCI_INDEX, ...headers } })
      : undefined;
}

test("lists: endless, a million long, going on elsewhere, no list at all", () =>
  planted(async (place, bytes) => {
    const entry = JSON.stringify({ mediaType: OCI_INDEX, digest: sha256(bytes), size: 1 });
    const index = (count: number) => `{"schemaVersion":2,"manifests":[${Array(count).fill(entry).join(",")}]}`;
    const refusal = async () => (await failure(() => place.pull())).message;
    list(place, index(1_000_000));
    assert.match(await refusal(), /GET \S+\/referrers\/\S+: the answer exceeds 8388608 bytes/);
    list(place, index(5000));
    assert.match(await refusal(), /manifests \(length\): found 5000, expected at most 4096/);
    list(place, index(1), { link: '<?artifactType=x&last=1>; rel="next"' });
    assert.match(await refusal(), /has more than 32 pages/);
    list(place, index(4000), { link: '<?artifactType=x&last=1>; rel="next"' });
    assert.match(await refusal(), /has more than 4096 artifacts/);
    for (const next of ["https://else.where/v2/some/image/referrers/x", "/v2/other/manifests/latest"]) {
      list(place, index(1), { link: `<${next}>; rel="next"` });
      assert.match(await refusal(), /a list that goes on somewhere else/);
    }
    list(place, "[]");
    assert.match(await refusal(), /top level: found \[\], expected an object/);
    // A page for people says that there is no such list: then the tag counts.
    list(place, "<html>", { "content-type": "text/html" });
    assert.equal(await place.pull(), undefined);
    const digest = place.plant(place.manifest(bytes));
    const pulled = await place.pull();
    assert.deepEqual([pulled?.digest, pulled?.foundBy], [digest, "referrers tag"]);
  }));

test("only archives of the image are removed, whatever the list says", () =>
  planted(async (place, bytes) => {
    const image = {
      artifactType: undefined,
      config: { ...LIST_ENTRY, mediaType: "application/vnd.oci.image.config.v1+json" },
    };
    const repository = new ArtifactRepository(place.image.pinnedReference as DockerReference, place.options);
    const remove = (change: Record<string, unknown>) =>
      removeArchive(repository, place.plant(place.manifest(bytes, change)), place.image.manifestDigest);
    try {
      assert.match((await failure(() => remove(image), "corrupt")).message, /bad artifactType.*image\.config/);
      assert.match((await failure(() => remove({ subject: LIST_ENTRY }), "corrupt")).message, /bad subject/);
      assert.deepEqual(new Set(place.registry.seen.map(({ method }) => method)), new Set(["GET"]));
      place.registry.handler = ({ method }) => method === "GET" ? undefined : new Response(null, { status: 405 });
      await failure(() => remove({}));
      assert.notEqual(place.registry.seen.at(-1)!.method, "GET");
    } finally {
      repository.close();
    }
  }));

test("manifests that lie are passed over for the next, with a warning", () =>
  planted(async (place, bytes) => {
    const [blob] = place.manifest(bytes)["layers"] as [Record<string, unknown>];
    const other = { mediaType: OCI_INDEX, digest: sha256(bytes), size: 3 };
    const lies: [RegExp, Record<string, unknown>][] = [
      [/bad artifactType/, { artifactType: "application/vnd.example" }],
      [/bad subject: found sha256:/, { subject: other }],
      [/bad number of layers: found 2, expected 1/, { layers: [blob, blob] }],
      [/bad number of layers: found 0, expected 1/, { layers: [] }],
      [/bad layers\[0\]\.mediaType/, { layers: [{ ...blob, mediaType: "text/plain" }] }],
      [/an index of 8192\.0 TiB, at most 64\.0 MiB are pulled/, { layers: [{ ...blob, size: 2 ** 53 - 1 }] }],
      [/a body of \d+ bytes, expected \d+/, { layers: [{ ...blob, size: bytes.length + 1 }] }],
      [/bad layers \(length\): found 65/, { layers: Array(65).fill(blob) }],
      [/bad mediaType/, { mediaType: OCI_INDEX }],
      [/bad schemaVersion/, { schemaVersion: 1 }],
    ];
    for (const [expected, lie] of lies) {
      place.clear();
      place.plant(place.manifest(bytes, lie));
      assert.match((await failure(() => place.pull())).message, expected);
    }
    const honest = place.plant(place.manifest(bytes), {});
    place.plant(place.manifest(bytes, { subject: other }), { [ANNOTATIONS.formatVersion]: "1" });
    assert.equal((await place.pull())?.digest, honest);
    assert.match(
      place.options.log.lines.join(""),
      /an index is passed over: artifact manifest \S+@sha256:\w+: bad subject/,
    );
    // One that is listed and gone, and one that is as large as a manifest may not be.
    place.clear();
    place.registry.manifests.delete(place.plant({ gone: true }));
    assert.match((await failure(() => place.pull())).message, /is listed, but not there/);
    place.clear();
    place.plant({ ...place.manifest(bytes), annotations: { much: "x".repeat(2 ** 20) } });
    assert.match((await failure(() => place.pull())).message, /the answer exceeds 1048576 bytes/);
  }));

test("the kept tag: found without a list, and nobody's business where it is something else", () =>
  planted(async (place, bytes) => {
    const tag = keptTag(place.image.manifestDigest);
    place.registry.addManifest("{", OCI_INDEX, tag);
    assert.equal(await place.pull(), undefined);
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const digest = place.registry.addManifest(place.manifest(bytes), mediaType, tag);
    const pulled = await place.pull();
    assert.deepEqual([pulled?.digest, pulled?.foundBy], [digest, "kept tag"]);
    assert.equal((await place.pull({ artifact: tag }))?.foundBy, "its name");
    assert.equal((await failure(() => place.pull({ artifact: "none" }), "not_found")).message.includes("none"), true);
  }));

test("of several: a format that is read, the strategy asked for, the options, a profile, the latest", () => {
  const entry = (digest: string, annotations: Record<string, string>): Descriptor => {
    const all = { [ANNOTATIONS.formatVersion]: "1", ...annotations };
    return {
      mediaType: "x",
      digest: digest as Descriptor["digest"],
      sizeBytes: 1,
      artifactType: ARCHIVE_TYPE,
      isAttachment: true,
      annotations: all,
    };
  };
  const exact = {
    [ANNOTATIONS.strategy]: "exact",
    [ANNOTATIONS.spacingBytes]: "2097152",
    [ANNOTATIONS.fileCheckpointBytes]: "off",
  };
  const entries = [
    entry("newer format", { [ANNOTATIONS.formatVersion]: "2" }),
    entry("nothing told", { [ANNOTATIONS.formatVersion]: "" }),
    entry("interval", { [ANNOTATIONS.strategy]: "interval" }),
    entry("exact", exact),
    entry("profile", { ...exact, [ANNOTATIONS.profileRanges]: "3", [ANNOTATIONS.created]: "2026-01-01T00:00:00Z" }),
    entry("later", { ...exact, [ANNOTATIONS.profileRanges]: "9", [ANNOTATIONS.created]: "2026-02-01T00:00:00Z" }),
  ];
  const names = (wanted: Parameters<typeof chooseArchives>[1]) =>
    chooseArchives(entries, wanted).map(({ digest }) => String(digest));
  const options = { strategy: "exact", spacingBytes: 2097152, fileCheckpointBytes: null };
  assert.deepEqual(names({ options }), ["later", "profile", "exact", "interval", "nothing told"]);
  assert.deepEqual(names({ strategy: "interval", options }), ["interval", "nothing told"]);
});

test("a mirror that gives other manifests and blobs is passed over", () =>
  planted(async (place, bytes) => {
    const mirror = startFakeRegistry();
    try {
      await withFolder(async (hostsDir) => {
        const { host, origin } = place.registry;
        await Deno.mkdir(`${hostsDir}/${host}`);
        const toml = `server = "${origin}"\n[host."${mirror.origin}"]\n`;
        await Deno.writeTextFile(`${hostsDir}/${host}/hosts.toml`, toml);
        const network = new Network({ registriesConf: "none", hostsDir });
        const manifest = place.manifest(bytes);
        const digest = place.plant(manifest);
        const [{ digest: blob }] = manifest["layers"] as [{ digest: string }];
        const mediaType = "application/vnd.oci.image.manifest.v1+json";
        mirror.manifests.set(digest, { bytes: new TextEncoder().encode("{}"), mediaType });
        mirror.blobs.set(blob, new Uint8Array(bytes.length));
        const pulled = await place.pull({ network, plainHttp: false });
        network.close();
        assert.equal(pulled?.digest, digest);
        // The list is asked of the registry alone.
        assert.deepEqual(mirror.seen.map(({ path }) => path.split("/").at(-1)), [digest, blob]);
      });
    } finally {
      await mirror.stop();
    }
  }));
