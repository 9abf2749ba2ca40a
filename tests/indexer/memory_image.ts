/** Images in memory: layers as bytes, with everything that names them right. */
import { gzipSync } from "node:zlib";
import { type Digest, sha256 } from "../../src/base/mod.ts";
import { type Archive, openArchive } from "../../src/archive/mod.ts";
import {
  indexImage,
  LayerScanner,
  type LayerStarts,
  mergeLayers,
  type ScanLayerOptions,
} from "../../src/indexer/mod.ts";
import { type ArchiveContents, encodeArchive } from "../../src/archive/mod.ts";
import { type BlobStore, type Image, type LayerDescriptor, parseImageReference } from "../../src/oci/mod.ts";
import { WatchedSource } from "./watched_source.ts";
import type { SeededRandom } from "../codec/seeded_random.ts";
import { DeflateWriter, gzipMember } from "../codec/deflate_writer.ts";
import { join, tar, tarEntry, type TarEntryFields } from "../tar/tar_builder.ts";

export const GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
export const TAR_LAYER = "application/vnd.oci.image.layer.v1.tar";

/** Small units, so that little data has many spans. */
export const SMALL_SPANS: ScanLayerOptions = {
  strategy: "file",
  spacingBytes: 128 * 1024,
  fileCheckpointBytes: 64 * 1024,
};

/** A layer in memory. */
export interface MemoryLayer {
  readonly plain: Uint8Array;
  readonly blob: Uint8Array;
  readonly mediaType: string;
}

/** A gzip layer of these entries; a Uint8Array is taken as it is. */
export function gzipLayer(...entries: (TarEntryFields | Uint8Array)[]): MemoryLayer {
  const plain = tarOf(entries);
  return { plain, blob: gzipSync(plain, { level: 6 }), mediaType: GZIP_LAYER };
}

/** An uncompressed layer of these entries. */
export function tarLayer(...entries: (TarEntryFields | Uint8Array)[]): MemoryLayer {
  const plain = tarOf(entries);
  return { plain, blob: plain, mediaType: TAR_LAYER };
}

function tarOf(entries: readonly (TarEntryFields | Uint8Array)[]): Uint8Array {
  return tar(...entries.map((entry) => entry instanceof Uint8Array ? entry : tarEntry(entry)));
}

/** Bytes that compress about as well as programs do. */
export function programLike(length: number, random: SeededRandom): Uint8Array<ArrayBuffer> {
  const words = Array.from({ length: 300 }, () => random.bytes(2 + random.below(9)));
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const word = random.below(30) === 0 ? random.bytes(20) : words[random.below(300)]!;
    bytes.set(word.subarray(0, length - at), at);
    at += word.length;
  }
  return bytes;
}

/**
 * A gzip layer with one file, `/huge`, all of it one deflate block, as `igzip -0` makes it: a decoder can start at its
 * beginning only. 32 KiB of noise, then copies of what came before from changing distances.
 */
export function oneBlockLayer(approximateBytes: number, random: SeededRandom): MemoryLayer {
  const literals = random.bytes(32_768);
  const copies = Math.ceil((approximateBytes - literals.length) / 258);
  const fileBytes = literals.length + copies * 258;
  const header = tarEntry({ path: "huge", size: fileBytes });
  const plain = new Uint8Array(512 + Math.ceil(fileBytes / 512) * 512 + 1024);
  const writer = new DeflateWriter().fixed(true);
  let at = 0;
  const addLiterals = (bytes: Uint8Array) => {
    for (const byte of bytes) writer.symbol(byte);
    plain.set(bytes, at);
    at += bytes.length;
  };
  addLiterals(header);
  addLiterals(literals);
  for (let i = 0; i < copies; i++) {
    const extra = random.below(8192);
    writer.copy258({ distanceSymbol: 29, extra, extraBits: 13 });
    plain.copyWithin(at, at - 24_577 - extra, at - 24_577 - extra + 258);
    at += 258;
  }
  addLiterals(new Uint8Array(plain.length - at));
  return { plain, blob: gzipMember(writer.endOfBlock().deflate, plain), mediaType: GZIP_LAYER };
}

