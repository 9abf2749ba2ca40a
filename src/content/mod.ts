/** File contents: from a place in a file to verified bytes. */
export { Content } from "./content.ts";
export type { ContentOptions, PrefetchOptions, SpanRange } from "./content_options.ts";
export type { ContentCounters } from "./counters.ts";
export { layerKey } from "./layer_key.ts";
export { LocalReaders, SpanState } from "./local_readers.ts";
export type { ContentObserver, Demand, ObservedFetch, ObservedRead, Tier } from "./observer.ts";
export { type Piece, planRead } from "./read_plan.ts";
export { type VerifiedLayers, verifyLayers } from "./verify_layers.ts";
