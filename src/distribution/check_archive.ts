import type { Archive } from "../archive/mod.ts";
import { CorruptError } from "../base/mod.ts";
import { formatPlatform, type Image } from "../oci/mod.ts";

/**
 * Checks that an archive is sound in itself, windows and documents too, and that it names this very image: its
 * manifest, its config and each of its layers by digest, diffId, type and length. Whether what it says of the layers is
 * true, only the layers can tell. @throws {CorruptError} naming the field.
 */
export async function checkArchive(archive: Archive, image: Image): Promise<void> {
  const { image: named } = archive;
  const expect = (field: string, actual: string | number, expected: string | number) => {
    if (actual === expected) return;
    throw new CorruptError({ subject: "archive", source: archive.description, field, actual, expected });
  };
  expect("manifestDigest", named.manifestDigest, image.manifestDigest);
  expect("manifestMediaType", named.manifestMediaType, image.manifestMediaType);
  expect("configDigest", named.configDigest, image.configDigest);
  expect("platform", formatPlatform(named.platform), formatPlatform(image.platform));
  expect("number of layers", named.layers.length, image.layers.length);
  image.layers.forEach((layer, number) => {
    const found = named.layers[number]!;
    expect(`layers[${number}].digest`, found.digest, layer.digest);
    expect(`layers[${number}].diffId`, found.diffId, layer.diffId);
    expect(`layers[${number}].mediaType`, found.mediaType, layer.mediaType);
    expect(`layers[${number}].compressedBytes`, found.compressedBytes, layer.sizeBytes);
  });
  await archive.verify();
}
