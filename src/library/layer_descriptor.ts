import type { Archive } from "../archive/mod.ts";
import type { LayerDescriptor } from "../oci/mod.ts";

/** What the blob of an archive's layer is, for whoever has blobs. */
export function layerDescriptor(
  { image }: Archive,
  layer: number,
): Pick<LayerDescriptor, "digest" | "diffId" | "sizeBytes"> {
  const { digest, diffId, compressedBytes } = image.layers[layer]!;
  return { digest, diffId, sizeBytes: compressedBytes };
}
