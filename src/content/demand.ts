import type { Demand } from "./observer.ts";

const RANKS: Readonly<Record<Demand, number>> = { read: 0, readahead: 1, prefetch: 2 };

/** Less than 0 where `a` goes before `b`. */
export function compareDemand(a: Demand, b: Demand): number {
  return RANKS[a] - RANKS[b];
}

/** The one of both that goes first. */
export function firstDemand(a: Demand, b: Demand): Demand {
  return RANKS[a] <= RANKS[b] ? a : b;
}
