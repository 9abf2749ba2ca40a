import { openArchive, withSource } from "../archive/mod.ts";
import { bytesSource, ClipError, concatenate, type RangeSource, UsageError } from "../base/mod.ts";
import {
  ArtifactRepository,
  type DockerReference,
  formatImageReference,
  type ImageReference,
  type PushedArtifact,
  resolveImage,
  type SourceOptions,
} from "../oci/mod.ts";
import { ARCHIVE_TYPE, archiveAnnotations, keptTag } from "./archive_artifact.ts";
import { checkArchive } from "./check_archive.ts";

/** How an archive is pushed. */
export interface PushOptions extends SourceOptions {
  /** Tags to keep it under as well; `true` stands for the one that is made of the image's digest. */
  readonly tags: readonly (string | true)[];
  /** What people see the archive called. */
  readonly title: string;
  /** For the annotations. */
  readonly clipVersion: string;
  /** Milliseconds since 1970, for the annotations; undefined: nothing is said, so that equal archives are equal artifacts. */
  readonly createdMs?: number | undefined;
}

/** What was pushed. */
export interface PushedArchive extends PushedArtifact {
  /** Names the artifact by its digest. */
  readonly reference: DockerReference;
  /** Length of the archive. */
  readonly archiveBytes: number;
  /** Those that it is kept under. */
  readonly tags: readonly string[];
}

/**
 * Stores an archive beside its image, as an artifact that belongs to the image's manifest. What is stored names that
 * place as the one to fetch layers from.
 * @param source The archive.
 * @param reference Of the image; undefined: where it was indexed.
 * @throws {UsageError} where that is no registry, or `reference` is another image. @throws {ClipError}
 */
export async function pushArchive(
  source: RangeSource,
  reference: ImageReference,
  options: PushOptions,
): Promise<PushedArchive> {
  if (reference.transport !== "docker") {
    const where = formatImageReference(reference);
    throw new UsageError(`${where} is in no registry: push the image first, and give its name there as IMAGE`);
  }
  const indexed = await openArchive(source);
  await checkIsImage(indexed, reference, options);
  const { registry, repository } = reference;
  const { manifestDigest, manifestMediaType } = indexed.image;
  const image: DockerReference = { transport: "docker", registry, repository, digest: manifestDigest };
  const blob = concatenate(await withSource(source, formatImageReference(image)));
  const archive = await openArchive(bytesSource(blob, source.description));
  const tags = options.tags.map((tag) => tag === true ? keptTag(manifestDigest) : tag);
  const artifacts = new ArtifactRepository(image, options);
  try {
    const pushed = await artifacts.push({
      artifactType: ARCHIVE_TYPE,
      blobType: ARCHIVE_TYPE,
      blob,
      title: options.title,
      subject: {
        mediaType: manifestMediaType,
        digest: manifestDigest,
        sizeBytes: (await archive.manifest()).length,
      },
      annotations: archiveAnnotations(archive, { ...options, createdMs: options.createdMs, archiveBytes: blob.length }),
    }, tags);
    return { ...pushed, reference: { ...image, digest: pushed.digest }, archiveBytes: blob.length, tags };
  } finally {
    artifacts.close();
  }
}

/** Asks what the reference names there. @throws {UsageError} where that is another image than the archive's. */
async function checkIsImage(
  archive: Awaited<ReturnType<typeof openArchive>>,
  reference: DockerReference,
  options: SourceOptions,
): Promise<void> {
  const { platform, layers, manifestDigest } = archive.image;
  const { image, blobs } = await resolveImage(reference, { ...options, platform });
  blobs.close();
  const name = formatImageReference(reference);
  if (image.manifestDigest !== manifestDigest) {
    const is = `${name} is ${image.manifestDigest}`;
    throw new UsageError(`${archive.description} is the index of ${manifestDigest}, but ${is}: index that one`);
  }
  if (layers.length < image.layers.length) {
    const part = `${layers.length} of ${image.layers.length} layers`;
    throw new ClipError("unsupported", `${archive.description} is the index of ${part}; what is pushed has all`);
  }
  await checkArchive(archive, image);
}
