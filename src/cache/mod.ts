/** Where verified plain bytes are kept. */
export { diskSpanCache } from "./disk_span_cache.ts";
export type { LayerCache, LayerKey, SpanCache } from "./layer_cache.ts";
export type { RemoteCache } from "./remote_cache.ts";
