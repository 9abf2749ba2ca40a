/** Where verified plain bytes are kept. */
export {
  type CachedLayer,
  type CachedMap,
  countPresent,
  type DiskRoom,
  diskRoom,
  isInUse,
  listLayers,
  removeLayer,
} from "./cache_folder.ts";
export {
  type CacheLimits,
  type CacheRoomObserver,
  defaultLimits,
  type Evicted,
  evictLayers,
  measureRoom,
} from "./cache_room.ts";
export { diskSpanCache, type DiskSpanCacheOptions } from "./disk_span_cache.ts";
export type { LayerCache, LayerKey, LayerUse, SpanCache } from "./layer_cache.ts";
export type { RemoteCache } from "./remote_cache.ts";
export {
  checkStoreUrl,
  DEFAULT_REMOTE_TIMEOUT_MS,
  GET_RESULTS,
  type ObservedGet,
  type ObservedPut,
  openRemoteCache,
  PUT_RESULTS,
  REMOTE_CACHE_SCHEMES,
  type RemoteCacheObserver,
  type RemoteCacheOptions,
} from "./remote/mod.ts";
