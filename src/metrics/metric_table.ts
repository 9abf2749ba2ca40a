/**
 * Counters and histograms in shared memory. Each thread that counts has a region of its own and is the only one to write
 * there, so counting is an addition in place, without messages, locks or allocation; whoever reads adds the regions up.
 * The slots are Float64: exact up to 2^53, and read and written whole by every machine that clip runs on, being aligned.
 * A reader sees each slot as it was at some moment, not all slots as of the same.
 */
import { assert } from "../base/mod.ts";
import { bucketOf, BUCKETS, type HistogramCounts } from "./histogram.ts";
import type { MetricFamily, MetricSample } from "./prometheus_text.ts";

/** What is counted under a name. */
export interface MetricDefinition {
  /** Histograms are of durations; counters and gauges of anything. */
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  /** Label names, each with all the values that it can have. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  /** Leaves out what is 0 where the metric is shown: for labels with many values of which few occur. */
  readonly sparse?: boolean;
}

/** Definitions by name, which follows the naming conventions of Prometheus. */
export type MetricDefinitions<Name extends string> = Readonly<Record<Name, MetricDefinition>>;

interface Place {
  readonly definition: MetricDefinition;
  /** Slot of its first series in a region. */
  readonly first: number;
  /** Slots a series: 1, or of histograms the sum and the buckets. */
  readonly slots: number;
  /** The values of its labels, the last varying fastest. */
  readonly labels: readonly (readonly [string, readonly string[]])[];
  readonly series: number;
}

/** Regions start at multiples of so many slots, 128 bytes: threads never write to one cache line. */
const ALIGNED_SLOTS = 16;

/** A set of metrics. */
export class MetricTable<Name extends string> {
  /** To be handed to another thread, which makes a table over it from the same definitions. */
  readonly memory: SharedArrayBuffer;
  readonly #places: ReadonlyMap<Name, Place>;
  readonly #writers: readonly MetricWriter<Name>[];

  /** A table for `writers` threads: over `memory`, or new and all zero. */
  constructor(definitions: MetricDefinitions<Name>, writers: number, memory?: SharedArrayBuffer) {
    const { places, slots } = placeAll(definitions);
    this.#places = places;
    const stride = Math.ceil(slots / ALIGNED_SLOTS) * ALIGNED_SLOTS;
    const bytes = stride * writers * Float64Array.BYTES_PER_ELEMENT;
    this.memory = memory ?? new SharedArrayBuffer(bytes);
    assert(this.memory.byteLength === bytes, `memory of ${this.memory.byteLength} bytes for metrics of ${bytes}`);
    this.#writers = Array.from(
      { length: writers },
      (_, i) => {
        const values = new Float64Array(this.memory, i * stride * Float64Array.BYTES_PER_ELEMENT, slots);
        return new MetricWriter<Name>((name, labels) => slotOf(places, name, labels), values);
      },
    );
  }

  /** The region of one thread. */
  writer(index: number): MetricWriter<Name> {
    return this.#writers[index]!;
  }

  /** The value of a counter or gauge, of all threads together. Label values by number, in the order of the definition. */
  value(name: Name, ...labels: number[]): number {
    return this.#sum(slotOf(this.#places, name, labels));
  }

  /** What a histogram has counted, of all threads together. */
  histogram(name: Name, ...labels: number[]): HistogramCounts {
    return this.#counts(slotOf(this.#places, name, labels));
  }

  /** Everything, for {@linkcode prometheusText}. */
  families(): MetricFamily[] {
    return [...this.#places].map(([name, place]) => {
      const { type, help, sparse = false } = place.definition;
      const samples: MetricSample[] = [];
      for (let series = 0; series < place.series; series++) {
        const slot = place.first + series * place.slots;
        const value = type === "histogram" ? this.#counts(slot) : this.#sum(slot);
        if (!sparse || value !== 0) samples.push({ labels: labelsOf(place, series), value });
      }
      return { name, type, help, samples };
    });
  }

  #sum(slot: number): number {
    return this.#writers.reduce((sum, { values }) => sum + values[slot]!, 0);
  }

  #counts(slot: number): HistogramCounts {
    const counts = Array.from({ length: BUCKETS }, (_, bucket) => this.#sum(slot + 1 + bucket));
    return { counts, sumSeconds: this.#sum(slot) / 1e6 };
  }
}

/** Where one thread counts. */
export class MetricWriter<Name extends string> {
  readonly #slotOf: (name: Name, labels: readonly number[]) => number;
  /** The slots; of histograms the first is the sum in microseconds. */
  readonly values: Float64Array<SharedArrayBuffer>;

  /** Made by {@linkcode MetricTable}. */
  constructor(
    slotOf: (name: Name, labels: readonly number[]) => number,
    values: Float64Array<SharedArrayBuffer>,
  ) {
    this.#slotOf = slotOf;
    this.values = values;
  }

  /** The slot to count in. Label values by number, in the order of the definition. */
  slot(name: Name, ...labels: number[]): number {
    return this.#slotOf(name, labels);
  }

  /** Adds to a counter or gauge. */
  add(slot: number, amount: number): void {
    this.values[slot]! += amount;
  }

  /** Counts a duration in a histogram. */
  observe(slot: number, microseconds: number): void {
    this.values[slot]! += microseconds;
    this.values[slot + 1 + bucketOf(microseconds)]! += 1;
  }
}

function placeAll<Name extends string>(definitions: MetricDefinitions<Name>) {
  const places = new Map<Name, Place>();
  let slots = 0;
  for (const [name, definition] of Object.entries(definitions) as [Name, MetricDefinition][]) {
    const labels = Object.entries(definition.labels ?? {});
    const series = labels.reduce((product, [, values]) => product * values.length, 1);
    const width = definition.type === "histogram" ? 1 + BUCKETS : 1;
    places.set(name, { definition, first: slots, slots: width, labels, series });
    slots += series * width;
  }
  return { places, slots };
}

function slotOf<Name extends string>(places: ReadonlyMap<Name, Place>, name: Name, indexes: readonly number[]): number {
  const { first, slots, labels } = places.get(name)!;
  // Asked for at each read: the texts are made where they are wanted only.
  if (indexes.length !== labels.length) assert(false, `${name} has ${labels.length} labels, not ${indexes.length}`);
  let series = 0;
  labels.forEach(([label, values], i) => {
    const index = indexes[i]!;
    if (!(index >= 0 && index < values.length)) assert(false, `${name}: ${label} has no value ${index}`);
    series = series * values.length + index;
  });
  return first + series * slots;
}

function labelsOf({ labels }: Place, series: number): Record<string, string> {
  const found: [string, string][] = [];
  let rest = series;
  for (const [name, values] of labels.toReversed()) {
    found.unshift([name, values[rest % values.length]!]);
    rest = Math.floor(rest / values.length);
  }
  return Object.fromEntries(found);
}
