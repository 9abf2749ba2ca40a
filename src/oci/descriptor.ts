import type { Digest } from "../base/mod.ts";
import {
  digestValue,
  fieldOf,
  isObject,
  type JsonObject,
  type JsonPlace,
  objectField,
  sizeField,
  stringField,
  wrong,
} from "./json_fields.ts";
import type { Platform } from "./platform.ts";

/** A checked pointer from one document to another or to a blob. Source: OCI image-spec descriptor.md. */
export interface Descriptor {
  /** What it points to. */
  readonly mediaType: string;
  /** Of what it points to. */
  readonly digest: Digest;
  /** Length of what it points to. */
  readonly sizeBytes: number;
  /** In indexes, where stated. */
  readonly platform?: Platform;
  /** The annotation `org.opencontainers.image.ref.name`: the tag, in a layout's index. */
  readonly refName?: string;
  /** Whether it says itself that it is something about an image (an attestation, an artifact), not an image. */
  readonly isAttachment: boolean;
  /** What an artifact is, where stated. */
  readonly artifactType?: string;
  /** Those whose values are text; empty where there are none. */
  readonly annotations: Readonly<Record<string, string>>;
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
  const annotations = readAnnotations(value, within);
  const artifactType = fieldOf(value, "artifactType");
  const platform = parsePlatformObject(fieldOf(value, "platform"), within);
  const refName = annotations["org.opencontainers.image.ref.name"];
  return {
    mediaType,
    digest: digestValue(fieldOf(value, "digest"), "digest", within),
    sizeBytes: sizeField(value, "size", within),
    ...(platform === undefined ? {} : { platform }),
    ...(refName === undefined ? {} : { refName }),
    isAttachment: artifactType !== undefined ||
      annotations["vnd.docker.reference.type"] !== undefined ||
      (platform?.os === "unknown" && platform.architecture === "unknown"),
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    annotations,
  };
}

/** The annotations of a descriptor or document, those that are text. @throws {CorruptError} where they are no object. */
export function readAnnotations(value: JsonObject, place: JsonPlace): Readonly<Record<string, string>> {
  const annotations = objectField(value, "annotations", place) ?? {};
  return Object.fromEntries(
    Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
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
