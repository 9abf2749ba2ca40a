/** What a mount tells of itself: as JSON for `clip stats`, and as families of metrics for Prometheus. */
import process from "node:process";
import { ERROR_CODES } from "../base/mod.ts";
import type { Archive } from "../archive/mod.ts";
import { GET_RESULTS, PUT_RESULTS } from "../cache/mod.ts";
import { DEMANDS, TIERS } from "../content/mod.ts";
import { type HistogramCounts, type MetricFamily, quantileSeconds } from "../metrics/mod.ts";
import type { MountMetricName } from "./mount_metric_definitions.ts";
import type { MountMetrics } from "./mount_metrics.ts";
import type { MountRecord } from "./mount_records.ts";

/** Durations of many things, as far as a histogram knows them. */
export interface DurationStats {
  /** Half of them took no longer; undefined where there were none. */
  readonly p50Ms: number | undefined;
  /** 99 of 100 took no longer. */
  readonly p99Ms: number | undefined;
}

/** Reads answered from a tier. */
export interface TierStats extends DurationStats {
  /** Its name. */
  readonly tier: string;
  /** How many. */
  readonly reads: number;
  /** Handed to readers. */
  readonly bytes: number;
}

/** What happened to a layer. */
export interface LayerStats {
  /** Of its blob. */
  readonly digest: string;
  /** Of the whole layer. */
  readonly compressedBytes: number;
  /** Of the whole layer. */
  readonly plainBytes: number;
  /** Of the whole layer. */
  readonly spans: number;
  /** Requests for ranges of its blob. */
  readonly fetches: number;
  /** Compressed bytes asked for. */
  readonly fetchedBytes: number;
  /** Plain bytes decoded and verified. */
  readonly decodedBytes: number;
  /** Plain bytes handed to readers. */
  readonly servedBytes: number;
  /** Spans verified, by the tier that had them. */
  readonly verifiedSpans: Readonly<Record<string, number>>;
}

/** What `clip stats --json` prints. Counts and bytes since the mount was made. */
export interface MountStats extends MountRecord {
  /** Since the mount was made. */
  readonly uptimeSeconds: number;
  /** Resident memory of the process. */
  readonly residentBytes: number;
  /** Reads that the serving thread has handed over, not answered yet. */
  readonly readsWaiting: number;
  /** All tiers, cheapest first. */
  readonly reads: readonly TierStats[];
  /** Failed reads by kind of error; those that occurred. */
  readonly readErrors: Readonly<Record<string, number>>;
  /** Requests for ranges of blobs; bytes are compressed ones, as asked for. */
  readonly fetches: DurationStats & { readonly count: number; readonly bytes: number };
  /** Failed fetches by kind of error; those that occurred. */
  readonly fetchErrors: Readonly<Record<string, number>>;
  /** Bottom first. */
  readonly layers: readonly LayerStats[];
  /** Bytes taken out of the machine's cache to make room, and bytes that there was no room for. */
  readonly cache: { readonly evictedBytes: number; readonly refusedBytes: number };
  /** Questions to remote caches and spans offered to them, by what became of them; those that occurred. */
  readonly remoteCache: DurationStats & {
    readonly gets: Readonly<Record<string, number>>;
    readonly receivedBytes: number;
    readonly puts: Readonly<Record<string, number>>;
    readonly sentBytes: number;
  };
  /** Requests of the kernel by operation; those that occurred. */
  readonly requests: Readonly<Record<string, number>>;
  /** Replies to the kernel with an error, by errno; those that occurred. */
  readonly replyErrors: Readonly<Record<string, number>>;
}

