import type { Digest } from "../base/mod.ts";
import { openSource } from "./open_blob_store.ts";
import type { ImageReference } from "./reference.ts";
import type { SourceOptions } from "./source.ts";

/**
 * The digest of the manifest, or of the index of several, that `reference` names now: one request of a registry, where
 * `resolveImage` takes two or three. Equal digests are the same image for the same platform. Undefined for a docker
 * archive, which has none that is of one image alone.
 * @throws {ClipError} as `resolveImage`.
 */
export async function resolveDigest(reference: ImageReference, options: SourceOptions): Promise<Digest | undefined> {
  if (reference.transport === "docker-archive") return undefined;
  const source = await openSource(reference, options);
  try {
    return (await source.root()).digest;
  } finally {
    source.blobs.close();
  }
}
