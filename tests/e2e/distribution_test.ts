/** One machine indexes and pushes, another pulls and mounts: on a registry without the referrers API, and on one with it. */
import assert from "node:assert/strict";
import { SILENT } from "../../src/base/mod.ts";
import { ArtifactRepository } from "../../src/oci/mod.ts";
import { FaultProxy } from "../fault_proxy.ts";
import { OLAREG_NEEDS, startOlareg } from "../olareg.ts";
import { startRegistry } from "../real_registry.ts";
import { writeDocument, writeIndex, writeManifest, writeSmallImage } from "./oci_layout.ts";
import { DENO_DIR } from "./clip_process.ts";
import { mustRun } from "./programs.ts";
import { secondMachine } from "./second_machine.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", "skopeo"];
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const TYPE = "application/vnd.clip.archive.v1";
/** An oras to look at what is stored as others see it. */
const ORAS = Deno.env.get("CLIP_ORAS");

/** The image `test/image:v1` in a registry; its name. */
async function pushImage(bench: Workbench, host: string): Promise<string> {
  writeSmallImage(bench.path("layout"));
  const image = `${host}/test/image:v1`;
  const copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
  await mustRun([...copy, `oci:${bench.path("layout")}:latest`, `docker://${image}`]);
  return image;
}

/** The image `test/image:v2`, for two platforms; its name. */
async function pushSeveral(bench: Workbench, host: string): Promise<string> {
  const layout = bench.path("several");
  const layers = writeSmallImage(layout);
  const manifests = ["amd64", "arm64"].map((architecture) => writeManifest(layout, layers, architecture));
  const mediaType = "application/vnd.oci.image.index.v1+json";
  writeIndex(layout, writeDocument(layout, mediaType, { schemaVersion: 2, mediaType, manifests }));
  const image = `${host}/test/image:v2`;
  const copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--dest-tls-verify=false"];
  await mustRun([...copy, `oci:${layout}:latest`, `docker://${image}`]);
  return image;
}

