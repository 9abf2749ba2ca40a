/** Artifacts that lie in a registry however somebody has put them there. */
import type { Digest } from "../../src/base/mod.ts";
import { ARCHIVE_TYPE, pullArchive, type PulledArchive, type PullOptions } from "../../src/distribution/mod.ts";
import type { Image } from "../../src/oci/mod.ts";
import { type FakeRegistry, startFakeRegistry } from "../oci/fake_registry.ts";
import { quickOptions } from "../oci/test_support.ts";

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** A registry with artifacts of one image. */
export class PlantedRegistry {
  readonly registry: FakeRegistry = startFakeRegistry();
  readonly image: Image;
  readonly options: ReturnType<typeof quickOptions> = quickOptions();
  #entries: unknown[] = [];

  /** @param image Which the artifacts belong to; it is not stored. */
  constructor(image: Image) {
    const { manifestDigest } = image;
    const place = { transport: "docker", registry: this.registry.host, repository: "some/image" } as const;
    this.image = { ...image, pinnedReference: { ...place, digest: manifestDigest } };
  }

  /** Where the image's layers are, as a pulled archive names it. */
  get source(): string {
    return `docker://${this.registry.host}/some/image@${this.image.manifestDigest}`;
  }

  /** The manifest of an artifact with this archive, changed. */
  manifest(archive: Uint8Array, change: Record<string, unknown> = {}): Record<string, unknown> {
    const { manifestBytes, manifestDigest, manifestMediaType } = this.image;
    const blob = this.registry.addBlob(new Uint8Array(archive));
    return {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: ARCHIVE_TYPE,
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: blob, size: 2 },
      layers: [{ mediaType: ARCHIVE_TYPE, digest: blob, size: archive.length }],
      subject: { mediaType: manifestMediaType, digest: manifestDigest, size: manifestBytes.length },
      ...change,
    };
  }

  /** Puts a manifest into the registry and the list under the referrers' tag; its digest. */
  plant(manifest: unknown, annotations: Record<string, string> = {}): Digest {
    const digest = this.registry.addManifest(manifest, OCI_MANIFEST) as Digest;
    const size = JSON.stringify(manifest).length;
    this.#entries.push({ mediaType: OCI_MANIFEST, digest, size, artifactType: ARCHIVE_TYPE, annotations });
    const tag = this.image.manifestDigest.replace(":", "-");
    this.registry.addManifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: this.#entries }, OCI_INDEX, tag);
    return digest;
  }

  /** Forgets what was planted. */
  clear(): void {
    this.#entries = [];
    this.registry.manifests.clear();
    this.options.log.lines.length = 0;
  }

  /** Pulls as `clip pull` does. */
  pull(options: Partial<PullOptions> = {}): Promise<PulledArchive | undefined> {
    return pullArchive(this.image, { ...this.options, ...options });
  }
}
