/** What images may be made of, and what is refused: manifests, indexes, configs, kinds of layers. */
import assert from "node:assert/strict";
import { expectFailure } from "../e2e/expect_failure.ts";
import {
  ARCHITECTURE,
  blobPath,
  type LayoutDocument,
  type LayoutLayer,
  writeDocument,
  writeImage,
  writeIndex,
  writeManifest,
  writeTarLayer,
} from "../e2e/oci_layout.ts";
import { e2eTest, type Workbench } from "../e2e/workbench.ts";
import { tar } from "../tar/tar_builder.ts";
import { file, hardLink, whiteout } from "./entries.ts";

const OCI = "application/vnd.oci.image";
const DOCKER = "application/vnd.docker";
const OTHER_ARCHITECTURE = ARCHITECTURE === "arm64" ? "amd64" : "arm64";

/** The paths in the image that the layout holds. */
async function pathsOf(bench: Workbench): Promise<string[]> {
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "image.clip", "--progress", "none"]);
  return (await bench.mustClip(["ls", "-R", "image.clip"])).split("\n").filter((line) => line.includes("file-"));
}

/** Asserts that the image that the layout holds cannot be indexed. */
function refused(bench: Workbench, message: RegExp): Promise<void> {
  const args = ["index", `oci:${bench.path("layout")}:latest`, "-o", "refused.clip", "--progress", "none"];
  return expectFailure(bench, args, { code: 1, message });
}

function oneFile(bench: Workbench, name: string, mediaType = `${OCI}.layer.v1.tar+gzip`): LayoutLayer {
  return writeTarLayer(bench.path("layout"), tar(file(name, "x")), { mediaType });
}

e2eTest("image forms: one layer several times, layers without entries, and none of any kind", [], async (bench) => {
  const layout = bench.path("layout");
  const layers = [
    oneFile(bench, "file-a"),
    writeTarLayer(layout, tar(whiteout(".wh.file-a"), file("file-b", "x"))),
    writeTarLayer(layout, tar()),
    writeTarLayer(layout, new Uint8Array(0)),
  ];
  const [a, b, empty, nothing] = layers as [LayoutLayer, LayoutLayer, LayoutLayer, LayoutLayer];
  writeImage(layout, [a, b, a, empty, nothing, empty], ARCHITECTURE);
  assert.deepEqual(await pathsOf(bench), ["file-a", "file-b"]);
  writeImage(layout, [a, a, b], ARCHITECTURE);
  assert.deepEqual(await pathsOf(bench), ["file-b"]);
});

e2eTest("image forms: layers that are not distributed are read where they are, and else named", [], async (bench) => {
  const types = [`${OCI}.layer.nondistributable.v1.tar+gzip`, `${DOCKER}.image.rootfs.foreign.diff.tar.gzip`];
  const layers = types.map((type, i) => oneFile(bench, `file-${i}`, type));
  writeImage(bench.path("layout"), layers, ARCHITECTURE);
  assert.deepEqual(await pathsOf(bench), ["file-0", "file-1"]);
  Deno.removeSync(blobPath(bench.path("layout"), layers[1]!.digest));
  Deno.removeSync(bench.cacheDir, { recursive: true });
  await refused(bench, new RegExp(`layer 1 \\(${layers[1]!.digest}\\) is of a type that is not distributed.*foreign`));
});

e2eTest("image forms: an index with other platforms and attestations", [], async (bench) => {
  const layout = bench.path("layout");
  const image = writeManifest(layout, [oneFile(bench, "file-mine")], ARCHITECTURE);
  const other = writeManifest(layout, [oneFile(bench, "file-other")], OTHER_ARCHITECTURE);
  const attestation = (of: LayoutDocument) => ({
    ...writeManifest(layout, [oneFile(bench, "file-attestation", "application/vnd.in-toto+json")], "unknown"),
    platform: { os: "unknown", architecture: "unknown" },
    annotations: { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of.digest },
  });
  const manifests = [attestation(image), attestation(other), other, image];
  const index = { schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests };
  writeIndex(layout, writeDocument(layout, index.mediaType, index));
  assert.deepEqual(await pathsOf(bench), ["file-mine"]);
});

e2eTest("image forms: Docker's manifest of schema 2", [], async (bench) => {
  const layer = oneFile(bench, "file-docker", `${DOCKER}.image.rootfs.diff.tar.gzip`);
  const types = {
    manifest: `${DOCKER}.distribution.manifest.v2+json`,
    config: `${DOCKER}.container.image.v1+json`,
  };
  writeIndex(bench.path("layout"), writeManifest(bench.path("layout"), [layer], ARCHITECTURE, types));
  assert.deepEqual(await pathsOf(bench), ["file-docker"]);
});

e2eTest("image forms: what is refused, and how", [], async (bench) => {
  const layout = bench.path("layout");
  const { digest, sizeBytes, mediaType } = oneFile(bench, "file");
  const layers = [{ mediaType, digest, size: sizeBytes }];
  const manifestType = `${OCI}.manifest.v1+json`;
  const manifest = (type: string, config: unknown, more = {}) => {
    const value = { schemaVersion: 2, mediaType: manifestType, config: writeDocument(layout, type, config), layers };
    writeIndex(layout, writeDocument(layout, manifestType, { ...value, ...more }));
  };
  const platform = { os: "linux", architecture: ARCHITECTURE };

  manifest(`${OCI}.config.v1+json`, { ...platform, rootfs: { type: "layers" } });
  await refused(bench, /number of rootfs\.diff_ids.*expected one for each of 1 layers/);
  manifest(`${OCI}.config.v1+json`, platform);
  await refused(bench, /rootfs.*expected an object/);
  manifest("application/vnd.example.chart.v1+json", {});
  await refused(bench, /an artifact with a config of type .*example\.chart.*, not an image/);
  manifest("application/vnd.oci.empty.v1+json", {}, { artifactType: "application/vnd.example" });
  await refused(bench, /an artifact with a config of type .*empty/);

  const schema1 = `${DOCKER}.distribution.manifest.v1+prettyjws`;
  writeIndex(layout, writeDocument(layout, schema1, { schemaVersion: 1, name: "x", tag: "latest", fsLayers: [] }));
  await refused(bench, /no image|schema 1/);

  const unlinked = writeTarLayer(layout, tar(hardLink("a/link", "b/target")));
  writeImage(layout, [unlinked], ARCHITECTURE);
  await refused(bench, /layer 0, entry a\/link: bad hard link target: found b\/target/);
});
