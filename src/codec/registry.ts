import { ClipError } from "../base/mod.ts";
import type { Codec } from "./codec.ts";
import { gzip } from "./gzip/mod.ts";
import { none } from "./none/mod.ts";
import { zstd } from "./zstd/mod.ts";

/** Every codec there is; a new one is a line here. */
const CODECS: readonly Codec[] = [none, gzip, zstd];

/** How many bytes of a blob's beginning `codecForLayer` wants to see, where the blob has so many. */
export const FIRST_BYTES: number = 512;

/** Where a tar header says "ustar". Source: POSIX.1-2017, pax, "ustar Interchange Format". */
const USTAR_MAGIC_AT = 257;
const USTAR_MAGIC = [0x75, 0x73, 0x74, 0x61, 0x72];
const TAR_BLOCK_BYTES = 512;

/**
 * How formats begin; `name` is a codec's, or else a format that clip cannot read. Tar comes first: it is told by its
 * fixed magic, whereas the name of its first file could be the magic of anything.
 */
const MAGICS: readonly { name: string; matches: (bytes: Uint8Array) => boolean }[] = [
  { name: "none", matches: isTar },
  { name: "gzip", matches: (bytes) => startsWith(bytes, [0x1f, 0x8b]) },
  { name: "zstd", matches: (bytes) => startsWith(bytes, [0x28, 0xb5, 0x2f, 0xfd]) || isZstdSkippable(bytes) },
  { name: "xz", matches: (bytes) => startsWith(bytes, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
  { name: "bzip2", matches: (bytes) => startsWith(bytes, [0x42, 0x5a, 0x68]) },
];

/** The codec of that name, as an archive gives it. @throws {ClipError} `unsupported` where this clip has none of it. */
export function codecByName(name: string): Codec {
  const codec = CODECS.find((candidate) => candidate.name === name);
  if (codec === undefined) {
    const known = CODECS.map((candidate) => candidate.name).join(", ");
    const quoted = JSON.stringify(name.slice(0, 50));
    throw new ClipError("unsupported", `cannot decode layers of codec ${quoted}: this version of clip knows ${known}`);
  }
  return codec;
}

/**
 * The codec of a layer blob. The first bytes decide, since registries hold layers under wrong media types and tools
 * extract them all the same; where they tell nothing the media type does. `warning` is set where the two disagree.
 * `firstBytes` is the beginning of the blob, FIRST_BYTES of it or all there is.
 * @throws {ClipError} `unsupported` for compression that clip cannot read, encryption, and media types of no layer.
 */
export function codecForLayer(
  { mediaType, firstBytes }: { mediaType: string; firstBytes: Uint8Array },
): { codec: Codec; warning?: string } {
  const promised = nameOfMediaType(mediaType);
  if (promised === "encrypted") {
    throw new ClipError("unsupported", `layer of media type ${JSON.stringify(mediaType)} is encrypted`);
  }
  const found = MAGICS.find(({ matches }) => matches(firstBytes))?.name;
  const name = found ?? promised;
  if (name === undefined) {
    const text = `media type ${
      JSON.stringify(mediaType)
    } is none of a layer, and its bytes are of no format that clip reads`;
    throw new ClipError("unsupported", text);
  }
  const codec = CODECS.find((candidate) => candidate.name === name);
  if (codec === undefined) {
    const names = CODECS.map((candidate) => candidate.name === "none" ? "uncompressed" : candidate.name).join(" and ");
    const text = `layers compressed with ${name} are not supported (media type ${JSON.stringify(mediaType)}); ` +
      `clip reads ${names} ones: push the image again with gzip or zstd layers`;
    throw new ClipError("unsupported", text);
  }
  if (found === undefined || found === promised) return { codec };
  const are = found === "none" ? "an uncompressed tar" : found;
  return { codec, warning: `layer of media type ${JSON.stringify(mediaType)} is in truth ${are}: read as such` };
}

/**
 * What a layer's media type promises: a codec's name, `"encrypted"`, the name of another compression, or undefined.
 * Source: OCI image-spec media-types.md; Docker "Image Manifest Version 2, Schema 2".
 */
function nameOfMediaType(mediaType: string): string | undefined {
  const match =
    /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1|docker\.image\.rootfs(?:\.foreign)?\.diff)\.tar(?:[.+]([a-z0-9+.]+))?$/
      .exec(mediaType.split(";")[0]!.trim().toLowerCase());
  if (match === null) return undefined;
  const suffix = match[1] ?? "none";
  return suffix === "encrypted" || suffix.endsWith("+encrypted") ? "encrypted" : suffix;
}

function startsWith(bytes: Uint8Array, magic: readonly number[], at = 0): boolean {
  return magic.every((byte, i) => bytes[at + i] === byte);
}

/** Whether a zstd skippable frame comes first, as pzstd writes. Source: RFC 8878, section 3.1.2. */
function isZstdSkippable(bytes: Uint8Array): boolean {
  return (bytes[0]! & 0xf0) === 0x50 && startsWith(bytes, [0x2a, 0x4d, 0x18], 1);
}

/** Whether a tar header with a magic comes first, or the zero block that ends an empty tar. */
function isTar(bytes: Uint8Array): boolean {
  if (startsWith(bytes, USTAR_MAGIC, USTAR_MAGIC_AT)) return true;
  return bytes.length >= TAR_BLOCK_BYTES && bytes.subarray(0, TAR_BLOCK_BYTES).every((byte) => byte === 0);
}
