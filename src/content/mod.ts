/** File contents: from a place in a file to verified bytes. */
export { Content } from "./content.ts";
export type { ContentOptions, PrefetchOptions, ReadOptions, SpanRange } from "./content_options.ts";
export type { ContentCounters } from "./counters.ts";
export { layerKey } from "./layer_key.ts";
export {
  type ContentObserver,
  type Demand,
  DEMANDS,
  type ObservedFetch,
  type ObservedRead,
  tellBoth,
  type Tier,
  TIERS,
} from "./observer.ts";
export { filesBelow, planAll, planFiles, planProfile } from "./prefetch_plan.ts";
export {
  bindProfile,
  type BoundProfile,
  formatProfile,
  type LayerRange,
  MAX_PROFILE_BYTES,
  mergeProfiles,
  parseProfile,
  profileOf,
  profileStarts,
} from "./profile.ts";
export { ProfileRecorder } from "./profile_recorder.ts";
export { type Piece, planRead, planRun, type Run } from "./read_plan.ts";
export { type VerifiedLayers, verifyLayers } from "./verify_layers.ts";
export { type VerifiedCache, verifyCache } from "./verify_cache.ts";
