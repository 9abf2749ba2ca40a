import {
  ClipError,
  type Digest,
  digestAlgorithm,
  DigestMismatchError,
  isDigest,
  sha256,
  verifyDigest,
} from "../base/mod.ts";
import type { Descriptor } from "./descriptor.ts";
import type { HttpResponse } from "./http_exchange.ts";
import type { ImageSource } from "./image_source.ts";
import { type ImageDocument, MAX_MANIFEST_BYTES, parseDocument } from "./manifest.ts";
import { bareMediaType, MANIFEST_ACCEPT } from "./media_types.ts";
import type { DockerReference } from "./reference.ts";
import { blobContext, RegistryBlob } from "./registry_blob.ts";
import { RepositoryReader } from "./repository_reader.ts";
import type { BlobStore, SourceOptions } from "./source.ts";

/** The images of one repository. Opening it sends nothing. */
export class RegistrySource implements ImageSource {
  readonly description: string;
  readonly blobs: BlobStore;
  readonly #reference: DockerReference;
  readonly #client: RepositoryReader;

  constructor(reference: DockerReference, options: SourceOptions) {
    this.#reference = reference;
    this.#client = new RepositoryReader(reference, options);
    this.blobs = openRegistryBlobs(this.#client);
    this.description = this.#client.name;
  }

  /** What {@linkcode ImageSource} says of `root`. */
  root(): Promise<ImageDocument> {
    return this.#document(this.#reference.digest ?? this.#reference.tag ?? "latest", undefined);
  }

  /** What {@linkcode ImageSource} says of `document`. */
  document(descriptor: Descriptor): Promise<ImageDocument> {
    return this.#document(descriptor.digest, descriptor);
  }

  /** What {@linkcode ImageSource} says of `config`. */
  async config({ digest, sizeBytes }: Descriptor): Promise<Uint8Array> {
    return await new RegistryBlob(blobContext(this.#client), { digest, sizeBytes })
      .readRange({ offset: 0, endExclusive: sizeBytes });
  }

  /** What {@linkcode ImageSource} says of `pinned`. */
  pinned(manifestDigest: Digest): DockerReference {
    const { registry, repository } = this.#reference;
    return { transport: "docker", registry, repository, digest: manifestDigest };
  }

  #document(tagOrDigest: string, descriptor: Descriptor | undefined): Promise<ImageDocument> {
    return this.#client.retry(async () => {
      const path = `manifests/${tagOrDigest}`;
      const response = await this.#client.open({
        path,
        headers: { accept: MANIFEST_ACCEPT },
        expected: [200],
      });
      try {
        const bytes = await response.readAll(MAX_MANIFEST_BYTES);
        checkLength(response, bytes.length, descriptor);
        const digest = verifyManifestDigest(response, bytes, tagOrDigest);
        const stated = bareMediaType(response.headers.get("content-type"));
        return { bytes, digest, parsed: parseDocument(bytes, stated, `${this.#client.name}@${digest}`) };
      } catch (error) {
        throw this.#client.passedOver(response, path, error);
      } finally {
        response.close();
      }
    });
  }
}

/** The blobs behind `client`, which is closed with them. */
function openRegistryBlobs(client: RepositoryReader): BlobStore {
  const context = blobContext(client);
  return {
    description: client.name,
    layer: (layer) => new RegistryBlob(context, layer),
    close: () => client.close(),
  };
}

function checkLength(response: HttpResponse, actualBytes: number, descriptor: Descriptor | undefined): void {
  const stated = response.headers.get("content-length");
  if (stated !== null && Number(stated) !== actualBytes) {
    throw response.error(`a body of ${actualBytes} bytes, expected ${Number(stated)}`, { retryable: true });
  }
  if (descriptor !== undefined && descriptor.sizeBytes !== actualBytes) {
    throw new ClipError("corrupt", `${descriptor.digest}: ${actualBytes} bytes, expected ${descriptor.sizeBytes}`);
  }
}

/** The digest of a manifest, after checking it against what was asked for and against what the registry says. */
function verifyManifestDigest(response: HttpResponse, bytes: Uint8Array, tagOrDigest: string): Digest {
  const source = `manifest from ${response.redactedUrl}`;
  const stated = response.headers.get("docker-content-digest");
  try {
    if (isDigest(stated)) verifyDigest(bytes, stated, source);
    if (isDigest(tagOrDigest)) verifyDigest(bytes, tagOrDigest, source);
  } catch (error) {
    if (!(error instanceof DigestMismatchError)) throw error;
    throw new DigestMismatchError(source, error, { retryable: true });
  }
  if (isDigest(tagOrDigest)) return tagOrDigest;
  return isDigest(stated) && digestAlgorithm(stated) === "sha256" ? stated : sha256(bytes);
}
