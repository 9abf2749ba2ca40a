import assert from "node:assert/strict";
import { compareTrees, listTree } from "./compare_trees.ts";
import { expectFailure } from "./expect_failure.ts";
import { ARCHITECTURE, blobPath, GZIP_LAYER, writeImage, writeLayer } from "./oci_layout.ts";
import { mustRun } from "./programs.ts";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { e2eTest, until } from "./workbench.ts";

e2eTest("convert: an image's archive that carries its layers needs no source; the blobs are the image's", [
  "/dev/fuse",
  ...IMAGE_NEEDS,
], async (bench) => {
  const image = await testImage();
  const layout = bench.path("layout");
  await mustRun(["cp", "-r", image.layout, layout]);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", "image.clip"]);
  assert.match(
    await bench.mustClip(["convert", "--progress", "none", "image.clip", "-o", "whole.clip"]),
    /^whole\.clip: [\d.]+ MiB with \d+ layers, /,
  );
  await bench.mustClip(["convert", "--progress", "none", `oci:${layout}:latest`, "-o", "same.clip"]);
  await mustRun(["cmp", "whole.clip", "same.clip"], { cwd: bench.folder });
  // Stopped or killed, it leaves what was there.
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    const running = bench.spawnClip(["convert", "image.clip", "-o", "same.clip"]);
    await until(() => bench.names().some((name) => name.endsWith(".tmp")), 10_000);
    running.kill(signal);
    await running.ended;
    for (const name of bench.names().filter((name) => name.endsWith(".tmp"))) await Deno.remove(bench.path(name));
    await mustRun(["cmp", "whole.clip", "same.clip"], { cwd: bench.folder });
  }
  await Deno.remove(layout, { recursive: true });
  await bench.mustClip(["cache", "rm", "--all"]).catch(() => {});
  assert.match(await bench.mustClip(["verify", "--layers", "whole.clip"]), /spans of .* that it carries are right\n$/);
  const mount = await bench.mount("whole.clip", "mounted", ["--cache-dir", bench.path("empty"), "--offline"]);
  assert.deepEqual(compareTrees(await listTree(mount.directory), await listTree(image.unpacked)), []);
  await mustRun(["umount", mount.directory]);
  await expectFailure(bench, ["convert", "whole.clip", "-o", "x.clip"], {
    code: 2,
    message: /carries its data already$/,
  });
});

e2eTest("convert: a blob that is not the image's is refused, and the old file stays", [], async (bench) => {
  const layout = bench.path("layout");
  const layer = writeLayer(layout, [{ path: "file", data: new Uint8Array(5000).fill(1) }]);
  writeImage(layout, [layer, { ...layer, mediaType: GZIP_LAYER }], ARCHITECTURE);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", "image.clip"]);
  await bench.mustClip(["convert", "image.clip", "-o", "whole.clip"]);
  const [index, whole] = ["image.clip", "whole.clip"].map((name) => Deno.statSync(bench.path(name)).size) as [
    number,
    number,
  ];
  assert.ok(whole < index + layer.sizeBytes + 100, "a layer that the image has twice is there once");
  await bench.mustClip(["verify", "--layers", "whole.clip"]);
  const path = blobPath(layout, layer.digest);
  const blob = await Deno.readFile(path);
  blob[blob.length - 9]! ^= 1;
  await Deno.writeFile(path, blob);
  await expectFailure(bench, ["convert", "image.clip", "-o", "whole.clip"], {
    code: 1,
    message: /digest mismatch: found/,
  });
  await bench.mustClip(["verify", "--layers", "whole.clip"]);
  // In the archive itself: found by verify, and at the read; nothing wrong is given.
  const bytes = await Deno.readFile(bench.path("whole.clip"));
  bytes[64 + 13 * 64 + layer.sizeBytes - 60]! ^= 1;
  await Deno.writeFile(bench.path("whole.clip"), bytes);
  const damaged = /data section digest at byte 896/;
  await expectFailure(bench, ["verify", "whole.clip"], { code: 1, message: damaged });
  const { code, stdout } = await bench.clip(["cat", "--cache-dir", "none", "whole.clip", "/file"]);
  assert.deepEqual([code, stdout], [1, ""]);
});
