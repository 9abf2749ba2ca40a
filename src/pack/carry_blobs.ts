import {
  type Digest,
  digestAlgorithm,
  Digester,
  DigestMismatchError,
  type PlacedFile,
  type RangeSource,
} from "../base/mod.ts";
import { type Archive, DataArchiveWriter, type LayerInfo } from "../archive/mod.ts";
import { verifyLayers } from "../content/mod.ts";

/** What {@linkcode carryBlobs} works with. */
export interface CarryOptions {
  /** The blob of a layer, by number. */
  readonly blob: (layer: number) => RangeSource;
  /** Ends it, with its reason. */
  readonly signal: AbortSignal;
  /** Told after each piece: bytes of blobs that are there, of how many. */
  readonly onProgress?: (doneBytes: number, allBytes: number) => void;
}

/**
 * Writes `archive` with the blobs of its layers to `file`, as they are, each once; the length of that. All else stays as
 * it is, so that caches, profile and manifest fit as before. Each blob is compared with its digest; of those whose own
 * digest nobody knows, every span is verified first.
 * @throws {DigestMismatchError} where a blob is not the one that the image names. @throws {ClipError}
 */
export async function carryBlobs(
  archive: Archive,
  file: PlacedFile,
  { blob, signal, onProgress }: CarryOptions,
): Promise<number> {
  const { layers } = archive.image;
  if (layers.some(isNamedByContents)) await verifyLayers(archive, { blob, signal });
  const writer = new DataArchiveWriter(file, { hasProfile: archive.profile.length > 0 });
  const firsts = [...new Map(layers.map((layer, number) => [layer.digest, number] as const).reverse()).values()].sort(
    (one, other) => one - other,
  );
  const allBytes = firsts.reduce((sum, number) => sum + layers[number]!.compressedBytes, 0);
  for (const number of firsts) {
    const layer = layers[number]!;
    const source = blob(number);
    const digester = new Digester(digestAlgorithm(layer.digest));
    for await (const piece of source.stream({ offset: 0, endExclusive: layer.compressedBytes, signal })) {
      digester.update(piece);
      await writer.add(piece);
      onProgress?.(writer.dataBytes, allBytes);
    }
    const actual: Digest = digester.digest();
    if (actual === layer.digest || isNamedByContents(layer)) continue;
    throw new DigestMismatchError(source.description, { digest: layer.digest, actual });
  }
  return await writer.finish(await archive.packedSections());
}

/** Whether the digest is of the plain stream, as in files that docker saved, and not of the blob. */
function isNamedByContents({ digest, diffId, codec }: LayerInfo): boolean {
  return digest === diffId && codec !== "none";
}
