/** The mounted tree is the one that another program unpacks, wherever the image comes from. */
import assert from "node:assert/strict";
import { compareTrees, listTree, type TreeListing } from "./compare_trees.ts";
import { mustRun } from "./programs.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { IMAGE_NEEDS, type TestImage, testImage } from "./test_image.ts";
import { e2eTest, isRunning, until, type Workbench } from "./workbench.ts";

let expected: TreeListing | undefined;

/** Indexes, mounts, compares everything, and unmounts. @param args Options of `clip index` and `clip mount`. */
async function mountEqualsUnpacked(bench: Workbench, image: TestImage, reference: string, args: string[] = []) {
  await bench.mustClip(["index", ...args, reference, "-o", "image.clip"]);
  const mount = await bench.mount(bench.path("image.clip"), "mnt", args);
  expected ??= await listTree(image.unpacked);
  assert.ok(expected.size > 1000, `${expected.size} files are no Debian`);
  assert.deepEqual(compareTrees(await listTree(mount.directory), expected), []);
  await bench.mustClip(["unmount", mount.directory]);
  assert.deepEqual(bench.mounts(), []);
  assert.ok(await until(() => !isRunning(mount.pid), 5000), "the server is still there after unmounting");
}

e2eTest("an image in a registry", ["/dev/fuse", ...IMAGE_NEEDS, ...REGISTRY_NEEDS], async (bench) => {
  const image = await testImage();
  const { reference } = await publish(bench, image.reference);
  await mountEqualsUnpacked(bench, image, reference, ["--plain-http"]);
});

e2eTest("an image in an OCI layout", ["/dev/fuse", ...IMAGE_NEEDS], async (bench) => {
  const image = await testImage();
  await mountEqualsUnpacked(bench, image, image.reference);
});

e2eTest(
  "an image whose layers are compressed with zstd, one frame each",
  ["/dev/fuse", ...IMAGE_NEEDS],
  async (bench) => {
    const image = await testImage();
    const copy = `oci:${bench.path("zstd")}:latest`;
    const compress = ["--dest-compress-format", "zstd", "--dest-compress-level", "3"];
    await mustRun(["skopeo", "--insecure-policy", "copy", "--quiet", ...compress, image.reference, copy]);
    await mountEqualsUnpacked(bench, image, copy);
    assert.match(await bench.mustClip(["inspect", "image.clip"]), /format +zstd/);
  },
);

for (const transport of ["oci-archive", "docker-archive"]) {
  e2eTest(`an image in ${transport} form`, ["/dev/fuse", ...IMAGE_NEEDS], async (bench) => {
    const image = await testImage();
    const archive = `${transport}:${bench.path("image.tar")}:test/image:v1`;
    await mustRun(["skopeo", "--insecure-policy", "copy", "--quiet", image.reference, archive]);
    await mountEqualsUnpacked(bench, image, archive);
  });
}
