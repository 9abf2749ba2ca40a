import { ClipError, type Digest } from "../base/mod.ts";
import { type Descriptor, type LayerDescriptor, parseDescriptor } from "./descriptor.ts";
import { show } from "./errors.ts";
import { type ImageConfig, MAX_CONFIG_BYTES, MAX_LAYERS } from "./image_config.ts";
import {
  fieldOf,
  type JsonObject,
  type JsonPlace,
  listField,
  parseJsonObject,
  stringField,
  wrong,
} from "./json_fields.ts";
import { documentKind, isImageConfigType, isLayerType, MediaType } from "./media_types.ts";

/** The manifest of one image. Source: OCI image-spec manifest.md; Docker manifest-v2-2.md. */
export interface Manifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Bottom first; each one clip can read. */
  readonly layers: readonly Descriptor[];
}

/** A list of manifests for several platforms. Source: OCI image-spec image-index.md. */
export interface Index {
  readonly kind: "index";
  readonly mediaType: string;
  readonly entries: readonly Descriptor[];
}

/** A manifest or an index with the bytes it was read from. */
export interface ImageDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly parsed: Manifest | Index;
}

/** The largest manifest or index that is read. */
export const MAX_MANIFEST_BYTES: number = 8 * 1024 * 1024;
const MAX_INDEX_ENTRIES = 4096;

/** Content types that say nothing about what they contain. */
const GENERIC_TYPES: ReadonlySet<string> = new Set([
  "",
  "application/json",
  "application/octet-stream",
  "text/plain",
]);

/**
 * The manifest or index in `bytes`. `statedType` is the media type that the descriptor or the Content-Type gives.
 * @throws {CorruptError} when it breaks its format, or when what it is can be read in two ways.
 * @throws {ClipError} of code `unsupported` for schema 1, artifacts, and layers that clip cannot read.
 */
export function parseDocument(bytes: Uint8Array, statedType: string, source: string): Manifest | Index {
  const place: JsonPlace = { subject: "manifest", source };
  if (documentKind(statedType) === "schema1") throw schema1(source);
  const object = parseJsonObject(bytes, place);
  const version = fieldOf(object, "schemaVersion");
  if (version === 1) throw schema1(source);
  if (version !== 2) throw wrong(version, "schemaVersion", "2", place);
  const mediaType = documentType(object, statedType, place);
  const kind = documentKind(mediaType);
  const hasEntries = fieldOf(object, "manifests") !== undefined;
  const hasLayers = fieldOf(object, "layers") !== undefined || fieldOf(object, "config") !== undefined;
  // A document that is both would be another image to another client. Source: CVE-2021-41190.
  if (kind === "index" ? hasLayers : hasEntries) {
    throw wrong(kind === "index" ? "layers or config" : "manifests", "field", `none of it in ${mediaType}`, place);
  }
  return kind === "index" ? parseIndex(object, mediaType, place) : parseManifest(object, mediaType, place);
}

/** The index in `bytes` of a layout's `index.json`, whose media type may be left out. @throws {CorruptError} */
export function parseLayoutIndex(bytes: Uint8Array, source: string): Index {
  const parsed = parseDocument(bytes, MediaType.ociIndex, source);
  if (parsed.kind === "index") return parsed;
  throw wrong(parsed.mediaType, "mediaType", MediaType.ociIndex, { subject: "index", source });
}

/**
 * The layers of `manifest`, each with its diffId from `config`.
 * @throws {CorruptError} when their numbers differ.
 */
export function joinLayers(manifest: Manifest, config: ImageConfig, source: string): readonly LayerDescriptor[] {
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    const place = { subject: "image config", source };
    throw wrong(diffIds.length, "number of rootfs.diff_ids", `one for each of ${manifest.layers.length} layers`, place);
  }
  return manifest.layers.map(({ digest, sizeBytes, mediaType }, index) => {
    return { digest, diffId: diffIds[index]!, sizeBytes, mediaType };
  });
}

/** The one type that what is stated outside, the document's own field and its shape agree on. */
function documentType(object: JsonObject, statedType: string, place: JsonPlace): string {
  const own = stringField(object, "mediaType", place);
  const stated = GENERIC_TYPES.has(statedType) ? undefined : statedType;
  if (own !== undefined && stated !== undefined && own !== stated) {
    throw wrong(own, "mediaType", `${show(stated)}, as stated outside it`, place);
  }
  const shape = fieldOf(object, "manifests") !== undefined ? MediaType.ociIndex : MediaType.ociManifest;
  const mediaType = own ?? stated ?? shape;
  const kind = documentKind(mediaType);
  if (kind === "schema1") throw schema1(place.source);
  if (kind === undefined) {
    throw new ClipError("unsupported", `${place.source}: a document of type ${show(mediaType)} is not an image`);
  }
  return mediaType;
}

function parseIndex(object: JsonObject, mediaType: string, place: JsonPlace): Index {
  const list = listField(object, "manifests", MAX_INDEX_ENTRIES, place);
  if (list === undefined) throw wrong(undefined, "manifests", "a list", place);
  const entries = list.map((value, index) => parseDescriptor(value, `manifests[${index}]`, place));
  return { kind: "index", mediaType, entries };
}

function parseManifest(object: JsonObject, mediaType: string, place: JsonPlace): Manifest {
  const config = parseDescriptor(fieldOf(object, "config"), "config", place);
  if (!isImageConfigType(config.mediaType)) {
    throw new ClipError(
      "unsupported",
      `${place.source}: an artifact with a config of type ${show(config.mediaType)}, not an image`,
    );
  }
  if (config.sizeBytes > MAX_CONFIG_BYTES) {
    throw tooLarge("the image config", config.sizeBytes, MAX_CONFIG_BYTES, place);
  }
  const list = listField(object, "layers", MAX_LAYERS, place);
  if (list === undefined) throw wrong(undefined, "layers", "a list", place);
  const layers = list.map((value, index) => parseDescriptor(value, `layers[${index}]`, place));
  for (const layer of layers) checkLayer(layer, place);
  return { kind: "manifest", mediaType, config, layers };
}

function checkLayer({ digest, mediaType }: Descriptor, place: JsonPlace): void {
  if (isLayerType(mediaType)) return;
  const text = `${place.source}: layer ${digest} is of a type that clip cannot read (${show(mediaType)})`;
  throw new ClipError("unsupported", text);
}

/** The error for a document that says it is larger than clip reads. */
export function tooLarge(
  what: string,
  sizeBytes: number,
  limitBytes: number,
  { source }: { source: string },
): ClipError {
  return new ClipError("limit", `${source}: ${what} has ${sizeBytes} bytes, at most ${limitBytes} are read`);
}

function schema1(source: string): ClipError {
  return new ClipError(
    "unsupported",
    `${source}: a Docker schema 1 manifest, which has no layer sizes; push the image again with a current tool`,
  );
}
