import type { ArtifactRepository, Descriptor } from "../oci/mod.ts";
import { CorruptError, type Digest } from "../base/mod.ts";
import { ARCHIVE_TYPE, keptTag } from "./archive_artifact.ts";

/** How an archive is found. */
export type FoundBy = "referrers API" | "referrers tag" | "kept tag" | "its name";

/** An archive in a registry. */
export interface ListedArchive {
  /** Of the artifact's manifest. */
  readonly entry: Descriptor;
  /** How it was found. */
  readonly foundBy: FoundBy;
}

/**
 * The archives of an image: those that the registry lists, or else those that are listed under the referrers' tag; and
 * the one under the kept tag, where that is none of them: so it is found after the list is lost. @throws {ClipError}
 */
export async function listArchives(repository: ArtifactRepository, manifest: Digest): Promise<ListedArchive[]> {
  const { entries, kept } = await repository.list(manifest, ARCHIVE_TYPE);
  const foundBy = kept === "api" ? "referrers API" : "referrers tag";
  const listed = entries.map((entry): ListedArchive => ({ entry, foundBy }));
  const tagged = await repository.read(keptTag(manifest)).catch((error) => {
    // Whatever else has that tag is none of ours.
    if (error instanceof CorruptError) return undefined;
    throw error;
  });
  if (tagged?.artifactType !== ARCHIVE_TYPE || listed.some(({ entry }) => entry.digest === tagged.digest)) {
    return listed;
  }
  const { digest, sizeBytes, annotations, artifactType, mediaType } = tagged;
  const entry = { digest, sizeBytes, annotations, artifactType, mediaType, isAttachment: true };
  return [...listed, { entry, foundBy: "kept tag" }];
}
