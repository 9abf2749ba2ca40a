import type { Artifact, ArtifactRepository, Descriptor } from "../oci/mod.ts";
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
 * the one under the kept tag, where that is none of them. @throws {ClipError}
 */
export async function listArchives(repository: ArtifactRepository, manifest: Digest): Promise<ListedArchive[]> {
  const listed = await listReferred(repository, manifest);
  const kept = await readKept(repository, manifest);
  const isNew = kept !== undefined && !listed.some(({ entry }) => entry.digest === kept.entry.digest);
  return isNew ? [...listed, kept] : listed;
}

/** The archives that a list names as the image's. @throws {ClipError} */
export async function listReferred(repository: ArtifactRepository, manifest: Digest): Promise<ListedArchive[]> {
  const { entries, kept } = await repository.list(manifest, ARCHIVE_TYPE);
  const foundBy = kept === "api" ? "referrers API" : "referrers tag";
  return entries.map((entry): ListedArchive => ({ entry, foundBy }));
}

/** The archive under the kept tag; undefined where there is none. @throws {ClipError} */
export async function readKept(repository: ArtifactRepository, manifest: Digest): Promise<ListedArchive | undefined> {
  const artifact = await repository.read(keptTag(manifest)).catch((error) => {
    // Whatever else has that tag is none of ours.
    if (error instanceof CorruptError) return undefined;
    throw error;
  });
  return artifact?.artifactType === ARCHIVE_TYPE ? { entry: entryOf(artifact), foundBy: "kept tag" } : undefined;
}

/** An artifact as a list would name it. */
export function entryOf({ digest, sizeBytes, annotations, artifactType, mediaType }: Artifact): Descriptor {
  return { digest, sizeBytes, annotations, artifactType, mediaType, isAttachment: true };
}
