/** Where what is learnt of layers is kept of layers: the options, and the cache they ask for. */
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { GIB, type Logger, UsageError } from "../base/mod.ts";
import { IndexCache } from "../indexer/mod.ts";
import type { Io } from "./io.ts";
import { defaultCacheDir } from "./open_cache.ts";
import { path, size } from "./basic_options.ts";

const DEFAULT_MAX_BYTES = GIB;

/** How layers that are known from before are reused. */
export const indexCacheOptions = object("Layer reuse", {
  indexCache: optional(
    option("--index-cache", path("DIR|none"), {
      description: message`Where what is learnt of layers is kept, so that no image with them reads them again; \
default index in $CLIP_CACHE_DIR, or in clip in the user's cache folder.`,
    }),
  ),
  maxBytes: withDefault(
    option("--index-cache-size", size(), {
      description: message`How much of it is kept; what was used longest ago is removed. Default 1GiB.`,
    }),
    DEFAULT_MAX_BYTES,
  ),
});

/** The values of {@linkcode indexCacheOptions}. */
export interface IndexCacheChoices {
  readonly indexCache: string | undefined;
  readonly maxBytes: number;
}

/**
 * The cache that is asked for; undefined for `none`, and where nothing is said and there is no place for one.
 */
export function openIndexCache(
  { indexCache, maxBytes }: IndexCacheChoices,
  { io, log }: { io: Pick<Io, "env">; log: Logger },
): IndexCache | undefined {
  if (indexCache === "none") return undefined;
  try {
    return new IndexCache(indexCache ?? `${defaultCacheDir(io)}/index`, { maxBytes, log });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    log.info("what is learnt of layers is not kept: neither --index-cache nor CLIP_CACHE_DIR nor HOME is set");
    return undefined;
  }
}
