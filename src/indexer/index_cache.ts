import {
  ClipError,
  digestAlgorithm,
  digestHex,
  GIB,
  type Logger,
  messageOf,
  sha256,
  writeFileAtomically,
} from "../base/mod.ts";
import { codecForLayer } from "../codec/mod.ts";
import type { LayerDescriptor } from "../oci/mod.ts";
import { decodeLayerIndex, LAYER_INDEX_VERSION, type LayerIndexKey, SCAN_REVISION } from "./layer_index.ts";
import type { LayerScan, ScanLayerOptions } from "./layer_scan.ts";
import { trimFolder } from "./trim_folder.ts";

/** What the names of the cache's files end in. */
const SUFFIX = ".clipl";
/** Longest file that is read: a layer index is some tens of bytes an entry, before it is deflated. */
const MAX_FILE_BYTES = GIB;

/** Where scans are kept by the layer's digest. */
export interface LayerIndexes {
  /** What a scan of this layer with these options found; undefined where that is not known. Never throws for that. */
  read(layer: LayerDescriptor, options: ScanLayerOptions): Promise<LayerScan | undefined>;
  /**
   * Keeps `index`, the encoded `scan`. To be called only when the layer has been read whole and digest, size and diffId
   * were what the image says.
   */
  write(layer: LayerDescriptor, options: ScanLayerOptions, scan: LayerScan, index: Uint8Array): Promise<void>;
}

/**
 * What scans of layers have found, in a folder, one file a layer and set of options, for all processes of the machine.
 * Nothing in it is needed: what cannot be read is absent, what cannot be written is left out, with a warning either
 * way. Files are replaced whole and never changed, so that readers and writers need no lock.
 */
export class IndexCache implements LayerIndexes {
  #folder: string;
  #maxBytes: number;
  #log: Logger;

  /** Nothing is touched before the first use. @param options `maxBytes`: of all files together; the rest is removed. */
  constructor(folder: string, { maxBytes, log }: { maxBytes: number; log: Logger }) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /**
   * What a scan of this layer with these options found; undefined where none is kept, and where what is kept is not
   * true of the layer as the image describes it. A damaged file is removed. Counts as a use of the file.
   */
  async read(layer: LayerDescriptor, options: ScanLayerOptions): Promise<LayerScan | undefined> {
    const path = this.#path(layer, options);
    const bytes = await this.#readFile(path);
    if (bytes === undefined) return undefined;
    try {
      const scan = await scanOf(layer, options, { bytes, source: path });
      if (scan === undefined) {
        this.#log.debug("what is kept of a layer does not suit the image: it is scanned", {
          layer: layer.digest,
          path,
        });
        return undefined;
      }
      const now = new Date();
      await Deno.utime(path, now, now).catch(() => {}); // at worst it is removed too early
      return scan;
    } catch (error) {
      if (!(error instanceof ClipError)) throw error;
      this.#log.warn(`cannot reuse what is kept of a layer, it is scanned again: ${messageOf(error)}`);
      await Deno.remove(path).catch(() => {});
      return undefined;
    }
  }

  /**
   * Keeps `index`, the encoded `scan`, and removes the files used longest ago where there are too many. To be called
   * only when the layer has been read whole and digest, size and diffId were what the image says.
   */
  async write(layer: LayerDescriptor, options: ScanLayerOptions, scan: LayerScan, index: Uint8Array): Promise<void> {
    if (!suits(layer, scan) || index.length > this.#maxBytes) return;
    const path = this.#path(layer, options);
    try {
      await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFileAtomically(path, [index]);
      await trimFolder(this.#folder, { suffixes: [SUFFIX], maxBytes: this.#maxBytes, kept: path });
    } catch (error) {
      this.#log.warn(`cannot keep what was learnt of layer ${layer.digest}: ${messageOf(error)}`);
    }
  }

  #path(layer: LayerDescriptor, options: ScanLayerOptions): string {
    const name = `${digestAlgorithm(layer.digest)}_${digestHex(layer.digest)}-${optionsHash(options)}`;
    return `${this.#folder}/${name}${SUFFIX}`;
  }

  async #readFile(path: string): Promise<Uint8Array | undefined> {
    try {
      using file = await Deno.open(path);
      const { size, isFile } = await file.stat();
      if (!isFile || size > MAX_FILE_BYTES) throw new Error(`not a file of at most ${MAX_FILE_BYTES} bytes`);
      const bytes = new Uint8Array(size);
      let filled = 0;
      while (filled < size) {
        const read = await file.read(bytes.subarray(filled));
        if (read === null) break;
        filled += read;
      }
      return bytes.subarray(0, filled);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        this.#log.warn(`cannot read what is kept of a layer: ${path}: ${messageOf(error)}`);
      }
      return undefined;
    }
  }
}

/**
 * The scan in a layer index, which has to be of this layer and these options; undefined where it is not true of the
 * layer as the image describes it. @throws {ClipError} `corrupt`, `unsupported`.
 */
export async function scanOf(
  layer: LayerDescriptor,
  options: ScanLayerOptions,
  { bytes, source }: { bytes: Uint8Array; source: string },
): Promise<LayerScan | undefined> {
  const { key, scan } = await decodeLayerIndex(bytes, source);
  if (key.layerDigest !== layer.digest || optionsText(key) !== optionsText(layerIndexKey(layer, options))) {
    throw new ClipError("corrupt", `${source}: the layer index of another layer or of other options`);
  }
  return suits(layer, scan) ? scan : undefined;
}

/** 8 hex digits that stand for all that a layer index depends on besides its layer. */
export function optionsHash(options: ScanLayerOptions): string {
  const key = { options, scanRevision: SCAN_REVISION };
  const text = `${LAYER_INDEX_VERSION} ${optionsText(key)}`;
  return digestHex(sha256(new TextEncoder().encode(text))).slice(0, 8);
}

/**
 * What names a scan: the layer, and all that changes what is found in it. Who inflates does not, nor does the version of
 * Deno with its zlib: windows are deflated when an archive is made of them.
 */
export function layerIndexKey(layer: Pick<LayerDescriptor, "digest">, options: ScanLayerOptions): LayerIndexKey {
  const { strategy, spacingBytes, fileCheckpointBytes } = options;
  const kept = { strategy, spacingBytes, fileCheckpointBytes };
  return { layerDigest: layer.digest, options: kept, scanRevision: SCAN_REVISION };
}

/** All of a key but the layer: equal for equal options, in whatever order their fields were set. */
function optionsText({ options, scanRevision }: Pick<LayerIndexKey, "options" | "scanRevision">): string {
  const { strategy, spacingBytes, fileCheckpointBytes } = options;
  return JSON.stringify([scanRevision, strategy, spacingBytes, fileCheckpointBytes]);
}

/**
 * Whether the scan is of this layer as the image describes it. Left out are layers whose blob has no known digest (in a
 * docker archive, the diffId stands in its place), and those that are not what their media type says: a scan warns of
 * that, in words that depend on the media type.
 */
function suits(layer: LayerDescriptor, scan: LayerScan): boolean {
  if (layer.digest === layer.diffId && scan.codec !== "none") return false;
  return scan.compressedBytes === layer.sizeBytes && scan.diffId === layer.diffId &&
    scan.codec === promisedCodec(layer.mediaType);
}

function promisedCodec(mediaType: string): string | undefined {
  try {
    return codecForLayer({ mediaType, firstBytes: new Uint8Array(0) }).codec.name;
  } catch (error) {
    if (error instanceof ClipError) return undefined;
    throw error;
  }
}
