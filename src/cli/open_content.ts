import type { Logger } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { CacheRoomObserver, RemoteCacheObserver } from "../cache/mod.ts";
import { Content, type ContentObserver } from "../content/mod.ts";
import { type BlobStore, openBlobStore, parseImageReference } from "../oci/mod.ts";
import type { Io } from "./io.ts";
import { type CacheChoices, openCache } from "./open_cache.ts";
import { type RegistryChoices, sourceOptions } from "./registry_choices.ts";
import { openRemoteCaches, type RemoteCacheChoices } from "./open_remote_caches.ts";

/** The values of `contentOptions`, and of `registryOptions`. */
export interface ContentChoices extends CacheChoices, RemoteCacheChoices {
  readonly noCheckpoints: boolean;
  readonly inflate: InflateName;
  readonly source: string | undefined;
  readonly deadlineMs: number;
  readonly offline: boolean;
  readonly registry: RegistryChoices;
}

/** An archive's contents, ready to be read, and what is to be closed afterwards. */
export interface OpenContent {
  readonly content: Content;
  /** Waits a little for what remote caches are still being given. */
  close(): Promise<void>;
}

/** Wires an archive to the image's blobs and the cache. Nothing is fetched before the first read. */
export function openContent(
  archive: Archive,
  choices: ContentChoices,
  { io, log, observer, cacheObserver, onIdle }: {
    io: Io;
    log: Logger;
    onIdle?: () => void;
    observer?: ContentObserver | undefined;
    cacheObserver?: (CacheRoomObserver & RemoteCacheObserver) | undefined;
  },
): OpenContent {
  const reference = parseImageReference(choices.source ?? archive.image.source);
  // Opened when something is missing from the cache: what is complete there needs no source, not even a local one.
  let blobs: Promise<BlobStore> | undefined;
  const openBlobs = () => {
    const source = sourceOptions(choices.registry, { io, log });
    blobs ??= openBlobStore(reference, { ...source, requestTimeoutMs: choices.deadlineMs });
    blobs.catch(() => blobs = undefined);
    return blobs;
  };
  const remote = openRemoteCaches(choices, { io, log, observer: cacheObserver });
  const content = new Content({
    archive,
    blob: async (layer) => {
      const { digest, diffId, compressedBytes } = archive.image.layers[layer]!;
      return (await openBlobs()).layer({ digest, diffId, sizeBytes: compressedBytes });
    },
    cache: openCache(choices, { io, log, observer: cacheObserver }),
    useCheckpoints: !choices.noCheckpoints,
    inflate: choices.inflate,
    observer,
    deadlineMs: choices.deadlineMs,
    offline: choices.offline,
    remote,
    onIdle,
    log,
  });
  return {
    content,
    close: async () => {
      content.close();
      blobs?.then((store) => store.close(), () => {});
      await remote?.close();
    },
  };
}
