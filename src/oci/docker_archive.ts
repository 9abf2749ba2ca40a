import {
  ClipError,
  type Digest,
  DigestMismatchError,
  type FilePart,
  FileRangeSource,
  sha256,
  UsageError,
} from "../base/mod.ts";
import { checkPlatform } from "./check_platform.ts";
import { show } from "./errors.ts";
import type { Image } from "./image.ts";
import { configPlatform, type ImageConfig, MAX_CONFIG_BYTES, MAX_LAYERS, parseImageConfig } from "./image_config.ts";
import {
  isObject,
  type JsonObject,
  type JsonPlace,
  parseJson,
  stringField,
  stringListField,
  wrong,
} from "./json_fields.ts";
import { ArchiveFiles, readPart } from "./layout_files.ts";
import { MAX_MANIFEST_BYTES } from "./manifest.ts";
import { MediaType } from "./media_types.ts";
import type { Platform } from "./platform.ts";
import {
  canonicalDockerTag,
  type DockerArchiveReference,
  formatImageReference,
  withAbsolutePath,
} from "./reference.ts";
import type { BlobStore } from "./source.ts";

const MAX_IMAGES = 4096;

/**
 * The image that `reference` names in a file of `docker save`, and its layers; the caller closes `blobs`.
 * Source: moby image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format".
 * @throws {ClipError} as `resolveImage`.
 */
export async function resolveDockerArchive(
  reference: DockerArchiveReference,
  wanted: Platform,
): Promise<{ image: Image; blobs: BlobStore }> {
  const loaded = await loadDockerArchive(reference);
  try {
    const { pinnedReference, config, configBytes, manifestBytes, parts } = loaded;
    const platform = checkPlatform(configPlatform(config), wanted, formatImageReference(reference));
    const layers = await Promise.all(parts.map(async (part, index) => {
      const diffId = config.rootfs.diff_ids[index]!;
      return { digest: diffId, diffId, sizeBytes: part.sizeBytes, mediaType: await layerMediaType(part) };
    }));
    const image: Image = {
      reference,
      pinnedReference,
      platform,
      rootDigest: sha256(manifestBytes),
      manifestDigest: sha256(manifestBytes),
      manifestMediaType: "application/json",
      manifestBytes,
      configDigest: sha256(configBytes),
      configBytes,
      config,
      layers,
    };
    return { image, blobs: loaded.blobs };
  } catch (error) {
    loaded.blobs.close();
    throw error;
  }
}

/** The layers of the image that `reference` names; the caller closes the result. @throws {ClipError} */
export async function openDockerArchiveBlobs(reference: DockerArchiveReference): Promise<BlobStore> {
  return (await loadDockerArchive(reference)).blobs;
}

/** What is known of an image in a docker archive before its platform and layers are looked at. */
interface LoadedImage {
  readonly pinnedReference: DockerArchiveReference;
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** Of the layers, bottom first, one for each diffId. */
  readonly parts: readonly FilePart[];
  readonly blobs: BlobStore;
}

/** One image of `manifest.json`. */
interface ArchiveImage {
  readonly configName: string;
  /** In full: `docker.io/library/ubuntu:24.04`. */
  readonly tags: readonly string[];
  readonly layerNames: readonly string[];
}

async function loadDockerArchive(reference: DockerArchiveReference): Promise<LoadedImage> {
  const absolute = withAbsolutePath(reference);
  const files = new ArchiveFiles(absolute.path);
  try {
    if (!files.members.has("manifest.json") && files.members.has("oci-layout")) {
      throw new ClipError("not_found", `${files.path} is no archive of docker save but an OCI one: use oci-archive:`);
    }
    const manifestBytes = await files.readSmall("manifest.json", MAX_MANIFEST_BYTES);
    const chosen = chooseImage(parseImages(manifestBytes, files.path), absolute);
    const configBytes = await readConfig(files, chosen.configName);
    const config = parseImageConfig(configBytes, `${show(chosen.configName)} in ${files.path}`);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== chosen.layerNames.length) {
      const place = { subject: "image config", source: files.path };
      const expected = `one for each of ${chosen.layerNames.length} layers`;
      throw wrong(diffIds.length, "number of rootfs.diff_ids", expected, place);
    }
    const parts = chosen.layerNames.map((name) => files.member(name));
    const tag = absolute.tag ?? chosen.tags[0];
    const pinnedReference: DockerArchiveReference = {
      transport: "docker-archive",
      path: absolute.path,
      ...(tag === undefined ? {} : { tag }),
    };
    return { pinnedReference, manifestBytes, configBytes, config, parts, blobs: blobStore(files, parts, diffIds) };
  } catch (error) {
    files.close();
    throw error;
  }
}

