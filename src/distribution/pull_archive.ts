import { type Archive, openArchive, withSource } from "../archive/mod.ts";
import { bytesSource, ClipError, concatenate, CorruptError, type Digest, formatBytes, GIB, MIB } from "../base/mod.ts";
import { type Artifact, ArtifactRepository, formatImageReference, type Image, type SourceOptions } from "../oci/mod.ts";
import { ARCHIVE_TYPE } from "./archive_artifact.ts";
import { checkArchive } from "./check_archive.ts";
import { chooseArchives, type Wanted } from "./choose_archives.ts";
import { entryOf, type FoundBy, type ListedArchive, listReferred, readKept } from "./list_archives.ts";

/** An archive holds less than its image; of small images it may hold more. */
const FREE_BYTES = 64 * MIB;
const MAX_ARCHIVE_BYTES = GIB;
/** Of archives that turn out to be unfit, so many are tried. */
const MAX_TRIES = 8;

/** Which archive is pulled, and how. */
export interface PullOptions extends SourceOptions, Wanted {
  /** The tag or digest of one artifact; undefined: the best of those that are found. */
  readonly artifact?: string | undefined;
  /** Looks further at an artifact before it is used; throws a ClipError where it is not to be. */
  readonly approve?: ((artifact: Artifact, repository: ArtifactRepository) => Promise<void>) | undefined;
}

/** An archive that was pulled, and checked to be of the image. */
export interface PulledArchive {
  /** Its bytes; it names the place that it was pulled from as the one to fetch layers from. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same, open. */
  readonly archive: Archive;
  /** Of the artifact's manifest. */
  readonly digest: Digest;
  /** How it was found. */
  readonly foundBy: FoundBy;
}

/**
 * The archive of an image from the repository that holds the image; undefined where there is none that this clip reads.
 * Size and digest are checked, its structure, and that it names this very image. One that is not sound is passed over
 * for the next, with a warning. @throws {ClipError} where none of them is sound; where the registry fails.
 */
export async function pullArchive(image: Image, options: PullOptions): Promise<PulledArchive | undefined> {
  const { pinnedReference } = image;
  if (pinnedReference.transport !== "docker") return undefined;
  const repository = new ArtifactRepository(pinnedReference, options);
  try {
    const unfit: ClipError[] = [];
    const warn = (error: ClipError) => options.log.warn(`an index is passed over: ${error.message}`);
    for await (const { entry, foundBy } of candidates(repository, image, options)) {
      try {
        const artifact = await readArtifact(repository, entry.digest, image);
        await options.approve?.(artifact, repository);
        const read = await readArchive(repository, artifact, image);
        unfit.forEach(warn);
        return { ...read, digest: entry.digest, foundBy };
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!(error instanceof ClipError) || error.code === "network") throw error;
        unfit.push(error);
      }
    }
    const [first, ...rest] = unfit;
    rest.forEach(warn);
    if (first !== undefined) throw first;
    return undefined;
  } finally {
    repository.close();
  }
}

/** Best first; the kept tag is asked for only where those that are listed will not do. */
async function* candidates(
  repository: ArtifactRepository,
  { manifestDigest }: Image,
  { artifact: name, ...wanted }: PullOptions,
): AsyncGenerator<ListedArchive> {
  if (name !== undefined) {
    const artifact = await repository.read(name);
    if (artifact === undefined) throw new ClipError("not_found", `${repository.name}: there is no ${name}`);
    yield { entry: entryOf(artifact), foundBy: "its name" };
    return;
  }
  const listed = await listReferred(repository, manifestDigest);
  const chosen = chooseArchives(listed.map(({ entry }) => entry), wanted).slice(0, MAX_TRIES);
  for (const entry of chosen) yield { entry, foundBy: listed[0]!.foundBy };
  const kept = await readKept(repository, manifestDigest);
  if (kept === undefined || chosen.some(({ digest }) => digest === kept.entry.digest)) return;
  if (chooseArchives([kept.entry], wanted).length > 0) yield kept;
}

/** The manifest of an artifact that was found. @throws {ClipError} where it is no archive, or of another image. */
async function readArtifact(repository: ArtifactRepository, digest: string, image: Image): Promise<Artifact> {
  const source = `${repository.name}@${digest}`;
  const artifact = await repository.read(digest);
  if (artifact === undefined) {
    const advice = "a registry may delete what has no tag: clip push --keep-tag gives it one";
    throw new ClipError("not_found", `${source} is listed, but not there; ${advice}`);
  }
  const { artifactType, subject, blobs } = artifact;
  const bad = (field: string, actual: string | number, expected: string | number) => {
    throw new CorruptError({ subject: "artifact manifest", source, field, actual, expected });
  };
  if (artifactType !== ARCHIVE_TYPE) bad("artifactType", JSON.stringify(artifactType), ARCHIVE_TYPE);
  if (subject !== undefined && subject.digest !== image.manifestDigest) {
    bad("subject", subject.digest, image.manifestDigest);
  }
  if (blobs.length !== 1) bad("number of layers", blobs.length, 1);
  if (blobs[0]!.mediaType !== ARCHIVE_TYPE) {
    bad("layers[0].mediaType", JSON.stringify(blobs[0]!.mediaType), ARCHIVE_TYPE);
  }
  const imageBytes = image.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const most = Math.min(MAX_ARCHIVE_BYTES, FREE_BYTES + imageBytes);
  if (blobs[0]!.sizeBytes > most) {
    const text = `${source}: an index of ${formatBytes(blobs[0]!.sizeBytes)}, at most ${formatBytes(most)} are pulled`;
    throw new ClipError("limit", text);
  }
  return artifact;
}

async function readArchive(
  repository: ArtifactRepository,
  { digest, blobs }: Artifact,
  image: Image,
): Promise<Pick<PulledArchive, "bytes" | "archive">> {
  const description = `${repository.name}@${digest}`;
  const stored = await repository.blob(blobs[0]!, description);
  const source = bytesSource(stored, description);
  const archive = await openArchive(source);
  await checkArchive(archive, image);
  // What it says of where layers are is not to be followed: it could be any server. Nor is data wanted: an index is.
  const place = formatImageReference(image.pinnedReference);
  if (archive.image.source === place && archive.table.data === undefined) return { bytes: stored, archive };
  const bytes = concatenate(await withSource(source, place));
  return { bytes, archive: await openArchive(bytesSource(bytes, description)) };
}
