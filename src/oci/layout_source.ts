import {
  ClipError,
  type Digest,
  digestAlgorithm,
  digestHex,
  FileRangeSource,
  UsageError,
  verifyDigest,
} from "../base/mod.ts";
import { isImageEntry } from "./choose_platform.ts";
import type { Descriptor } from "./descriptor.ts";
import { show } from "./errors.ts";
import { MAX_CONFIG_BYTES } from "./image_config.ts";
import type { ImageSource } from "./image_source.ts";
import { fieldOf, parseJsonObject } from "./json_fields.ts";
import { ArchiveFiles, FolderFiles, type LayoutFiles, readPart } from "./layout_files.ts";
import {
  type ImageDocument,
  type Index,
  MAX_MANIFEST_BYTES,
  parseDocument,
  parseLayoutIndex,
  tooLarge,
} from "./manifest.ts";
import { formatPlatform } from "./platform.ts";
import { formatImageReference, type ImageReference, type LayoutReference, withAbsolutePath } from "./reference.ts";
import type { BlobStore } from "./source.ts";

type AnyLayoutReference = Extract<ImageReference, LayoutReference>;

/**
 * The images of an OCI layout: a folder, or an uncompressed tar of one.
 * Source: OCI image-spec image-layout.md.
 * @throws {ClipError} `not_found` where it is no layout; `unsupported` for a newer one, or a compressed archive.
 */
export async function openLayoutSource(reference: AnyLayoutReference): Promise<ImageSource> {
  const absolute = withAbsolutePath(reference);
  const files = reference.transport === "oci" ? new FolderFiles(absolute.path) : new ArchiveFiles(absolute.path);
  try {
    await checkVersion(files);
    return new LayoutSource(absolute, files);
  } catch (error) {
    files.close();
    throw error;
  }
}

async function checkVersion(files: LayoutFiles): Promise<void> {
  if (files instanceof ArchiveFiles && !files.members.has("oci-layout") && files.members.has("manifest.json")) {
    throw new ClipError("not_found", `${files.path} is no OCI archive but one of docker save: use docker-archive:`);
  }
  const bytes = await files.readSmall("oci-layout", MAX_MANIFEST_BYTES).catch((error) => {
    if (!(error instanceof ClipError) || error.code !== "not_found") throw error;
    throw new ClipError("not_found", `${files.path} is no OCI layout: ${error.message}`, { cause: error });
  });
  const version = fieldOf(parseJsonObject(bytes, { subject: "oci-layout", source: files.path }), "imageLayoutVersion");
  if (typeof version === "string" && /^1\.\d+\.\d+$/.test(version)) return;
  throw new ClipError("unsupported", `${files.path}: OCI layout of version ${show(version)}, expected 1.0.0`);
}

/** Where a blob is in a layout. */
function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

class LayoutSource implements ImageSource {
  readonly description: string;
  readonly blobs: BlobStore;
  readonly #reference: AnyLayoutReference;
  readonly #files: LayoutFiles;

  constructor(reference: AnyLayoutReference, files: LayoutFiles) {
    this.#reference = reference;
    this.#files = files;
    this.description = `${reference.transport}:${reference.path}`;
    this.blobs = {
      description: this.description,
      layer: ({ digest, sizeBytes }) => new FileRangeSource(files.find(blobName(digest), sizeBytes)),
      close: () => files.close(),
    };
  }

  async root(): Promise<ImageDocument> {
    const bytes = await this.#files.readSmall("index.json", MAX_MANIFEST_BYTES);
    const index = parseLayoutIndex(bytes, `${this.#reference.path}/index.json`);
    const { digest, tag } = this.#reference;
    if (digest !== undefined) return await this.#rootByDigest(digest, index);
    const images = index.entries.filter(isImageEntry);
    const named = tag === undefined ? images : images.filter(({ refName }) => refName === tag);
    const candidates = named.filter((entry, at) => named.findIndex((other) => other.digest === entry.digest) === at);
    if (candidates.length === 0) {
      const what = tag === undefined ? "no image" : `no image with the tag ${show(tag)}`;
      throw new ClipError("not_found", `${this.description} holds ${what}${listNames(images)}`);
    }
    if (candidates.length === 1) return await this.document(candidates[0]!);
    if (!isOneImage(candidates, tag)) {
      throw new UsageError(
        `${formatImageReference(this.#reference)} means one of ${candidates.length} images: ` +
          `add a :TAG or @DIGEST${listNames(candidates)}`,
      );
    }
    return { bytes, digest: candidates[0]!.digest, parsed: { ...index, entries: candidates } };
  }

  async document(descriptor: Descriptor): Promise<ImageDocument> {
    const { digest, sizeBytes, mediaType } = descriptor;
    if (sizeBytes > MAX_MANIFEST_BYTES) {
      throw tooLarge(`manifest ${digest}`, sizeBytes, MAX_MANIFEST_BYTES, { source: this.description });
    }
    const bytes = await readPart(this.#files.find(blobName(digest), sizeBytes), MAX_MANIFEST_BYTES);
    return this.#verified(bytes, digest, mediaType);
  }

  async config({ digest, sizeBytes }: Descriptor): Promise<Uint8Array> {
    return await readPart(this.#files.find(blobName(digest), sizeBytes), MAX_CONFIG_BYTES);
  }

  pinned(manifestDigest: Digest): ImageReference {
    const { transport, path } = this.#reference;
    return { transport, path, digest: manifestDigest };
  }

  /** A manifest that an index of the layout leads to need not be in `index.json` itself: then its blob must say what it is. */
  async #rootByDigest(digest: Digest, index: Index): Promise<ImageDocument> {
    const entry = index.entries.find((candidate) => candidate.digest === digest);
    if (entry !== undefined) return await this.document(entry);
    return this.#verified(await this.#files.readSmall(blobName(digest), MAX_MANIFEST_BYTES), digest, "");
  }

  #verified(bytes: Uint8Array, digest: Digest, mediaType: string): ImageDocument {
    const name = `${this.description}@${digest}`;
    verifyDigest(bytes, digest, name);
    return { bytes, digest, parsed: parseDocument(bytes, mediaType, name) };
  }
}

/**
 * Whether several entries of `index.json` are one image for several platforms: all of one tag (or, where none was
 * asked for, without one), each for a platform of its own.
 */
function isOneImage(entries: readonly Descriptor[], tag: string | undefined): boolean {
  const platforms = new Set<string>();
  for (const { platform, refName } of entries) {
    if (platform === undefined || refName !== tag) return false;
    platforms.add(formatPlatform(platform));
  }
  return platforms.size === entries.length;
}

const MAX_LISTED = 20;

function listNames(entries: readonly Descriptor[]): string {
  if (entries.length === 0) return "";
  const names = new Set(
    entries.map(({ refName, digest }) => refName === undefined ? `@${digest}` : show(refName, 100)),
  );
  const listed = [...names].slice(0, MAX_LISTED).join(", ");
  return `; there are ${listed}${names.size > MAX_LISTED ? `, and ${names.size - MAX_LISTED} more` : ""}`;
}
