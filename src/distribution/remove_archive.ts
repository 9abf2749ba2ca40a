import { CorruptError, type Digest } from "../base/mod.ts";
import type { ArtifactRepository } from "../oci/mod.ts";
import { ARCHIVE_TYPE } from "./archive_artifact.ts";

/**
 * Removes an archive of an image from its repository. That a list names something as one is not believed: who may push,
 * and not delete, could have anything of the repository deleted so, images too.
 * @param manifest Of the image. @throws {CorruptError} where it is no archive, or of another image. @throws {ClipError}
 */
export async function removeArchive(repository: ArtifactRepository, digest: Digest, manifest: Digest): Promise<void> {
  const artifact = await repository.read(digest);
  const details = { subject: "artifact manifest", source: `${repository.name}@${digest}` };
  // What is gone already goes from the list.
  const artifactType = artifact?.artifactType ?? ARCHIVE_TYPE;
  if (artifactType !== ARCHIVE_TYPE) {
    const actual = JSON.stringify(artifactType);
    throw new CorruptError({ ...details, field: "artifactType", actual, expected: ARCHIVE_TYPE });
  }
  const subject = artifact?.subject?.digest ?? manifest;
  if (subject !== manifest) {
    throw new CorruptError({ ...details, field: "subject", actual: subject, expected: manifest });
  }
  await repository.remove(digest, manifest);
}
