import { createHash } from "node:crypto";
import type { CorpusLayer } from "./corpus.ts";

const TYPE = "application/vnd.oci.image";

/**
 * Writes an OCI layout of these layers to `folder`, which is made; blobs are hard links where that works. Returns the
 * image's name for `clip index`.
 */
export async function makeBenchImage(
  folder: string,
  layers: readonly Pick<CorpusLayer, "path" | "digest" | "diffId" | "compressedBytes">[],
): Promise<string> {
  const blobs = `${folder}/blobs/sha256`;
  await Deno.mkdir(blobs, { recursive: true });
  const write = async (value: unknown, mediaType: string) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const hex = createHash("sha256").update(bytes).digest("hex");
    await Deno.writeFile(`${blobs}/${hex}`, bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  for (const { path, digest } of layers) {
    const blob = `${blobs}/${digest.slice("sha256:".length)}`;
    await Deno.link(path, blob).catch(() => Deno.copyFile(path, blob));
  }
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const rootfs = { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) };
  const config = await write({ os: "linux", architecture, config: {}, rootfs }, `${TYPE}.config.v1+json`);
  const mediaType = `${TYPE}.manifest.v1+json`;
  const manifest = await write({
    schemaVersion: 2,
    mediaType,
    config,
    layers: layers.map(({ digest, compressedBytes: size }) => ({
      mediaType: `${TYPE}.layer.v1.tar+gzip`,
      digest,
      size,
    })),
  }, mediaType);
  const annotations = { "org.opencontainers.image.ref.name": "bench" };
  await Deno.writeTextFile(`${folder}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await Deno.writeTextFile(`${folder}/index.json`, JSON.stringify(index));
  return `oci:${folder}:bench`;
}
