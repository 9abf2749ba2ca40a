import { indexImage, type IndexResult, type LayerStarts, type ScanLayerOptions } from "../indexer/mod.ts";
import type { BlobStore, DockerReference, Image } from "../oci/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import { type IndexCacheChoices, openIndexCache } from "./index_cache_options.ts";
import { type IndexingChoices, scanOptions } from "./indexing_options.ts";
import type { CommandContext } from "./io.ts";
import { createProgress } from "./progress.ts";
import { openLayerIndexes } from "./pulling_options.ts";
import type { RegistryChoices } from "./registry_choices.ts";

/** What was asked for of an index. */
export interface IndexChoices {
  readonly indexing: IndexingChoices;
  readonly reuse: IndexCacheChoices;
  readonly inflate: InflateName;
  /** The lowest so many layers; undefined for all. */
  readonly layerCount?: number | undefined;
  /** Instead of what `indexing` says: the options of an archive that is made anew. */
  readonly scan?: ScanLayerOptions | undefined;
  /** Places of checkpoints besides those of the strategy. */
  readonly starts?: LayerStarts | undefined;
  /** Where layers' indexes are shared with other machines. */
  readonly shared?: SharedLayerIndexes | undefined;
}

/** A repository of layers' indexes, and how it is used. */
export interface SharedLayerIndexes {
  readonly repository: DockerReference;
  /** Whether those that are not there are pushed. */
  readonly push: boolean;
  readonly registry: RegistryChoices;
}

/** Indexes an image and shows on standard error how far it has come. @throws as `indexImage`, or the signal's reason. */
export async function indexWithProgress(
  image: Image,
  blobs: BlobStore,
  { indexing, reuse, inflate, layerCount, scan, starts, shared }: IndexChoices,
  { io, log }: Pick<CommandContext, "io" | "log">,
): Promise<IndexResult> {
  const local = openIndexCache(reuse, { io, log });
  const remote = shared && await openLayerIndexes(shared.repository, { local, ...shared }, { io, log });
  const progress = createProgress(indexing.progress, io);
  try {
    const result = await indexImage(image, blobs, {
      ...(scan ?? scanOptions(indexing, inflate)),
      inflate,
      jobs: indexing.jobs,
      maxLayerBytes: indexing.maxLayerBytes,
      maxEntries: indexing.maxEntries,
      layerCount,
      starts,
      cache: remote?.indexes ?? local,
      log,
      signal: io.signal,
      onProgress: progress.onProgress,
    });
    io.signal.throwIfAborted();
    return result;
  } finally {
    remote?.close();
    progress.end();
  }
}
