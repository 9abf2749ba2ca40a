/** One machine indexes and pushes, another pulls and mounts: on a registry without the referrers API, and on one with it. */
import assert from "node:assert/strict";
import { FaultProxy } from "../fault_proxy.ts";
import { OLAREG_NEEDS, startOlareg } from "../olareg.ts";
import { startRegistry } from "../real_registry.ts";
import { writeSmallImage } from "./oci_layout.ts";
import { mustRun } from "./programs.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", "skopeo"];
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const TYPE = "application/vnd.clip.archive.v1";

/** The image `test/image:v1` in a registry, and the layers' digests. */
async function pushImage(bench: Workbench, host: string): Promise<{ image: string; layers: string[] }> {
  const layers = writeSmallImage(bench.path("layout"));
  const image = `${host}/test/image:v1`;
  const copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
  await mustRun([...copy, `oci:${bench.path("layout")}:latest`, `docker://${image}`]);
  return { image, layers: layers.map(({ digest }) => digest) };
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

/** A machine that has nothing of the first one's: another home, another cache. */
function secondMachine(bench: Workbench): { env: Record<string, string> } {
  return { env: { HOME: bench.directory("home2"), CLIP_CACHE_DIR: bench.path("cache2") } };
}

/** Pushes, looks at what is stored, and mounts elsewhere. @returns What was pushed. */
async function pushAndMount(bench: Workbench, host: string, foundBy: string): Promise<string> {
  const { image, layers } = await pushImage(bench, host);
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

  const proxy = new FaultProxy(host);
  bench.defer(() => proxy.stop());
  const elsewhere = `${proxy.host}/test/image:v1`;
  const second = secondMachine(bench);
  const options = ["--plain-http", "--pull", "only"];
  const mount = await bench.mount(elsewhere, "mnt", options, second);
  assert.match(mount.log(), /clip: info: the index was pulled artifact=/);
  assert.ok(proxy.seen.some(({ path }) => path.endsWith(`/manifests/${digest}`)));
  const ofLayers = () => proxy.seen.filter(({ path }) => layers.some((layer) => path.endsWith(layer)));
  assert.deepEqual(ofLayers(), [], "no layer is fetched for the index");
  // Manifest, config, the list, the artifact, the index; where there is no API, that is asked for in vain.
  assert.equal(proxy.seen.length, foundBy === "referrers API" ? 5 : 6, proxy.seen.map(({ path }) => path).join("\n"));
  assert.equal(await mustRun(["cat", `${mount.directory}/etc/motd`]), "hello\n");
  assert.equal(ofLayers().length, 1);
  await bench.mustClip(["unmount", mount.directory], second);
  return digest;
}

e2eTest("a registry without the referrers API: its list has a tag, and garbage collection", [
  ...NEEDS,
  "docker-registry",
], async (bench) => {
  const registry = (await startRegistry())!;
  bench.defer(registry.stop);
  const digest = await pushAndMount(bench, registry.host, "referrers tag");
  const image = `${registry.host}/test/image:v1`;
  const { subject } = await inspect(`${registry.host}/test/image@${digest}`);
  const list = await inspect(`${registry.host}/test/image:${subject.digest.replace(":", "-")}`);
  assert.deepEqual(list.manifests.map((entry: { digest: string }) => entry.digest), [digest]);
  assert.equal(list.manifests[0].artifactType, TYPE);

  // What comes from the other machine is written down as fetched from where this one pulled it.
  const proxy = new FaultProxy(registry.host);
  bench.defer(() => proxy.stop());
  const verified = ["pull", "--plain-http", "--verify-index", `${proxy.host}/test/image:v1`, "-o", "pulled.clip"];
  const found = /^pulled\.clip: .*, found by referrers tag, is what the layers say\n(sha256:\w+)\n$/;
  assert.equal(found.exec(await bench.mustClip(verified, secondMachine(bench)))?.[1], digest);
  const { source } = JSON.parse(await bench.mustClip(["inspect", "--json", "pulled.clip"]));
  assert.equal(source, `docker://${proxy.host}/test/image@${subject.digest}`);

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
  const other = await bench.clip(["rm-remote", "--plain-http", image, subject.digest]);
  assert.match(other.stderr, /is no index of it/, "images are not removed");
  const none = await bench.clip(["mount", "--plain-http", "--pull", "only", image, bench.directory("none")], {
    env: { CLIP_CACHE_DIR: bench.path("cache3") },
  });
  assert.match(none.stderr, /^clip: error: docker:\S+: its repository holds no index of it; [^\n]*\n$/);
});

e2eTest("a registry with the referrers API; layers' indexes in a repository of their own", [
  ...NEEDS,
  ...OLAREG_NEEDS,
], async (bench) => {
  const host = await startOlareg(bench);
  const digest = await pushAndMount(bench, host, "referrers API");
  const { layers } = (await inspect(`${host}/test/image:v1`)) as { layers: { digest: string }[] };
  const isOfLayer = (path: string) => layers.some(({ digest }) => path.endsWith(digest));
  const image = `${host}/test/image:v1`;
  const shared = ["--plain-http", "--progress", "none", "--layer-indexes", `${host}/test/layers`];
  const made = await bench.mustClip(["index", ...shared, "--push", "--use-case", "fast-read", image]);
  assert.match(made, /pushed image-v1\.clip: /);
  assert.equal((await listed(bench, image)).length, 2);
  // Another machine joins layers that it has never seen: nothing of them is fetched.
  const proxy = new FaultProxy(host);
  bench.defer(() => proxy.stop());
  const args = ["--plain-http", "--progress", "none", "--layer-indexes", `${proxy.host}/test/layers`];
  const env = { HOME: bench.directory("home3"), CLIP_CACHE_DIR: bench.path("cache3") };
  const elsewhere = ["--use-case", "fast-read", `${proxy.host}/test/image:v1`, "-o", "joined.clip"];
  assert.match(await bench.mustClip(["index", ...args, ...elsewhere], { env }), /2 of 2 layers reused/);
  assert.ok(!proxy.seen.some(({ path }) => path.startsWith("/v2/test/image/blobs/") && isOfLayer(path)));
  assert.match(await bench.mustClip(["verify", "--plain-http", "--index", "joined.clip"]), /all of it is what/);
  await bench.mustClip(["rm-remote", "--plain-http", "--all", image]);
  assert.deepEqual(await listed(bench, image), [], `${digest} is gone`);
});
