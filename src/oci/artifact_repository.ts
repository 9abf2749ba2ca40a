import { ClipError, type Digest, isDigest, sha256, verifyDigest } from "../base/mod.ts";
import {
  type Artifact,
  EMPTY_CONFIG,
  encodeArtifact,
  MAX_ARTIFACT_MANIFEST_BYTES,
  type NewArtifact,
  parseArtifact,
} from "./artifact.ts";
import { changeReferrersTag } from "./change_referrers_tag.ts";
import type { Descriptor } from "./descriptor.ts";
import { RegistryError } from "./errors.ts";
import { MediaType } from "./media_types.ts";
import { pushBlob } from "./push_blob.ts";
import { pushManifest } from "./push_manifest.ts";
import type { DockerReference } from "./reference.ts";
import { listReferrers, type Referrers } from "./referrers.ts";
import { type BlobContext, blobContext, RegistryBlob } from "./registry_blob.ts";
import { RepositoryReader } from "./repository_reader.ts";
import type { SourceOptions } from "./source.ts";

/** Wherever it comes from: another place is asked where one gave other bytes. */
const MAX_BLOB_TRIES = 3;

/** What pushing an artifact did. */
export interface PushedArtifact {
  /** Of the artifact's manifest. */
  readonly digest: Digest;
  /** Whether its blob was there before. */
  readonly blobWasThere: boolean;
  /** Who keeps the list by which it is found; undefined where it belongs to nothing. */
  readonly listed: Referrers["kept"] | undefined;
}

/** The artifacts of one repository. Opening it sends nothing. */
export class ArtifactRepository {
  /** `registry/repository`. */
  readonly name: string;
  readonly #client: RepositoryReader;
  readonly #blobs: BlobContext;
  readonly #signal: AbortSignal | undefined;

  /** The options' signal ends everything. */
  constructor({ registry, repository }: Pick<DockerReference, "registry" | "repository">, options: SourceOptions) {
    this.#client = new RepositoryReader({ transport: "docker", registry, repository }, options, {
      // By a tag it is believed what belongs to an image: that is not for a mirror to say.
      tagsFrom: "registry",
    });
    this.#blobs = blobContext(this.#client);
    this.#signal = options.signal;
    this.name = this.#client.name;
  }

  /** Ends all requests. */
  close(): void {
    this.#client.close();
  }

  /**
   * Stores an artifact, under these tags too, and has it found with its subject. Doing so again changes nothing.
   * @throws {RegistryError}
   */
  async push(artifact: NewArtifact, tags: readonly string[]): Promise<PushedArtifact> {
    const client = this.#client;
    const options = { signal: this.#signal };
    const isNew = await pushBlob(client, artifact.blob, options);
    await pushBlob(client, EMPTY_CONFIG, options);
    const manifest = encodeArtifact(artifact);
    const digest = sha256(manifest);
    const mediaType = MediaType.ociManifest;
    const { keepsReferrers } = await pushManifest(client, manifest, { mediaType, ...options });
    for (const name of tags) await pushManifest(client, manifest, { mediaType, name, ...options });
    const { subject, artifactType, annotations } = artifact;
    if (subject !== undefined && !keepsReferrers) {
      const add = { mediaType, digest, sizeBytes: manifest.length, artifactType, annotations };
      await changeReferrersTag(client, subject.digest, { add }, this.#signal);
    }
    const listed = subject === undefined ? undefined : keepsReferrers ? "api" : "tag";
    return { digest, blobWasThere: !isNew, listed };
  }

  /** What belongs to a manifest; see {@linkcode listReferrers}. */
  list(subject: Digest, artifactType: string): Promise<Referrers> {
    return listReferrers(this.#client, subject, artifactType, this.#signal);
  }

  /**
   * The artifact of this tag or digest, its digest verified; undefined where there is none. A mirror that gave something
   * else is passed over. @throws {ClipError}
   */
  async read(name: string): Promise<Artifact | undefined> {
    const path = `manifests/${name}`;
    return await this.#client.retry(async () => {
      const headers = { accept: MediaType.ociManifest };
      const response = await this.#client.open({ path, headers, expected: [200, 404], signal: this.#signal });
      try {
        if (response.status === 404) return undefined;
        const bytes = await response.readAll(MAX_ARTIFACT_MANIFEST_BYTES);
        if (isDigest(name)) verifyDigest(bytes, name, `artifact from ${response.redactedUrl}`);
        return parseArtifact(bytes, isDigest(name) ? name : sha256(bytes), `${this.name}@${name}`);
      } catch (error) {
        throw this.#client.passedOver(response, path, error);
      } finally {
        response.close();
      }
    }, this.#signal);
  }

  /**
   * A blob of an artifact, its digest verified; a mirror that gave other bytes is passed over.
   * @param source What it is, for messages. @throws {ClipError}
   */
  async blob(
    { digest, sizeBytes }: Pick<Descriptor, "digest" | "sizeBytes">,
    source: string,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const blob = new RegistryBlob(this.#blobs, { digest, sizeBytes });
    for (let tries = 1;; tries++) {
      const bytes = await blob.readRange({ offset: 0, endExclusive: sizeBytes }, this.#signal);
      try {
        verifyDigest(bytes, digest, source);
        return bytes;
      } catch (error) {
        if (tries === MAX_BLOB_TRIES) throw error;
        blob.mistrust();
      }
    }
  }

  /**
   * Removes an artifact, and from the list of `subject`. Its blob goes with the registry's next collection.
   * @throws {RegistryError} `not_found`; another where the registry does not delete.
   */
  async remove(digest: Digest, subject: Digest): Promise<void> {
    const { kept } = await this.list(subject, "");
    // First off the list: some registries take no list that names what is gone.
    if (kept === "tag") await changeReferrersTag(this.#client, subject, { remove: digest }, this.#signal);
    await this.#delete(digest);
  }

  async #delete(digest: Digest): Promise<void> {
    try {
      await this.#client.retry(async () => {
        const path = `manifests/${digest}`;
        const request = { method: "DELETE", path, access: "delete", headers: {}, expected: [200, 202] } as const;
        (await this.#client.open({ ...request, signal: this.#signal })).close();
      }, this.#signal);
    } catch (error) {
      if (!(error instanceof RegistryError) || error.status !== 405) throw error;
      throw new ClipError("unsupported", `${this.name}: the registry does not delete: ${error.message}`);
    }
  }
}
