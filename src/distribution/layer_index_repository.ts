import {
  ClipError,
  CorruptError,
  digestAlgorithm,
  digestHex,
  formatBytes,
  GIB,
  type Logger,
  messageOf,
  MIB,
} from "../base/mod.ts";
import {
  encodeLayerIndex,
  type LayerIndexes,
  layerIndexKey,
  type LayerScan,
  optionsHash,
  type ScanLayerOptions,
  scanOf,
} from "../indexer/mod.ts";
import type { ArtifactRepository, LayerDescriptor } from "../oci/mod.ts";
import { ANNOTATIONS, LAYER_INDEX_TYPE } from "./archive_artifact.ts";

/** A layer index holds less than its layer, unless that is small. */
const FREE_BYTES = 64 * MIB;
const MAX_INDEX_BYTES = GIB;

/**
 * The tag of a layer's index: the layer's digest, and 8 digits for the options. Undefined where no tag has room for the
 * digest (sha512).
 */
export function layerIndexTag(
  { digest }: Pick<LayerDescriptor, "digest">,
  options: ScanLayerOptions,
): string | undefined {
  const tag = `${digestAlgorithm(digest)}-${digestHex(digest)}.clipl-${optionsHash(options)}`;
  return tag.length <= 128 ? tag : undefined;
}

/** What a {@linkcode LayerIndexRepository} is made of. */
export interface LayerIndexRepositoryOptions {
  /** Asked first; what was scanned is kept there, what was pulled is not: it is somebody else's word. */
  readonly local: LayerIndexes | undefined;
  /** Whether layers' indexes that are not in the repository are pushed. */
  readonly push: boolean;
  readonly clipVersion: string;
  readonly log: Logger;
}

/**
 * Layers' indexes in a repository, one artifact a layer and set of options, under a tag made of both. Nothing in it is
 * needed: what cannot be had is scanned, what cannot be pushed is left out, with a warning either way.
 */
export class LayerIndexRepository implements LayerIndexes {
  /** How many were pulled. */
  pulled = 0;
  readonly #repository: ArtifactRepository;
  readonly #options: LayerIndexRepositoryOptions;

  /** The caller closes the repository. */
  constructor(repository: ArtifactRepository, options: LayerIndexRepositoryOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  /** What {@linkcode LayerIndexes} says of `read`. */
  async read(layer: LayerDescriptor, options: ScanLayerOptions): Promise<LayerScan | undefined> {
    const known = await this.#options.local?.read(layer, options);
    if (known !== undefined) {
      if (this.#options.push) {
        await this.#push(layer, options, () => encodeLayerIndex(known, layerIndexKey(layer, options)));
      }
      return known;
    }
    return await this.#orWarn(`cannot pull what is known of layer ${layer.digest}`, () => this.#pull(layer, options));
  }

  /** What {@linkcode LayerIndexes} says of `write`. */
  async write(layer: LayerDescriptor, options: ScanLayerOptions, scan: LayerScan, index: Uint8Array): Promise<void> {
    await this.#options.local?.write(layer, options, scan, index);
    if (this.#options.push) await this.#push(layer, options, () => index);
  }

  async #pull(layer: LayerDescriptor, options: ScanLayerOptions): Promise<LayerScan | undefined> {
    const tag = layerIndexTag(layer, options);
    const artifact = tag === undefined ? undefined : await this.#repository.read(tag);
    if (artifact === undefined) return undefined;
    const source = `${this.#repository.name}:${tag}`;
    const [blob] = artifact.blobs;
    if (artifact.artifactType !== LAYER_INDEX_TYPE || blob?.mediaType !== LAYER_INDEX_TYPE) {
      const details = { subject: "artifact manifest", source, field: "artifactType", expected: LAYER_INDEX_TYPE };
      throw new CorruptError({ ...details, actual: JSON.stringify(artifact.artifactType) });
    }
    const most = Math.min(MAX_INDEX_BYTES, FREE_BYTES + layer.sizeBytes);
    if (blob.sizeBytes > most) {
      const sizes = `${formatBytes(blob.sizeBytes)}, at most ${formatBytes(most)} are pulled`;
      throw new ClipError("limit", `${source}: a layer index of ${sizes}`);
    }
    const bytes = await this.#repository.blob(blob, source);
    const scan = await scanOf(layer, options, { bytes, source });
    if (scan !== undefined) this.pulled++;
    return scan;
  }

  async #push(layer: LayerDescriptor, options: ScanLayerOptions, encode: () => Uint8Array): Promise<void> {
    const tag = layerIndexTag(layer, options);
    if (tag === undefined) return;
    await this.#orWarn(`cannot push what is known of layer ${layer.digest}`, async () => {
      if (await this.#repository.read(tag) !== undefined) return;
      await this.#repository.push({
        artifactType: LAYER_INDEX_TYPE,
        blobType: LAYER_INDEX_TYPE,
        blob: new Uint8Array(encode()),
        title: `${digestHex(layer.digest).slice(0, 12)}.clipl`,
        subject: undefined,
        annotations: { [ANNOTATIONS.layer]: layer.digest, [ANNOTATIONS.clipVersion]: this.#options.clipVersion },
      }, [tag]);
    });
  }

  async #orWarn<Value>(what: string, work: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ClipError) || error.code === "aborted") throw error;
      this.#options.log.warn(`${what} in ${this.#repository.name}: ${messageOf(error)}`);
      return undefined;
    }
  }
}