/** The manifest of an artifact or a list as skopeo shows it. */
async function inspect(reference: string) {
  return JSON.parse(await mustRun(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${reference}`]));
}

/** The digests that `clip ls-remote` names. */
async function listed(bench: Workbench, image: string): Promise<{ digest: string; foundBy: string }[]> {
  const lines = (await bench.mustClip(["ls-remote", "--json", "--plain-http", image])).split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

/** Indexes, pushes, and looks at what is stored. @returns What was pushed. */
async function indexAndPush(bench: Workbench, host: string, foundBy: string): Promise<string> {
  const image = await pushImage(bench, host);
  const repository = image.slice(0, image.lastIndexOf(":"));
  await bench.mustClip(["index", "--plain-http", "--progress", "none", image, "-o", "own.clip"]);
  const said = await bench.mustClip(["push", "--plain-http", "own.clip"]);
  assert.match(said, /^pushed own\.clip: \S+ KiB; listed .*\ndocker:\/\/\S+@sha256:[0-9a-f]{64}\n$/);
  const digest = said.trim().split("@")[1]!;
  assert.equal((await bench.mustClip(["push", "--plain-http", "own.clip", image])).trim().split("@")[1], digest);

  const stored = await inspect(`${repository}@${digest}`);
  const manifestDigest = JSON.parse(await bench.mustClip(["inspect", "--json", "own.clip"])).manifest.digest;
  assert.deepEqual([stored.mediaType, stored.artifactType, stored.config.mediaType], [
    MANIFEST,
    TYPE,
    "application/vnd.oci.empty.v1+json",
  ]);
  assert.equal(stored.subject.digest, manifestDigest);
  assert.equal(stored.annotations["vnd.clip.strategy"], "exact");
  assert.equal(stored.layers[0].annotations["org.opencontainers.image.title"], "own.clip");
  assert.deepEqual(await listed(bench, image).then((all) => all.map((each) => [each.digest, each.foundBy])), [
    [digest, foundBy],
  ]);
  if (ORAS !== undefined) {
    const discover = [ORAS, "discover", "--plain-http", "--format", "json", image];
    const { manifests } = JSON.parse(await mustRun(discover));
    assert.deepEqual([manifests[0].digest, manifests[0].artifactType], [digest, TYPE]);
    const folder = bench.directory("oras");
    await mustRun([ORAS, "pull", "--plain-http", `${repository}@${digest}`], { cwd: folder });
    assert.deepEqual(Deno.readFileSync(`${folder}/own.clip`), Deno.readFileSync(bench.path("own.clip")));
  }

  return digest;
}

e2eTest("a registry without the referrers API: its list has a tag, and garbage collection", [
  ...NEEDS,
  "docker-registry",
], async (bench) => {
  const registry = (await startRegistry())!;
  bench.defer(registry.stop);
  const digest = await indexAndPush(bench, registry.host, "referrers tag");
  const image = `${registry.host}/test/image:v1`;
  const { subject } = await inspect(`${registry.host}/test/image@${digest}`);
  const list = await inspect(`${registry.host}/test/image:${subject.digest.replace(":", "-")}`);
  assert.deepEqual(list.manifests.map((entry: { digest: string }) => entry.digest), [digest]);
  assert.equal(list.manifests[0].artifactType, TYPE);

  const second = await secondMachine(bench, registry.host);
  const elsewhere = `${second.host}/test/image:v1`;
  const directory = bench.directory("mnt");
  const logFile = bench.path("mnt.log");
  const options = ["--daemon", "--plain-http", "--pull", "only", "--log-file", logFile, "--log-level", "info"];
  const mounted = await second.clip(["mount", ...options, elsewhere, directory]);
  assert.equal(mounted.code, 0, mounted.stderr);
  assert.match(Deno.readTextFileSync(logFile), /clip: info: the index was pulled artifact=/);
  assert.equal(await mustRun(["cat", `${directory}/etc/motd`]), "hello\n");
  assert.equal((await second.clip(["unmount", directory])).code, 0);
  // The same image in a repository of other people: what was pulled from the one says nothing there.
  const copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
  await mustRun([...copy, `oci:${bench.path("layout")}:latest`, `docker://${registry.host}/other/image:v1`]);
  const other = await second.clip(["warm", "--plain-http", "--pull", "only", `${second.host}/other/image:v1`]);
  assert.match(other.stderr, /^clip: error: docker:\S+: its repository holds no index of it; [^\n]*\n$/);
  // What was made for this machine's registry names the place that the other one pulled it from.
  const verified = await second.clip(["pull", "--plain-http", "--verify-index", elsewhere, "-o", "pulled.clip"]);
  assert.match(verified.stdout, /^pulled\.clip: .*, found by referrers tag, is what the layers say\nsha256:\w+\n$/);
  const { source } = JSON.parse(await bench.mustClip(["inspect", "--json", "pulled.clip"]));
  assert.equal(source, `docker://${second.host}/test/image@${subject.digest}`);

  const pull = async () => {
    const { code, stdout, stderr } = await bench.clip(["pull", "--plain-http", image, "-o", "kept.clip"]);
    return code === 0 ? /found by ([^,\n]*)/.exec(stdout)![1] : stderr;
  };
  await registry.collectGarbage();
  assert.equal(await pull(), "referrers tag", "it is kept while the image lives");
  // Registries that delete what has no tag delete the artifact, but for a tag of its own.
  await registry.collectGarbage("--delete-untagged");
  assert.match((await pull())!, /^clip: .*is listed, but not there/m);
  const again = await bench.mustClip(["push", "--plain-http", "--keep-tag", "--tag", "nightly", "own.clip"]);
  assert.match(again, /, kept as sha256-[0-9a-f]{64}\.clip, kept as nightly\n/);
  await registry.collectGarbage("--delete-untagged");
  assert.equal(await pull(), "referrers tag");
  await bench.mustClip(["pull", "--plain-http", "--artifact", "nightly", image, "-o", "nightly.clip"]);

  const removed = await bench.mustClip(["rm-remote", "--plain-http", image, digest]);
  assert.equal(removed, `removed ${digest}\n`);
  assert.deepEqual(await listed(bench, image), []);
  const imageItself = await bench.clip(["rm-remote", "--plain-http", image, subject.digest]);
  assert.match(imageItself.stderr, /is no index of it/, "images are not removed");
  // One that is no index at all: a machine that may index does so, with a warning; one that may not says what it is.
  const artifacts = new ArtifactRepository({ registry: registry.host, repository: "test/image" }, {
    log: SILENT,
    plainHttp: true,
  });
  const blob = new TextEncoder().encode("no index");
  const about = { artifactType: TYPE, blobType: TYPE, blob, title: "no index", annotations: {} };
  const { mediaType, digest: manifest, size: sizeBytes } = subject;
  await artifacts.push({ ...about, subject: { mediaType, digest: manifest, sizeBytes } }, []);
  artifacts.close();
  const warm = ["warm", "--plain-http", "--progress", "none", image];
  const warmed = await bench.clip(warm, { env: { CLIP_CACHE_DIR: bench.path("cache4") } });
  assert.equal(warmed.code, 0, warmed.stderr);
  assert.match(
    warmed.stderr,
    /^clip: warn: the index of \S+ is not taken from the registry: [^\n]*not a \.clip file\n$/,
  );
  await bench.mustClip(["rm-remote", "--plain-http", "--all", image]);
});

e2eTest("a registry with the referrers API; layers' indexes in a repository of their own", [
  ...NEEDS,
  ...OLAREG_NEEDS,
], async (bench) => {
  const host = await startOlareg(bench);
  const digest = await indexAndPush(bench, host, "referrers API");
  const { layers } = (await inspect(`${host}/test/image:v1`)) as { layers: { digest: string }[] };
  const isOfLayer = (path: string) => layers.some(({ digest }) => path.endsWith(digest));
  const proxy = new FaultProxy(host);
  bench.defer(() => proxy.stop());
  const env = { HOME: bench.directory("home2"), DENO_DIR, CLIP_CACHE_DIR: bench.path("cache2") };
  const mount = await bench.mount(`${proxy.host}/test/image:v1`, "mnt", ["--plain-http", "--pull", "only"], { env });
  // Manifest, config, the list, the artifact, the index.
  assert.equal(proxy.seen.length, 5, proxy.seen.map(({ path }) => path).join("\n"));
  assert.ok(!proxy.seen.some(({ path }) => isOfLayer(path)), "no layer is fetched for the index");
  assert.equal(await mustRun(["cat", `${mount.directory}/etc/motd`]), "hello\n");
  assert.equal(proxy.seen.filter(({ path }) => isOfLayer(path)).length, 1);
  await bench.mustClip(["unmount", mount.directory], { env });
  proxy.seen.length = 0;

  const image = `${host}/test/image:v1`;
  const shared = ["--plain-http", "--progress", "none", "--layer-indexes", `${host}/test/layers`];
  const made = await bench.mustClip(["index", ...shared, "--push", "--use-case", "fast-read", image]);
  assert.match(made, /pushed image-v1\.clip: /);
  assert.equal((await listed(bench, image)).length, 2);
  // Another machine joins layers that it has never seen: nothing of them is fetched.
  const args = ["--plain-http", "--progress", "none", "--layer-indexes", `${proxy.host}/test/layers`];
  const elsewhere = ["--use-case", "fast-read", `${proxy.host}/test/image:v1`, "-o", "joined.clip"];
  assert.match(await bench.mustClip(["index", ...args, ...elsewhere], { env }), /2 of 2 layers reused/);
  assert.ok(proxy.seen.some(({ path }) => path.startsWith("/v2/test/layers/")));
  assert.ok(!proxy.seen.some(({ path }) => path.startsWith("/v2/test/image/blobs/") && isOfLayer(path)));
  assert.match(await bench.mustClip(["verify", "--plain-http", "--index", "joined.clip"]), /all of it is what/);
  await bench.mustClip(["rm-remote", "--plain-http", "--all", image]);
  assert.deepEqual(await listed(bench, image), [], `${digest} is gone`);

  // Of an image for several platforms, each has an index of its own, that belongs to its own manifest.
  const several = await pushSeveral(bench, host);
  const all = await bench.mustClip([
    "index",
    "--plain-http",
    "--progress",
    "none",
    "--push",
    "--all-platforms",
    several,
  ]);
  assert.match(all, /pushed image-v2-linux-amd64\.clip: [^]*pushed image-v2-linux-arm64\.clip: /);
  for (const platform of ["linux/amd64", "linux/arm64"]) {
    const list = await bench.mustClip(["ls-remote", "--json", "--plain-http", "--platform", platform, several]);
    assert.equal(JSON.parse(list).platform, platform);
  }
});
