import assert from "node:assert/strict";
import { type ErrorCode, sha256, verifyDigest } from "../../src/base/mod.ts";
import {
  formatImageReference,
  type Image,
  openBlobStore,
  parseImageReference,
  parsePlatform,
  resolveImage,
} from "../../src/oci/mod.ts";
import { noise } from "./fake_registry.ts";
import { makeUmociLayout, withFolder } from "./make_layout.ts";
import { assertBytes, collect, failure, haveOrSkip, quickOptions, runProgram } from "./test_support.ts";

async function resolve(text: string, platform = "linux/amd64"): Promise<Image> {
  const options = { ...quickOptions(), platform: parsePlatform(platform) };
  const { image, blobs } = await resolveImage(parseImageReference(text), options);
  blobs.close();
  return image;
}

async function refused(text: string, code: ErrorCode, pattern: RegExp): Promise<void> {
  assert.match((await failure(() => resolve(text), code)).message, pattern);
}

async function layerBytes(image: Image): Promise<Uint8Array[]> {
  const blobs = await openBlobStore(image.pinnedReference, quickOptions());
  try {
    const all: Uint8Array[] = [];
    for (const layer of image.layers) all.push(await collect(blobs.layer(layer)));
    return all;
  } finally {
    blobs.close();
  }
}

/** One image of an archive written by hand. */
interface HandMade {
  layers: Uint8Array[];
  tags?: string[] | null;
  /** Turned into `manifest.json` by default; see `writeArchive`. */
  configName?: string;
  architecture?: string;
}

/** Writes a docker archive of `images` with tar(1): layer files are `0-0/layer.tar`, `0-1/layer.tar`… */
async function writeArchive(
  folder: string,
  images: HandMade[],
  change: (manifest: Record<string, unknown>[], root: string) => void = () => {},
): Promise<string> {
  const root = await Deno.makeTempDir({ dir: folder });
  const manifest = images.map(({ layers, tags = null, configName, architecture = "amd64" }, imageIndex) => {
    const config = JSON.stringify({
      os: "linux",
      architecture,
      rootfs: { type: "layers", diff_ids: layers.map((layer) => sha256(layer)) },
    });
    const name = configName ?? `${sha256(new TextEncoder().encode(config)).slice(7)}.json`;
    Deno.writeTextFileSync(`${root}/${name}`, config);
    const names = layers.map((bytes, index) => {
      Deno.mkdirSync(`${root}/${imageIndex}-${index}`);
      Deno.writeFileSync(`${root}/${imageIndex}-${index}/layer.tar`, bytes);
      return `${imageIndex}-${index}/layer.tar`;
    });
    return { Config: name, RepoTags: tags, Layers: names };
  });
  change(manifest, root);
  Deno.writeTextFileSync(`${root}/manifest.json`, JSON.stringify(manifest));
  const path = `${root}.tar`;
  await runProgram("tar", "-C", root, "-cf", path, ".");
  return path;
}

Deno.test("an archive that skopeo wrote", async () => {
  if (!haveOrSkip("a docker archive by skopeo", "umoci", "skopeo", "gzip")) return;
  await withFolder(async (folder) => {
    const layout = await makeUmociLayout(folder);
    await runProgram("skopeo", "copy", `oci:${layout}:v1`, `docker-archive:${folder}/image.tar:busybox:1`);
    const image = await resolve(`docker-archive:${folder}/image.tar`);
    const original = await resolve(`oci:${layout}:v1`);
    assert.deepEqual(image.layers.map(({ diffId }) => diffId), original.layers.map(({ diffId }) => diffId));
    assert.equal(
      formatImageReference(image.pinnedReference),
      `docker-archive:${folder}/image.tar:docker.io/library/busybox:1`,
    );
    for (const [index, bytes] of (await layerBytes(image)).entries()) {
      verifyDigest(bytes, image.layers[index]!.diffId, "layer");
    }
    assert.equal((await resolve(`docker-archive:${folder}/image.tar:busybox:1`)).configDigest, image.configDigest);
    await refused(
      `docker-archive:${folder}/image.tar:busybox`,
      "not_found",
      /there are docker\.io\/library\/busybox:1$/,
    );
    await refused(`oci-archive:${folder}/image.tar`, "not_found", /use docker-archive:/);
    await runProgram("skopeo", "copy", `oci:${layout}:v1`, `oci-archive:${folder}/oci.tar`);
    await refused(`docker-archive:${folder}/oci.tar`, "not_found", /use oci-archive:/);
  });
});

