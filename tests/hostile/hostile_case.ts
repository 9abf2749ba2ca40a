/** Images that mean harm, or were made by a program that does not know better, in OCI layouts. */
import { gzipSync } from "node:zlib";
import { sha256 } from "../../src/base/mod.ts";
import { GZIP_LAYER } from "../indexer/memory_image.ts";
import type { LayoutWriter } from "../oci/make_layout.ts";
import { tar, tarEntry, type TarEntryFields } from "../tar/tar_builder.ts";

/** What `clip index` is given, and what it has to say. */
export interface HostileCase {
  readonly name: string;
  /** Writes the layout; the reference, where it is not `oci:LAYOUT:v1`. */
  make(layout: LayoutWriter): string | void;
  /** Of the whole line behind `clip: error: `, as {@linkcode withoutDigests} has it. */
  readonly message: RegExp;
  /** Further options of `clip index`. */
  readonly options?: readonly string[];
}

/** A layer, and what the image says of it. */
export interface HostileLayer {
  readonly blob: Uint8Array;
  /** Default sha256 of `plain`, or of nothing where neither is known: those layers are refused before it counts. */
  readonly diffId?: string;
  readonly plain?: Uint8Array;
  readonly mediaType?: string;
  /** Said of the blob in the manifest, in place of what is so. */
  readonly descriptor?: Record<string, unknown>;
}

/** A message without what says nothing about a case: digests, and the layer's behind its number. */
export function withoutDigests(message: string): string {
  return message.replaceAll(/sha256:[0-9a-f]{64}/g, "sha256:…").replaceAll(/layer (\d+) \(sha256:…\)/g, "layer $1");
}

export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const INDEX = "application/vnd.oci.image.index.v1+json";
export const CONFIG = "application/vnd.oci.image.config.v1+json";
export const ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd";

/** Writes an image with the tag v1. `manifest` and `config` are put over what they would say. */
export function writeHostileImage(
  layout: LayoutWriter,
  layers: readonly HostileLayer[],
  { manifest = {}, config = {} }: { manifest?: Record<string, unknown>; config?: Record<string, unknown> } = {},
): void {
  const diffIds = layers.map(({ diffId, plain = new Uint8Array(0) }) => diffId ?? sha256(plain));
  const rootfs = { type: "layers", diff_ids: diffIds };
  const document = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: layout.addJson({ os: "linux", architecture: "amd64", rootfs, ...config }, CONFIG),
    layers: layers.map(({ blob, mediaType, descriptor }) => {
      return { ...layout.addBlob(blob, mediaType ?? GZIP_LAYER), ...descriptor };
    }),
    ...manifest,
  };
  layout.addEntry(layout.addJson(document, MANIFEST), "v1");
}

/** A layer of these entries, as sound as they are. */
export function layerOf(...entries: (TarEntryFields | Uint8Array)[]): HostileLayer {
  const plain = tar(...entries.map((entry) => entry instanceof Uint8Array ? entry : tarEntry(entry)));
  return { blob: gzipSync(plain, { level: 1 }), plain };
}

/** A case of one layer with these entries. */
export function entriesCase(name: string, message: RegExp, ...entries: (TarEntryFields | Uint8Array)[]): HostileCase {
  return { name, message, make: (layout) => writeHostileImage(layout, [layerOf(...entries)]) };
}

/** A case of one layer. */
export function layerCase(
  name: string,
  message: RegExp,
  layer: () => HostileLayer,
  options: readonly string[] = [],
): HostileCase {
  return { name, message, options, make: (layout) => writeHostileImage(layout, [layer()]) };
}

/** `count` times the same, as gzip members: little to make, much to read. */
export function repeatedMembers(first: Uint8Array, plain: Uint8Array, count: number): Uint8Array {
  const member = gzipSync(plain, { level: 9 });
  const head = gzipSync(first);
  const blob = new Uint8Array(head.length + count * member.length);
  blob.set(head);
  for (let i = 0; i < count; i++) blob.set(member, head.length + i * member.length);
  return blob;
}
