/** Media types of the documents and layers of images. Source: OCI image-spec media-types.md; Docker manifest-v2-2.md. */
export const MediaType = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  ociLayerTar: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  ociEmpty: "application/vnd.oci.empty.v1+json",
} as const;

/** What the Accept header of a request for a manifest says: both formats, both kinds. */
export const MANIFEST_ACCEPT: string = [
  MediaType.ociIndex,
  MediaType.ociManifest,
  MediaType.dockerList,
  MediaType.dockerManifest,
].join(", ");

/** Layers that are tars, compressed or not; also those that are not for everybody to distribute. */
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+(?:gzip|zstd))?|docker\.image\.rootfs(?:\.foreign)?\.diff\.tar(?:\.(?:gzip|zstd))?)$/;

/** Configs of images. Docker before 1.10's successors pushed them as plain octets, and such images are still about. */
const CONFIG_TYPES: ReadonlySet<string> = new Set([
  MediaType.ociConfig,
  MediaType.dockerConfig,
  "application/octet-stream",
]);

/** What a document's media type says it is; undefined for types that say nothing of it. */
export function documentKind(mediaType: string): "index" | "manifest" | "schema1" | undefined {
  if (mediaType === MediaType.ociIndex || mediaType === MediaType.dockerList) return "index";
  if (mediaType === MediaType.ociManifest || mediaType === MediaType.dockerManifest) return "manifest";
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+/.test(mediaType) ? "schema1" : undefined;
}

/** Whether a manifest's config of this type is that of an image, not of some other artifact. */
export function isImageConfigType(mediaType: string): boolean {
  return CONFIG_TYPES.has(mediaType);
}

/** Whether a layer of this type is one that clip can read. */
export function isLayerType(mediaType: string): boolean {
  return LAYER_TYPE.test(mediaType);
}

/**
 * Whether layers of this type are mostly not where the image is. They are read all the same if they are.
 * Source: OCI image-spec layer.md, "Non-Distributable Layers".
 */
export function isNonDistributable(mediaType: string): boolean {
  return /\.(?:foreign\.diff|image\.layer\.nondistributable)\./.test(mediaType);
}

/** The media type in a Content-Type header: lower case, without parameters; empty where there is none. */
export function bareMediaType(header: string | null): string {
  return (header ?? "").split(";", 1)[0]!.trim().toLowerCase();
}
