import { indexImage, type IndexResult } from "../indexer/mod.ts";
import type { BlobStore, Image } from "../oci/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import { type IndexCacheChoices, openIndexCache } from "./index_cache_options.ts";
import { type IndexingChoices, scanOptions } from "./indexing_options.ts";
import type { CommandContext } from "./io.ts";
import { createProgress } from "./progress.ts";

/** What was asked for of an index. */
export interface IndexChoices {
  readonly indexing: IndexingChoices;
  readonly reuse: IndexCacheChoices;
  readonly inflate: InflateName;
  /** The lowest so many layers; undefined for all. */
  readonly layerCount?: number | undefined;
}

/** Indexes an image and shows on standard error how far it has come. @throws as `indexImage`, or the signal's reason. */
export async function indexWithProgress(
  image: Image,
  blobs: BlobStore,
  { indexing, reuse, inflate, layerCount }: IndexChoices,
  { io, log }: Pick<CommandContext, "io" | "log">,
): Promise<IndexResult> {
  const cache = openIndexCache(reuse, { io, log });
  const progress = createProgress(indexing.progress, io);
  try {
    const result = await indexImage(image, blobs, {
      ...scanOptions(indexing, inflate),
      inflate,
      jobs: indexing.jobs,
      maxLayerBytes: indexing.maxLayerBytes,
      maxEntries: indexing.maxEntries,
      layerCount,
      cache,
      log,
      signal: io.signal,
      onProgress: progress.onProgress,
    });
    io.signal.throwIfAborted();
    return result;
  } finally {
    progress.end();
  }
}
