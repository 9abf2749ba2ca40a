/** File contents: from a place in a file to verified bytes. */
export { Content, SpanState } from "./content.ts";
export type { ContentOptions, PrefetchOptions, SpanRange } from "./content_options.ts";
export type { ContentCounters } from "./counters.ts";
export type { ContentObserver, Demand, ObservedFetch, ObservedRead, Tier } from "./observer.ts";
export { type Piece, planRead } from "./read_plan.ts";
export { type VerifiedLayers, verifyLayers } from "./verify_layers.ts";
