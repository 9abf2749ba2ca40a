/** Writes OCI layouts directly, so that their flaws can be chosen. Source: OCI image-spec image-layout.md. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { concatenate, tarEnd, type TarMember, tarMember } from "./tar_writer.ts";

/** A layer whose blob lies in the layout. */
export interface LayoutLayer {
  readonly mediaType: string;
  /** `sha256:…` of the blob. */
  readonly digest: string;
  /** `sha256:…` of the tar. */
  readonly diffId: string;
  readonly sizeBytes: number;
}

/** The media type of gzip layers. */
export const GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";

/** `sha256:…` of some bytes. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The path of a blob in a layout. */
export function blobPath(layout: string, digest: string): string {
  return `${layout}/blobs/${digest.replace(":", "/")}`;
}

/** Puts a blob into a layout; its digest. */
export function writeBlob(layout: string, bytes: Uint8Array | string): string {
  const digest = digestOf(bytes);
  Deno.mkdirSync(`${layout}/blobs/sha256`, { recursive: true });
  Deno.writeFileSync(blobPath(layout, digest), typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  return digest;
}

/** Puts a gzip layer of these members into a layout. */
export function writeLayer(layout: string, members: readonly TarMember[]): LayoutLayer {
  return writeTarLayer(layout, concatenate([...members.map(tarMember), tarEnd()]));
}

/** Puts a tar into a layout as a layer: compressed by gzip, unless its blob is given. */
export function writeTarLayer(
  layout: string,
  tar: Uint8Array,
  { blob = gzipSync(tar), mediaType = GZIP_LAYER }: { blob?: Uint8Array; mediaType?: string } = {},
): LayoutLayer {
  return { mediaType, digest: writeBlob(layout, blob), diffId: digestOf(tar), sizeBytes: blob.length };
}

/** A document in a layout, and what an index may say of it. */
export interface LayoutDocument {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Puts a document into a layout. */
export function writeDocument(layout: string, mediaType: string, value: unknown): LayoutDocument {
  const text = JSON.stringify(value);
  return { mediaType, digest: writeBlob(layout, text), size: new TextEncoder().encode(text).length };
}

/** Puts config and manifest of an image of the layers, all in the layout already, into it; in Docker's types or OCI's. */
export function writeManifest(
  layout: string,
  layers: readonly LayoutLayer[],
  architecture: string,
  types: { readonly manifest: string; readonly config: string } = { manifest: MANIFEST, config: CONFIG },
): LayoutDocument {
  const platform = { os: "linux", architecture };
  const rootfs = { type: "layers", diff_ids: layers.map((layer) => layer.diffId) };
  const config = writeDocument(layout, types.config, { ...platform, config: { Cmd: ["/bin/sh"] }, rootfs });
  const descriptors = layers.map(({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes }));
  const value = { schemaVersion: 2, mediaType: types.manifest, config, layers: descriptors };
  return { ...writeDocument(layout, types.manifest, value), platform };
}

/** Makes `document` the only image of a layout, with the tag `latest`. */
export function writeIndex(layout: string, document: LayoutDocument): void {
  const manifests = [{ ...document, annotations: { "org.opencontainers.image.ref.name": "latest" } }];
  Deno.writeTextFileSync(`${layout}/index.json`, JSON.stringify({ schemaVersion: 2, manifests }));
  Deno.writeTextFileSync(`${layout}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/** Makes an image of the layers, all in the layout already, the only one there, with the tag `latest`. */
export function writeImage(layout: string, layers: readonly LayoutLayer[], architecture: string): void {
  writeIndex(layout, writeManifest(layout, layers, architecture));
}

/** The machine's architecture in OCI's words: images made here are for it. */
export const ARCHITECTURE: string = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** A layout of an image with two small layers; the layers, lowest first. */
export function writeSmallImage(layout: string): LayoutLayer[] {
  const text = (content: string) => new TextEncoder().encode(content);
  const numbers = text(Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join(""));
  const layers = [
    writeLayer(layout, [
      { path: "etc/", type: "5", mode: 0o755 },
      { path: "etc/hostname", data: text("small\n") },
      { path: "numbers", data: numbers, mtime: "1700000000.5" },
    ]),
    writeLayer(layout, [{ path: "etc/motd", data: text("hello\n"), xattrs: { "user.kind": "greeting" } }]),
  ];
  writeImage(layout, layers, ARCHITECTURE);
  return layers;
}
