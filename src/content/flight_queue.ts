import type { LayerTables } from "../archive/mod.ts";
import { compareDemand } from "./demand.ts";
import type { Demand } from "./observer.ts";
import type { Run } from "./read_plan.ts";
import type { RunFlight } from "./run_flight.ts";

/** What may be taken out of the queue. */
export interface TakeOptions {
  /** Nothing less urgent than this. */
  readonly leastDemand: Demand;
  /** Runs beside the first are added as long as all of them make no more plain bytes than this. */
  readonly maxPlainBytes: number;
  /** Whether runs of less urgency may follow a more urgent one. */
  readonly mixed: boolean;
  /** Of the archive. */
  readonly layers: LayerTables;
}

/** Runs that wait to be fetched: the most urgent first, then in order of arrival. */
export class FlightQueue {
  #flights = new Set<RunFlight>();
  /** By first span; whole layers are not among them. */
  #byFirstSpan = new Map<number, RunFlight>();

  /** Adds one at the end. `joinable`: whether it may be fetched together with the one before it. */
  add(flight: RunFlight, { joinable }: { joinable: boolean }): void {
    this.#flights.add(flight);
    if (joinable) this.#byFirstSpan.set(flight.run.firstSpan, flight);
  }

  /** Takes one out, if it is there. */
  remove(flight: RunFlight): void {
    if (this.#byFirstSpan.get(flight.run.firstSpan) === flight) this.#byFirstSpan.delete(flight.run.firstSpan);
    this.#flights.delete(flight);
  }

  /** Takes out what is to be fetched next, and no more of it: one run, or several that follow one another in a layer. */
  take({ leastDemand, maxPlainBytes, mixed, layers }: TakeOptions): RunFlight[] {
    let first: RunFlight | undefined;
    for (const flight of this.#flights) {
      if (compareDemand(flight.demand, leastDemand) > 0) continue;
      if (first === undefined || compareDemand(flight.demand, first.demand) < 0) first = flight;
    }
    if (first === undefined) return [];
    const isJoinable = this.#byFirstSpan.get(first.run.firstSpan) === first;
    this.remove(first);
    if (isJoinable) first.cut(layers);
    const group = [first];
    let plainBytes = first.run.plainBytes;
    for (let last = first; isJoinable;) {
      const next = this.#byFirstSpan.get(last.run.endSpan);
      if (next === undefined || !follows(next.run, last.run)) break;
      if (!mixed && next.demand !== first.demand) break;
      plainBytes += next.run.plainBytes;
      if (plainBytes > maxPlainBytes) break;
      this.remove(next);
      next.cut(layers);
      group.push(last = next);
    }
    return group;
  }
}

/** Whether the bytes of `next` begin where those of `last` end, or with the last of them, which both have bits of. */
function follows(next: Run, last: Run): boolean {
  const gap = next.compressedOffset - last.compressedEndExclusive;
  return next.layer === last.layer && (gap === 0 || gap === -1);
}
