import { GIB, SILENT, writeFileAtomically } from "../base/mod.ts";
import type { InflateName, StrategyName } from "../codec/mod.ts";
import type { IndexCache, LayerProgress } from "../indexer/mod.ts";
import { formatImageReference, machinePlatform, parseImageReference, parsePlatform, resolveImage } from "../oci/mod.ts";
import { type SourceChoices, sourceOptions } from "./source_choices.ts";

/** How to index an image. */
export interface IndexOptions extends SourceChoices {
  /** `os/architecture[/variant]`; default linux on this machine's architecture. */
  readonly platform?: string;
  /** Aim of the spacing between checkpoints in plain bytes; default 2 MiB. */
  readonly spacingBytes?: number;
  /** How checkpoints are chosen; default `exact`, with `inflate: "pako"` `file`. */
  readonly strategy?: StrategyName;
  /** Files of at least so many bytes get a checkpoint before them; null: none. Default 512 KiB. */
  readonly fileCheckpointBytes?: number | null;
  /** Index so many layers only, the lowest; default all. */
  readonly layerCount?: number;
  /** Refuse layers that unpack to more. Default 64 GiB, but no more than 4 GiB and 1032 times what they take compressed. */
  readonly maxLayerBytes?: number;
  /** Refuse images of more files and directories; default 4,000,000. */
  readonly maxEntries?: number;
  /** Layers read at once; default the number of processors. */
  readonly jobs?: number;
  /** Who inflates gzip; default `kernel`. */
  readonly inflate?: InflateName;
  /** A folder where what is learnt of layers is kept for the next image that has them, or such a cache; default none. */
  readonly indexCache?: string | IndexCache;
  /** Told of each layer how far it has come. */
  readonly onProgress?: (progress: LayerProgress) => void;
}

/** A layer as it was found. */
export interface IndexedLayer {
  /** Of the blob. */
  readonly digest: string;
  /** Of the plain stream. */
  readonly diffId: string;
  /** Length of the blob. */
  readonly compressedBytes: number;
  /** Length of the plain stream. */
  readonly plainBytes: number;
  /** How many checkpoints it got. */
  readonly checkpoints: number;
  /** Whether it was known from before, and not read. */
  readonly reused: boolean;
}

/** An archive that was made. */
export interface IndexedImage {
  /** The image by its digest: `docker://registry/name@sha256:…`. */
  readonly image: string;
  /** Lowest first. */
  readonly layers: readonly IndexedLayer[];
  /** The archive, in pieces that follow one another. */
  readonly archive: readonly Uint8Array[];
  /** Length of the archive. */
  readonly archiveBytes: number;
  /** Writes the archive to a file: all of it, or nothing. @throws {ClipError} `io` */
  write(path: string): Promise<void>;
}

/**
 * Reads an image's layers once, stores nothing, and makes an archive.
 * @param image As `clip index` takes it: `ubuntu:24.04`, `oci:DIR:TAG`, `docker-archive:FILE`…
 * @throws {ClipError} naming image or layer; the reason of `signal`.
 */
export async function index(image: string, options: IndexOptions = {}): Promise<IndexedImage> {
  const { log = SILENT, signal, inflate = "kernel", indexCache } = options;
  const platform = options.platform === undefined ? machinePlatform() : parsePlatform(options.platform);
  const reference = parseImageReference(image);
  // Loaded here: who only reads is not to wait for it.
  const indexer = await import("../indexer/mod.ts");
  const { image: found, blobs } = await resolveImage(reference, { ...sourceOptions(options), platform });
  try {
    const { archive, archiveBytes, scans, reused } = await indexer.indexImage(found, blobs, {
      strategy: options.strategy ?? indexer.defaultStrategy(inflate),
      spacingBytes: options.spacingBytes ?? indexer.DEFAULT_SPACING_BYTES,
      fileCheckpointBytes: options.fileCheckpointBytes === undefined
        ? indexer.DEFAULT_FILE_CHECKPOINT_BYTES
        : options.fileCheckpointBytes,
      layerCount: options.layerCount,
      maxLayerBytes: options.maxLayerBytes,
      maxEntries: options.maxEntries ?? indexer.DEFAULT_MAX_ENTRIES,
      jobs: options.jobs ?? navigator.hardwareConcurrency,
      inflate,
      cache: typeof indexCache === "string" ? new indexer.IndexCache(indexCache, { maxBytes: GIB, log }) : indexCache,
      log,
      ...(signal === undefined ? {} : { signal }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    });
    signal?.throwIfAborted();
    return {
      image: formatImageReference(found.pinnedReference),
      layers: scans.map(({ compressedBytes, plainBytes, checkpoints }, number) => {
        const { digest, diffId } = found.layers[number]!;
        const known = reused[number]!;
        return { digest, diffId, compressedBytes, plainBytes, checkpoints: checkpoints.length, reused: known };
      }),
      archive,
      archiveBytes,
      write: (path) => writeFileAtomically(path, archive),
    };
  } finally {
    blobs.close();
  }
}