Deno.test("layers are found by position: duplicates, symlinks, hard links, gzip", () =>
  withFolder(async (folder) => {
    const layers = [noise(1000, 1), noise(600, 2), noise(1000, 1), noise(700, 3)];
    const path = await writeArchive(folder, [{ layers }], (_, root) => {
      Deno.removeSync(`${root}/0-2/layer.tar`);
      Deno.symlinkSync("../0-0/layer.tar", `${root}/0-2/layer.tar`);
      Deno.linkSync(`${root}/0-1/layer.tar`, `${root}/aaa`);
      const gzip = new Deno.Command("gzip", { args: [`${root}/0-3/layer.tar`] }).outputSync();
      assert(gzip.success);
      Deno.renameSync(`${root}/0-3/layer.tar.gz`, `${root}/0-3/layer.tar`);
    });
    const image = await resolve(`docker-archive:${path}`);
    const found = await layerBytes(image);
    for (const index of [0, 1, 2]) assertBytes(found[index]!, layers[index]!);
    assert.equal(found[3]![0], 0x1f);
    assert.deepEqual(image.layers.map(({ mediaType }) => mediaType.split(".v1.")[1]), [
      "tar",
      "tar",
      "tar",
      "tar+gzip",
    ]);
    assert(image.layers.every(({ digest, diffId }) => digest === diffId));
    assert.equal(sha256(image.manifestBytes), image.manifestDigest);
    assert.equal(formatImageReference(image.pinnedReference), `docker-archive:${path}`);
    const blobs = await openBlobStore(image.pinnedReference, quickOptions());
    const layer = image.layers[0]!;
    await failure(() => blobs.layer({ ...layer, diffId: image.configDigest }), "not_found");
    await failure(() => blobs.layer({ ...layer, sizeBytes: 5 }), "corrupt");
    blobs.close();
  }));

Deno.test("of several images the tag decides", () =>
  withFolder(async (folder) => {
    const path = await writeArchive(folder, [
      { layers: [noise(10, 1)], tags: ["a:1", "not a reference"] },
      { layers: [noise(10, 2)], tags: ["a:2", "quay.io/b/c:3"] },
    ]);
    const second = await resolve(`docker-archive:${path}:a:2`);
    assertBytes((await layerBytes(second))[0]!, noise(10, 2));
    assert.equal((await resolve(`docker-archive:${path}:quay.io/b/c:3`)).configDigest, second.configDigest);
    const twice = await writeArchive(folder, [1, 2].map((seed) => ({ layers: [noise(10, seed)], tags: ["a:1"] })));
    assert.equal((await resolve(`docker-archive:${twice}:a:1`)).configDigest, second.configDigest);
    const listed =
      /means one of 2 images: add a :NAME:TAG; there are docker\.io\/library\/a:1, docker\.io\/library\/a:2, quay/;
    await refused(`docker-archive:${path}`, "usage", listed);
  }));

Deno.test("what is wrong in an archive", () =>
  withFolder(async (folder) => {
    const image = { layers: [noise(10, 1)] };
    const broken = (change: Parameters<typeof writeArchive>[2], handMade: HandMade = image) => {
      return writeArchive(folder, [handMade], change).then((path) => `docker-archive:${path}`);
    };
    await refused(await broken((m) => m[0]!["Layers"] = ["x/layer.tar"]), "not_found", /holds no file x\/layer\.tar/);
    await refused(await broken((m) => m[0]!["Layers"] = []), "corrupt", /number of rootfs\.diff_ids/);
    await refused(await broken((m) => m[0]!["Layers"] = [5]), "corrupt", /Layers\[0\]/);
    await refused(await broken((m) => delete m[0]!["Config"]), "corrupt", /Config/);
    await refused(await broken((m) => m[0]!["Config"] = "../../etc/passwd"), "not_found", /etc\/passwd/);
    await refused(await broken((m) => m.pop()), "not_found", /holds no images/);
    await refused(
      await broken(undefined, { ...image, configName: `${"0".repeat(64)}.json` }),
      "digest_mismatch",
      /0000/,
    );
    await refused(
      await broken(undefined, { ...image, architecture: "arm64" }),
      "not_found",
      /for linux\/arm64, not for/,
    );
    const loop = await broken((m, root) => {
      m[0]!["Layers"] = ["a"];
      Deno.symlinkSync("b", `${root}/a`);
      Deno.symlinkSync("a", `${root}/b`);
    });
    await refused(loop, "not_found", /holds no file a$/);
    const other = await broken((m) => m[0]!["Layers"] = "x");
    await refused(other, "corrupt", /Layers/);
    await runProgram("gzip", other.slice("docker-archive:".length));
    await refused(`${other}.gz`, "unsupported", /gunzip/);
  }));
