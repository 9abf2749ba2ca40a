import assert from "node:assert/strict";
import { type ErrorCode, type RangeSource, verifyDigest } from "../../src/base/mod.ts";
import {
  formatImageReference,
  type Image,
  openBlobStore,
  parseImageReference,
  parsePlatform,
  resolveImage,
} from "../../src/oci/mod.ts";
import { LayoutWriter, makeUmociLayout, withFolder } from "./make_layout.ts";
import { assertBytes, collect, failure, haveOrSkip, quickOptions, runProgram } from "./test_support.ts";

async function resolve(text: string, platform = "linux/amd64"): Promise<Image> {
  const options = { ...quickOptions(), platform: parsePlatform(platform) };
  const { image, blobs } = await resolveImage(parseImageReference(text), options);
  blobs.close();
  return image;
}

async function refused(text: string, code: ErrorCode, pattern: RegExp): Promise<void> {
  const error = await failure(() => resolve(text), code);
  assert.match(error.message, pattern);
}

/** Reads all layers of a reference twice, by stream and by ranges, and verifies them. */
async function readLayers(text: string): Promise<Image> {
  const image = await resolve(text);
  const blobs = await openBlobStore(image.pinnedReference, quickOptions());
  const read: RangeSource[] = [];
  try {
    for (const layer of image.layers) {
      const blob = blobs.layer(layer);
      read.push(blob);
      const bytes = await collect(blob);
      verifyDigest(bytes, layer.digest, "layer");
      const middle = { offset: Math.floor(bytes.length / 3), endExclusive: bytes.length - 1 };
      assertBytes(await blob.readRange(middle), bytes.slice(middle.offset, middle.endExclusive));
    }
  } finally {
    blobs.close();
  }
  for (const blob of read) await failure(() => blob.readRange({ offset: 0, endExclusive: 1 }), "aborted");
  return image;
}

Deno.test("layouts that umoci and skopeo wrote, as folder and as archive", async () => {
  if (!haveOrSkip("layouts by umoci and skopeo", "umoci", "skopeo")) return;
  await withFolder(async (folder) => {
    const layout = await makeUmociLayout(folder);
    const image = await readLayers(`oci:${layout}:v1`);
    assert.equal(image.layers.length, 2);
    assert(image.layers.every(({ mediaType }) => mediaType.endsWith("tar+gzip")));
    assert.equal(formatImageReference(image.pinnedReference), `oci:${layout}@${image.manifestDigest}`);
    await runProgram("skopeo", "copy", `oci:${layout}:v1`, `oci-archive:${folder}/image.tar:v2`);
    const archived = await readLayers(`oci-archive:${folder}/image.tar:v2`);
    assert.deepEqual(archived.layers, image.layers);
    assert.deepEqual((await readLayers(`oci-archive:${folder}/image.tar`)).layers, image.layers);
    await runProgram("gzip", `${folder}/image.tar`);
    await refused(
      `oci-archive:${folder}/image.tar.gz`,
      "unsupported",
      /compressed with gzip; decompress it first, with gunzip/,
    );
  });
});

Deno.test("one image needs no tag; of several the tag decides, and is asked for with a list", () =>
  withFolder(async (folder) => {
    const layout = new LayoutWriter(`${folder}/l`);
    await refused(`oci:${folder}/l`, "not_found", /holds no image$/);
    const first = layout.addImage({ seed: 1 });
    const second = layout.addImage({ seed: 2 });
    layout.addEntry(first, "a");
    assert.equal((await resolve(`oci:${folder}/l`)).manifestDigest, first.digest);
    layout.addEntry(first, "same-image");
    assert.equal((await resolve(`oci:${folder}/l`)).manifestDigest, first.digest);
    layout.addEntry(second, "docker.io/library/b:1");
    await refused(
      `oci:${folder}/l`,
      "usage",
      /means one of 2 images: add a :TAG or @DIGEST; there are a, docker\.io\/library\/b:1$/,
    );
    await refused(`oci:${folder}/l:c`, "not_found", /no image with the tag c; there are a, same-image, docker/);
    assert.equal((await resolve(`oci:${folder}/l:docker.io/library/b:1`)).manifestDigest, second.digest);
    assert.equal((await resolve(`oci:${folder}/l@${second.digest}`)).manifestDigest, second.digest);
    layout.entries = [];
    layout.writeIndex();
    assert.equal((await resolve(`oci:${folder}/l@${second.digest}`)).manifestDigest, second.digest);
    await refused(`oci:${folder}/l@sha256:${"0".repeat(64)}`, "not_found", /blobs\/sha256\/0000/);
  }));

