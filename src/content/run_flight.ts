import type { LayerTables } from "../archive/mod.ts";
import { firstDemand } from "./demand.ts";
import type { SpanPart } from "./decode_messages.ts";
import type { DecodeTask } from "./decode_task.ts";
import type { Demand, Tier } from "./observer.ts";
import { cutRun, type Run } from "./read_plan.ts";

/** A span that was had. */
export interface HadSpan {
  /** Not to be changed; undefined: they are to be looked for in the store. */
  readonly bytes: Uint8Array | undefined;
  /** Where they begin in the span, of which there may be more. */
  readonly offset: number;
  /** Where it came from. */
  readonly tier: Tier;
}

/** Who waits for a span, and what of it readers among them need, which may grow. */
interface Waiter extends PromiseWithResolvers<HadSpan> {
  readonly want: { readonly part: SpanPart | undefined };
}

/** The span is to be looked for in the store. */
export const AT_HAND: HadSpan = { bytes: undefined, offset: 0, tier: "disk" };

/**
 * A run that is wanted: queued, then under way, then over. Those who wait for one of its spans are answered as soon as
 * that span has passed.
 */
export class RunFlight {
  #run: Run;
  /** The most urgent of those who want it. */
  demand: Demand;
  /** By which it is found: that of the run as it was at first. */
  key = -1;
  /** Whether its work has begun: it can no longer be taken back. */
  isUnderWay = false;
  /** Whether this process has the right to fetch it. */
  isClaimed = false;
  /** Whether it is over. */
  isOver = false;
  /** The decoding, once that has begun. */
  task: DecodeTask | undefined;
  /** Resolves when it is over, whatever came of it. */
  readonly ended: Promise<void>;
  #end: () => void;
  #passed: Uint8Array;
  #waiters = new Map<number, Waiter>();
  /** Spans that readers have been given before they were written. */
  #owed = new Set<number>();
  #settled: PromiseWithResolvers<void> | undefined;

  /** Queued. */
  constructor(run: Run, demand: Demand) {
    this.#run = run;
    this.demand = demand;
    this.#passed = new Uint8Array(run.endSpan - run.firstSpan);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** What is fetched. */
  get run(): Run {
    return this.#run;
  }

  /**
   * A prefetch that has not begun leaves out what lies behind the last span that it is for; a reader is likely to go on
   * to there.
   */
  cut(layers: LayerTables): void {
    if (this.demand !== "prefetch" || this.#waiters.size === 0) return;
    this.#run = cutRun(layers, this.#run, Math.max(...this.#waiters.keys()) + 1);
  }

  /** How many spans somebody waits for. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Whether somebody waits for that span. */
  isWanted(span: number): boolean {
    return this.#waiters.has(span);
  }

  /** What readers wait for of that span. */
  wanted(span: number): SpanPart | undefined {
    return this.#waiters.get(span)?.want.part;
  }

  /** Whether that span has gone by already, or has been left out: who wants it now is not answered by this flight. */
  hasPassed(span: number): boolean {
    return span >= this.#run.endSpan || this.#passed[span - this.#run.firstSpan] !== 0;
  }

  /** Makes it as urgent as `demand`, if it is not yet. */
  raise(demand: Demand): void {
    this.demand = firstDemand(this.demand, demand);
    if (this.task !== undefined) this.task.demand = this.demand;
  }

  /** A span that has not passed yet, for the one want of it. Rejects with what ends the flight before it. */
  span(span: number, want: { readonly part: SpanPart | undefined }): Promise<HadSpan> {
    const waiter = { ...Promise.withResolvers<HadSpan>(), want };
    this.#waiters.set(span, waiter);
    return waiter.promise;
  }

  /** Nobody waits for that span any more. */
  leave(span: number, reason: unknown): void {
    this.#waiters.get(span)?.reject(reason);
    this.#waiters.delete(span);
  }

  /** Answers those who wait for a span. It has passed only once it is at hand for those who come later. */
  answer(span: number, had: HadSpan): void {
    this.#waiters.get(span)?.resolve(had);
    this.#waiters.delete(span);
  }

  /** The same with a span that is verified and about to be written. */
  answerEarly(span: number, had: HadSpan): void {
    this.answer(span, had);
    this.#owed.add(span);
  }

  /** A span is at hand, or is gone for good: who comes later has to look elsewhere. */
  pass(span: number, had: HadSpan): void {
    this.answer(span, had);
    this.#passed[span - this.#run.firstSpan] = 1;
    this.#owed.delete(span);
    if (this.#owed.size === 0) this.#settled?.resolve();
  }

  /** Resolves when what readers have been given is written as well, or the flight is over. */
  settled(): Promise<void> {
    if (this.#owed.size === 0 || this.isOver) return Promise.resolve();
    return (this.#settled ??= Promise.withResolvers<void>()).promise;
  }

  /** Over: who still waits gets `error`. From now on nobody may be sent here. */
  finish(error: unknown): void {
    this.isOver = true;
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#waiters.clear();
    this.#settled?.resolve();
    this.#end();
  }
}

/** Flights in order, cut where one does not follow the other. */
export function consecutive(flights: readonly RunFlight[]): RunFlight[][] {
  const parts: RunFlight[][] = [];
  for (const flight of flights) {
    const part = parts.at(-1);
    if (part !== undefined && part.at(-1)!.run.endSpan === flight.run.firstSpan) part.push(flight);
    else parts.push([flight]);
  }
  return parts;
}
