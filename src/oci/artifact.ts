/** Artifacts as documents: what is not an image and belongs to one. Source: OCI image-spec manifest.md, "Guidelines for Artifact Usage". */
import { type Digest, sha256 } from "../base/mod.ts";
import { type Descriptor, parseDescriptor, readAnnotations } from "./descriptor.ts";
import { fieldOf, type JsonPlace, listField, parseJsonObject, stringField, wrong } from "./json_fields.ts";
import { MediaType } from "./media_types.ts";

/** The largest manifest of an artifact that is read. */
export const MAX_ARTIFACT_MANIFEST_BYTES: number = 1024 * 1024;
const MAX_BLOBS = 64;

/** What an artifact belongs to: a manifest. */
export interface Subject {
  /** The media type of the manifest. */
  readonly mediaType: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** Length of the manifest. */
  readonly sizeBytes: number;
}

/** An artifact of one blob that is to be stored. */
export interface NewArtifact {
  /** What it is: a media type. */
  readonly artifactType: string;
  /** Media type of its blob. */
  readonly blobType: string;
  /** Its blob. */
  readonly blob: Uint8Array<ArrayBuffer>;
  /** What people see the blob called. */
  readonly title: string;
  /** What it belongs to; undefined where it stands for itself. */
  readonly subject: Subject | undefined;
  /** What is told of it without reading it. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** An artifact's manifest, checked. */
export interface Artifact {
  /** Of the manifest. */
  readonly digest: Digest;
  /** Length of the manifest. */
  readonly sizeBytes: number;
  /** That of an OCI manifest. */
  readonly mediaType: string;
  /** What it says it is. */
  readonly artifactType: string;
  /** What it says it belongs to. */
  readonly subject: Descriptor | undefined;
  /** At most 64. */
  readonly blobs: readonly Descriptor[];
  /** Those whose values are text. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** The config of an artifact without one. Source: image-spec manifest.md, "Guidance for an Empty Descriptor". */
export const EMPTY_CONFIG: Uint8Array<ArrayBuffer> = new Uint8Array([0x7b, 0x7d]);

/** The bytes of an artifact's manifest: the same for the same artifact. */
export function encodeArtifact(
  { artifactType, blobType, blob, title, subject, annotations }: NewArtifact,
): Uint8Array<ArrayBuffer> {
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    artifactType,
    config: { mediaType: MediaType.ociEmpty, digest: sha256(EMPTY_CONFIG), size: EMPTY_CONFIG.length, data: "e30=" },
    layers: [{
      mediaType: blobType,
      digest: sha256(blob),
      size: blob.length,
      annotations: { "org.opencontainers.image.title": title },
    }],
    ...(subject === undefined ? {} : { subject: storedDescriptor(subject) }),
    annotations,
  };
  return new TextEncoder().encode(JSON.stringify(manifest)) as Uint8Array<ArrayBuffer>;
}

/** A descriptor in the order and the words of the specification. */
export function storedDescriptor(
  { mediaType, digest, sizeBytes, artifactType, annotations }: Subject & {
    readonly artifactType?: string | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  },
): Readonly<Record<string, unknown>> {
  return {
    mediaType,
    digest,
    size: sizeBytes,
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** The artifact in the bytes of a manifest whose digest has been verified. @throws {CorruptError} naming the field. */
export function parseArtifact(bytes: Uint8Array, digest: Digest, source: string): Artifact {
  const place: JsonPlace = { subject: "artifact manifest", source };
  const object = parseJsonObject(bytes, place);
  if (fieldOf(object, "schemaVersion") !== 2) {
    throw wrong(fieldOf(object, "schemaVersion"), "schemaVersion", "2", place);
  }
  const mediaType = stringField(object, "mediaType", place);
  if (mediaType !== MediaType.ociManifest) throw wrong(mediaType, "mediaType", MediaType.ociManifest, place);
  const config = parseDescriptor(fieldOf(object, "config"), "config", place);
  const subject = fieldOf(object, "subject");
  const layers = listField(object, "layers", MAX_BLOBS, place) ?? [];
  return {
    digest,
    sizeBytes: bytes.length,
    mediaType,
    // Before it had a field of its own, the type was the config's.
    artifactType: stringField(object, "artifactType", place) ?? config.mediaType,
    subject: subject === undefined ? undefined : parseDescriptor(subject, "subject", place),
    blobs: layers.map((value, index) => parseDescriptor(value, `layers[${index}]`, place)),
    annotations: readAnnotations(object, place),
  };
}
