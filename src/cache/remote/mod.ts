/** Caches that many machines share: stores of values by content, and the care with which they are asked. */
export type { ContentStore } from "./content_store.ts";
export {
  checkStoreUrl,
  DEFAULT_REMOTE_TIMEOUT_MS,
  openRemoteCache,
  openStore,
  REMOTE_CACHE_SCHEMES,
  type RemoteCacheOptions,
} from "./open_remote_cache.ts";
export {
  GET_RESULTS,
  type ObservedGet,
  type ObservedPut,
  PUT_RESULTS,
  type RemoteCacheObserver,
} from "./remote_cache_observer.ts";