/** The descriptor of a layer. */
export function descriptorOf({ plain, blob, mediaType }: MemoryLayer): LayerDescriptor {
  return { digest: sha256(blob), diffId: sha256(plain), sizeBytes: blob.length, mediaType };
}

/** An image and its blobs; `sources` are by digest, and the test's to change. */
export interface MemoryImage {
  readonly image: Image;
  readonly blobs: BlobStore;
  readonly sources: Map<Digest, WatchedSource>;
}

/** An image of these layers. `descriptors` may say of them what is not so. */
export function memoryImage(
  layers: readonly MemoryLayer[],
  descriptors: readonly LayerDescriptor[] = layers.map(descriptorOf),
): MemoryImage {
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const diffIds = descriptors.map(({ diffId }) => diffId);
  const config = {
    os: "linux",
    architecture: "amd64",
    config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: diffIds },
  } as const;
  const configBytes = text(config);
  const manifestMediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifestBytes = text({ schemaVersion: 2, mediaType: manifestMediaType, layers: descriptors });
  const sources = new Map(layers.map((layer, i) => {
    const source = new WatchedSource(layer.blob, `blob ${i}`);
    return [descriptors[i]!.digest, source];
  }));
  const reference = parseImageReference("docker://registry.test/app:v1");
  return {
    image: {
      reference,
      pinnedReference: reference,
      platform: { os: "linux", architecture: "amd64" },
      rootDigest: sha256(manifestBytes),
      manifestDigest: sha256(manifestBytes),
      manifestMediaType,
      manifestBytes,
      configDigest: sha256(configBytes),
      configBytes,
      config,
      layers: descriptors,
    },
    blobs: { description: "memory", layer: ({ digest }) => sources.get(digest)!, close: () => {} },
    sources,
  };
}

/** Scans layers in this thread and makes an archive of them, changed: what `indexImage` does, without Workers. */
export async function archiveOf(
  layers: readonly MemoryLayer[],
  { starts, ...options }: ScanLayerOptions & { readonly starts?: LayerStarts | undefined } = SMALL_SPANS,
  change: (contents: ArchiveContents) => ArchiveContents = (contents) => contents,
): Promise<{ archive: Archive; bytes: Uint8Array; sources: WatchedSource[] }> {
  const { image } = memoryImage(layers);
  const scans = layers.map((layer, i) => {
    const scanner = new LayerScanner(layer.mediaType, options, { starts: starts?.get(image.layers[i]!.diffId) ?? [] });
    scanner.push(layer.blob);
    return scanner.finish();
  });
  const contents: ArchiveContents = {
    image: {
      source: "docker://registry.test/app:v1",
      platform: image.platform,
      manifestDigest: image.manifestDigest,
      manifestMediaType: image.manifestMediaType,
      configDigest: image.configDigest,
      options,
    },
    manifest: image.manifestBytes,
    config: image.configBytes,
    layers: scans.map((scan, i) => ({
      info: {
        digest: image.layers[i]!.digest,
        diffId: image.layers[i]!.diffId,
        mediaType: image.layers[i]!.mediaType,
        codec: scan.codec,
        compressedBytes: scan.compressedBytes,
        plainBytes: scan.plainBytes,
      },
      checkpoints: scan.checkpoints,
      spans: scan.spans,
    })),
    root: mergeLayers(scans.map((scan) => scan.entries), () => {}),
  };
  const bytes = join(...encodeArchive(change(contents)));
  return {
    archive: await openArchive(new WatchedSource(bytes, "test.clip")),
    bytes,
    sources: layers.map((layer, i) => new WatchedSource(layer.blob, `blob ${i}`)),
  };
}

/** Indexes an image in memory with Workers; the archive in one piece. */
export async function indexInMemory(
  { image, blobs }: Pick<MemoryImage, "image" | "blobs">,
  options: Parameters<typeof indexImage>[2],
): Promise<Uint8Array> {
  return join(...(await indexImage(image, blobs, options)).archive);
}
