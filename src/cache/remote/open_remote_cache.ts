import { type Logger, UsageError } from "../../base/mod.ts";
import type { RemoteCache } from "../remote_cache.ts";
import { type Environment, parseStorageUrl } from "../../storage/mod.ts";
import type { ContentStore, OpenStore } from "./content_store.ts";
import { openHttpStore } from "./http_store.ts";
import { openRedisStore } from "./redis_store.ts";
import type { RemoteCacheObserver } from "./remote_cache_observer.ts";
import { openS3Store } from "./s3_store.ts";
import { TieredRemoteCache } from "./tiered_remote_cache.ts";

/** Stores by the scheme of their URLs. */
const STORES: Readonly<Record<string, OpenStore>> = {
  "redis:": openRedisStore,
  "rediss:": openRedisStore,
  "s3:": openS3Store,
  "http:": openHttpStore,
  "https:": openHttpStore,
};

/** The schemes of URLs that {@linkcode openRemoteCache} knows, as `redis://`. */
export const REMOTE_CACHE_SCHEMES: readonly string[] = Object.keys(STORES).map((scheme) => `${scheme}//`);

/** The longest wait for one value of one store when nothing is said. */
export const DEFAULT_REMOTE_TIMEOUT_MS = 500;

/** How remote caches are asked. */
export interface RemoteCacheOptions {
  /** The longest wait for one value of one store; default {@linkcode DEFAULT_REMOTE_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
  /** Told when stores fail, when they are back, and of wrong values. */
  readonly log: Logger;
  /** Told of every question and of every value stored. */
  readonly observer?: RemoteCacheObserver;
  /** Where S3 stores look for what their URLs do not say. */
  readonly env: Environment;
}

/**
 * The stores that `urls` name as one cache: `redis://`, `rediss://`, `s3://`, `http://`, `https://`, asked in this
 * order. Nothing waits for their servers here.
 * @throws {UsageError} for a URL that is not one of a store; the message holds no credentials.
 */
export function openRemoteCache(urls: readonly string[], options: RemoteCacheOptions): RemoteCache {
  const { timeoutMs = DEFAULT_REMOTE_TIMEOUT_MS, log, observer = {} } = options;
  const stores = urls.map((url) => openStore(url, options.env));
  for (const store of stores) store.connect?.();
  return new TieredRemoteCache(stores, { timeoutMs, log, observer });
}

/** Returns if `text` is the URL of a store. @throws {UsageError} if not; the message holds no credentials. */
export function checkStoreUrl(text: string): void {
  openStore(text, () => undefined);
}

/** The store that a URL names; nothing is connected yet. @throws {UsageError} */
export function openStore(text: string, env: Environment): ContentStore {
  const url = parseStorageUrl(text, "remote cache");
  const open = Object.hasOwn(STORES, url.protocol) ? STORES[url.protocol] : undefined;
  if (open !== undefined) return open(url, env);
  throw new UsageError(`a remote cache cannot be ${url.protocol}//…; known are ${REMOTE_CACHE_SCHEMES.join(", ")}`);
}
