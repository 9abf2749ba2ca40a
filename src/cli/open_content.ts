import type { Logger } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { CacheRoomObserver, RemoteCacheObserver } from "../cache/mod.ts";
import type { Content, ContentObserver } from "../content/mod.ts";
import { wireContent } from "../library/mod.ts";
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
  const remote = openRemoteCaches(choices, { io, log, observer: cacheObserver });
  const { content, close } = wireContent(archive, {
    source: choices.source,
    reach: sourceOptions(choices.registry, { io, log }),
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
      await close();
      await remote?.close();
    },
  };
}