function blobStore(files: ArchiveFiles, parts: readonly FilePart[], diffIds: readonly Digest[]): BlobStore {
  return {
    description: `docker-archive:${files.path}`,
    layer: ({ diffId, sizeBytes }) => {
      const part = parts[diffIds.indexOf(diffId)];
      if (part === undefined) throw new ClipError("not_found", `${files.path} holds no layer with diffId ${diffId}`);
      if (part.sizeBytes === sizeBytes) return new FileRangeSource(part);
      throw new ClipError("corrupt", `${part.description} has ${part.sizeBytes} bytes, expected ${sizeBytes}`);
    },
    close: () => files.close(),
  };
}

function parseImages(bytes: Uint8Array, path: string): readonly ArchiveImage[] {
  const place: JsonPlace = { subject: "docker archive", source: path };
  const list = parseJson(bytes, place);
  if (!Array.isArray(list)) throw wrong(list, "manifest.json", "a list", place);
  if (list.length > MAX_IMAGES) throw wrong(list.length, "manifest.json (length)", `at most ${MAX_IMAGES}`, place);
  return list.map((value, index) => {
    if (!isObject(value)) throw wrong(value, `manifest.json[${index}]`, "an object", place);
    return parseArchiveImage(value, place);
  });
}

function parseArchiveImage(value: JsonObject, place: JsonPlace): ArchiveImage {
  const configName = stringField(value, "Config", place);
  const layerNames = stringListField(value, "Layers", MAX_LAYERS, place);
  if (configName === undefined) throw wrong(undefined, "Config", "a string", place);
  if (layerNames === undefined) throw wrong(undefined, "Layers", "a list", place);
  const tags: string[] = [];
  for (const tag of stringListField(value, "RepoTags", MAX_IMAGES, place) ?? []) {
    try {
      tags.push(canonicalDockerTag(tag));
    } catch (error) {
      // A tag that is no reference can never be asked for; the image may have others.
      if (!(error instanceof UsageError)) throw error;
    }
  }
  return { configName, tags, layerNames };
}

function chooseImage(images: readonly ArchiveImage[], { path, tag }: DockerArchiveReference): ArchiveImage {
  const tags = images.flatMap((image) => image.tags).slice(0, 20).join(", ");
  const listed = tags === "" ? "" : `; there are ${tags}`;
  if (tag !== undefined) {
    // Of two images with one tag the later was written over the earlier.
    const found = images.findLast((image) => image.tags.includes(tag));
    if (found !== undefined) return found;
    throw new ClipError("not_found", `${path} holds no image with the tag ${tag}${listed}`);
  }
  if (images.length === 1) return images[0]!;
  if (images.length === 0) throw new ClipError("not_found", `${path} holds no images`);
  throw new UsageError(`docker-archive:${path} means one of ${images.length} images: add a :NAME:TAG${listed}`);
}

/** The config's bytes. Its name is made of its digest in all that docker save ever wrote; then that must be right. */
async function readConfig(files: ArchiveFiles, name: string): Promise<Uint8Array> {
  const bytes = await files.readSmall(name, MAX_CONFIG_BYTES);
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  const actual = sha256(bytes);
  if (hex === undefined || actual === `sha256:${hex}`) return bytes;
  throw new DigestMismatchError(`${name} in ${files.path}`, { digest: `sha256:${hex}`, actual });
}

/** By the first bytes: nothing in a docker archive states whether a layer is compressed. */
async function layerMediaType(part: FilePart): Promise<string> {
  const head = await readPart({ ...part, sizeBytes: Math.min(part.sizeBytes, 4) }, 4);
  if (head[0] === 0x1f && head[1] === 0x8b) return MediaType.ociLayerGzip;
  const isZstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  return isZstd ? MediaType.ociLayerZstd : MediaType.ociLayerTar;
}
