import { openDockerArchiveBlobs } from "./docker_archive.ts";
import type { ImageSource } from "./image_source.ts";
import { openLayoutSource } from "./layout_source.ts";
import type { DockerArchiveReference, ImageReference } from "./reference.ts";
import { RegistrySource } from "./registry_source.ts";
import type { BlobStore, SourceOptions } from "./source.ts";

/**
 * Where the layers of an image can be read whose descriptors are known already: for mounts. The caller closes it.
 * Sends nothing: whether a registry is there, is found out at the first read.
 * @throws {ClipError} `not_found` when a local file or folder is not there; `corrupt` or `unsupported` for what is in it.
 */
export async function openBlobStore(reference: ImageReference, options: SourceOptions): Promise<BlobStore> {
  if (reference.transport === "docker-archive") return await openDockerArchiveBlobs(reference);
  return (await openSource(reference, options)).blobs;
}

/** The source that `reference` names; its `blobs` are to be closed. */
export async function openSource(
  reference: Exclude<ImageReference, DockerArchiveReference>,
  options: SourceOptions,
): Promise<ImageSource> {
  return reference.transport === "docker" ? new RegistrySource(reference, options) : await openLayoutSource(reference);
}
