import type { Digest } from "../base/mod.ts";
import {
  digestValue,
  fieldOf,
  isObject,
  type JsonPlace,
  objectField,
  sizeField,
  stringField,
  wrong,
} from "./json_fields.ts";
import type { Platform } from "./platform.ts";

/** A checked pointer from one document to another or to a blob. Source: OCI image-spec descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** In indexes, where stated. */
  readonly platform?: Platform;
  /** The annotation `org.opencontainers.image.ref.name`: the tag, in a layout's index. */
  readonly refName?: string;
  /** Whether it says itself that it is something about an image (an attestation, an artifact), not an image. */
  readonly isAttachment: boolean;
}

/** A layer as the registry knows it, with what it is once decompressed. */
export interface LayerDescriptor {
  /**
   * The digest of the blob, or the diffId where the transport has no digest for the blob: in a docker archive nothing
   * states what a compressed layer hashes to.
   */
  readonly digest: Digest;
  /** The digest of the uncompressed tar, as the image config has it. */
  readonly diffId: Digest;
  /** Of the blob, compressed as it is. */
  readonly sizeBytes: number;
  /** One that `isLayerType` takes. */
  readonly mediaType: string;
}

/** `value` as a descriptor; `field` says where in the document it is. @throws {CorruptError} */
export function parseDescriptor(value: unknown, field: string, place: JsonPlace): Descriptor {
  if (!isObject(value)) throw wrong(value, field, "a descriptor", place);
  const within = { subject: place.subject, source: `${place.source}, ${field}` };
  const mediaType = stringField(value, "mediaType", within);
  if (mediaType === undefined) throw wrong(undefined, "mediaType", "a string", within);
  const annotations = objectField(value, "annotations", within) ?? {};
  const platform = parsePlatformObject(fieldOf(value, "platform"), within);
  const refName = fieldOf(annotations, "org.opencontainers.image.ref.name");
  return {
    mediaType,
    digest: digestValue(fieldOf(value, "digest"), "digest", within),
    sizeBytes: sizeField(value, "size", within),
    ...(platform === undefined ? {} : { platform }),
    ...(typeof refName === "string" ? { refName } : {}),
    isAttachment: fieldOf(value, "artifactType") !== undefined ||
      fieldOf(annotations, "vnd.docker.reference.type") !== undefined ||
      (platform?.os === "unknown" && platform.architecture === "unknown"),
  };
}

function parsePlatformObject(value: unknown, place: JsonPlace): Platform | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw wrong(value, "platform", "an object", place);
  const os = stringField(value, "os", place) ?? "";
  const architecture = stringField(value, "architecture", place) ?? "";
  const variant = stringField(value, "variant", place) ?? "";
  // Some writers leave an empty object where they know nothing.
  if (os === "" && architecture === "") return undefined;
  return { os, architecture, ...(variant === "" ? {} : { variant }) };
}