/** The figures of a mount at this moment. */
export function mountStats(record: MountRecord, { image }: Archive, { table }: MountMetrics): MountStats {
  const number = (name: MountMetricName, ...labels: number[]) => table.value(name, ...labels);
  const layers = image.layers.map((layer, i) => ({
    digest: layer.digest,
    compressedBytes: layer.compressedBytes,
    plainBytes: layer.plainBytes,
    spans: layer.spans,
    fetches: number("clip_layer_fetches_total", i),
    fetchedBytes: number("clip_layer_fetched_bytes_total", i),
    decodedBytes: number("clip_layer_decoded_bytes_total", i),
    servedBytes: number("clip_layer_served_bytes_total", i),
    verifiedSpans: Object.fromEntries(TIERS.map((tier, k) => [tier, number("clip_layer_spans_total", i, k)])),
  }));
  const fetchDurations = addUp(DEMANDS.map((_, i) => table.histogram("clip_fetch_duration_seconds", i)));
  const families = table.families();
  return {
    ...record,
    uptimeSeconds: uptimeSeconds(record),
    residentBytes: Deno.memoryUsage().rss,
    readsWaiting: number("clip_reads_waiting"),
    reads: TIERS.map((tier, i) => ({
      tier,
      reads: number("clip_reads_total", i),
      bytes: number("clip_read_bytes_total", i),
      ...durations(table.histogram("clip_read_duration_seconds", i)),
    })),
    readErrors: occurred(ERROR_CODES.map((code, i) => [code, number("clip_read_errors_total", i)])),
    fetches: {
      count: layers.reduce((sum, layer) => sum + layer.fetches, 0),
      bytes: layers.reduce((sum, layer) => sum + layer.fetchedBytes, 0),
      ...durations(fetchDurations),
    },
    fetchErrors: occurred(ERROR_CODES.map((code, i) => [code, number("clip_fetch_errors_total", i)])),
    layers,
    cache: {
      evictedBytes: number("clip_cache_evicted_bytes_total"),
      refusedBytes: number("clip_cache_refused_bytes_total"),
    },
    remoteCache: {
      gets: occurred(GET_RESULTS.map((result, i) => [result, number("clip_remote_cache_gets_total", i)])),
      receivedBytes: number("clip_remote_cache_received_bytes_total"),
      puts: occurred(PUT_RESULTS.map((result, i) => [result, number("clip_remote_cache_puts_total", i)])),
      sentBytes: number("clip_remote_cache_sent_bytes_total"),
      ...durations(table.histogram("clip_remote_cache_get_duration_seconds")),
    },
    requests: byLabel(families, "clip_fuse_requests_total"),
    replyErrors: byLabel(families, "clip_fuse_errors_total"),
  };
}

function uptimeSeconds({ startedAt }: MountRecord): number {
  return Math.max(0, Date.now() - Date.parse(startedAt)) / 1000;
}

function durations(histogram: HistogramCounts): DurationStats {
  const ms = (q: number) => {
    const seconds = quantileSeconds(histogram, q);
    return seconds === undefined ? undefined : Math.round(seconds * 1e6) / 1000;
  };
  return { p50Ms: ms(0.5), p99Ms: ms(0.99) };
}

function addUp(histograms: readonly HistogramCounts[]): HistogramCounts {
  return {
    counts: histograms[0]!.counts.map((_, bucket) => histograms.reduce((sum, { counts }) => sum + counts[bucket]!, 0)),
    sumSeconds: histograms.reduce((sum, { sumSeconds }) => sum + sumSeconds, 0),
  };
}

function occurred(counts: readonly (readonly [string, number])[]): Record<string, number> {
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}

/** The values of a counter with one label, by that. */
function byLabel(families: readonly MetricFamily[], name: MountMetricName): Record<string, number> {
  const { samples } = families.find((family) => family.name === name)!;
  return Object.fromEntries(samples.map(({ labels, value }) => [Object.values(labels!)[0]!, value as number]));
}

/** All metrics of a mount at this moment: what is counted, what the mount is, and its process. */
export function mountFamilies(record: MountRecord, { image }: Archive, { table }: MountMetrics): MetricFamily[] {
  const { mountpoint, archive, image: reference, manifestDigest, version } = record;
  const gauge = (name: string, help: string, ...samples: MetricFamily["samples"]): MetricFamily => {
    return { name, type: "gauge", help, samples };
  };
  const { user, system } = process.cpuUsage();
  return [
    gauge("clip_mount_info", "What is mounted; always 1.", {
      labels: { mountpoint, archive, image: reference, manifest: manifestDigest, version },
      value: 1,
    }),
    gauge(
      "clip_layer_info",
      "What the numbers of layers stand for; always 1.",
      ...image.layers.map(({ digest, diffId }, i) => ({
        labels: { layer: `${i}`, digest, diff_id: diffId },
        value: 1,
      })),
    ),
    gauge(
      "clip_layer_compressed_bytes",
      "Length of a layer's blob.",
      ...image.layers.map(({ compressedBytes }, i) => ({ labels: { layer: `${i}` }, value: compressedBytes })),
    ),
    gauge(
      "clip_layer_plain_bytes",
      "Length of a layer's plain stream.",
      ...image.layers.map(({ plainBytes }, i) => ({ labels: { layer: `${i}` }, value: plainBytes })),
    ),
    ...table.families(),
    gauge("process_resident_memory_bytes", "Resident memory of the process.", { value: Deno.memoryUsage().rss }),
    gauge("process_start_time_seconds", "When the mount was made, since 1970.", {
      value: Date.parse(record.startedAt) / 1000,
    }),
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "Time of processors that the process has taken.",
      samples: [{ value: (user + system) / 1e6 }],
    },
  ];
}