Deno.test("several entries may be one image for several platforms, if they say so", () =>
  withFolder(async (folder) => {
    const layout = new LayoutWriter(`${folder}/l`);
    const amd64 = { os: "linux", architecture: "amd64" };
    const arm64 = { os: "linux", architecture: "arm64" };
    const images = [amd64, arm64].map((platform) => ({ ...layout.addImage({ platform }), platform }));
    for (const tag of ["v1", undefined]) {
      layout.entries = [];
      for (const image of images) layout.addEntry(image, tag);
      const text = tag === undefined ? `oci:${folder}/l` : `oci:${folder}/l:${tag}`;
      assert.equal((await resolve(text, "linux/arm64")).manifestDigest, images[1]!.digest);
      assert.equal((await resolve(text, "linux/amd64")).manifestDigest, images[0]!.digest);
      await failure(() => resolve(text, "linux/386"), "not_found");
    }
    layout.addEntry({ ...layout.addImage({ seed: 8 }), platform: amd64 });
    await refused(`oci:${folder}/l`, "usage", /one of 3 images/);
    const { platform: _, ...silent } = images[1]!;
    layout.entries = [images[0]!, silent];
    layout.writeIndex();
    await refused(`oci:${folder}/l`, "usage", /one of 2 images/);
  }));

Deno.test("an index in the layout leads to its images", () =>
  withFolder(async (folder) => {
    const layout = new LayoutWriter(`${folder}/l`);
    const image = layout.addImage();
    const mediaType = "application/vnd.oci.image.index.v1+json";
    layout.addEntry(layout.addJson({ schemaVersion: 2, mediaType, manifests: [image] }, mediaType), "v1");
    assert.equal((await resolve(`oci:${folder}/l:v1`)).manifestDigest, image.digest);
  }));

Deno.test("what is not there, or is no layout, is named", () =>
  withFolder(async (folder) => {
    await refused(
      `oci:${folder}/none`,
      "not_found",
      /none is no OCI layout: cannot read .*none\/oci-layout: it does not exist/,
    );
    await refused(`oci-archive:${folder}/none`, "not_found", /none: it does not exist/);
    await refused(`oci-archive:${folder}`, "io", /not a regular file/);
    const layout = new LayoutWriter(`${folder}/l`);
    const image = layout.addImage();
    layout.addEntry(image);
    Deno.writeTextFileSync(`${folder}/l/oci-layout`, '{"imageLayoutVersion":"2.0.0"}');
    await refused(`oci:${folder}/l`, "unsupported", /version 2\.0\.0/);
    Deno.writeTextFileSync(`${folder}/l/oci-layout`, "{");
    await refused(`oci:${folder}/l`, "corrupt", /JSON/);
    Deno.writeTextFileSync(`${folder}/l/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    Deno.removeSync(`${folder}/l/index.json`);
    await refused(`oci:${folder}/l`, "not_found", /index\.json: it does not exist/);
  }));

Deno.test("blobs of another size or content than promised", () =>
  withFolder(async (folder) => {
    const layout = new LayoutWriter(`${folder}/l`);
    const image = layout.addImage();
    layout.addEntry(image);
    const path = layout.blobPath(image.digest);
    const bytes = Deno.readFileSync(path);
    const resolved = await resolve(`oci:${folder}/l`);
    Deno.writeFileSync(path, bytes.map((byte, at) => at === 100 ? byte ^ 1 : byte));
    await refused(`oci:${folder}/l`, "digest_mismatch", /digest mismatch/);
    Deno.writeFileSync(path, bytes.subarray(1));
    await refused(`oci:${folder}/l`, "corrupt", /bytes, expected/);
    layout.entries = [{ ...image, size: 9 * 1024 * 1024 }];
    layout.writeIndex();
    await refused(`oci:${folder}/l`, "limit", /at most/);

    const blobs = await openBlobStore(resolved.pinnedReference, quickOptions());
    try {
      const layer = resolved.layers[0]!;
      const blob = blobs.layer(layer);
      Deno.truncateSync(layout.blobPath(layer.digest), 1000);
      await failure(() => blob.readRange({ offset: 0, endExclusive: 10 }), "corrupt");
      Deno.removeSync(layout.blobPath(layer.digest));
      await failure(
        () => blobs.layer({ ...layer, digest: resolved.configDigest }).readRange({ offset: 0, endExclusive: 1 }),
        "corrupt",
      );
      const gone = blobs.layer({ ...layer, digest: `sha256:${"0".repeat(64)}` as typeof layer.digest });
      await failure(() => collect(gone), "not_found");
    } finally {
      blobs.close();
    }
  }));

Deno.test("relative paths are pinned as absolute ones", () =>
  withFolder(async (folder) => {
    new LayoutWriter(`${folder}/l`).addEntry(new LayoutWriter(`${folder}/l`).addImage());
    const before = Deno.cwd();
    try {
      Deno.chdir(folder);
      const { pinnedReference } = await resolve("oci:l");
      assert.equal(formatImageReference(pinnedReference).split("@")[0], `oci:${Deno.cwd()}/l`);
    } finally {
      Deno.chdir(before);
    }
  }));
