/** What is counted about a mount. docs/metrics.md has the table of it. */
import { ERROR_CODES } from "../base/mod.ts";
import { GET_RESULTS, PUT_RESULTS } from "../cache/mod.ts";
import { DEMANDS, TIERS } from "../content/mod.ts";
import { errnoName, operationName } from "../fuse/mod.ts";
import type { MetricDefinition, MetricDefinitions } from "../metrics/mod.ts";

/** The metrics of a mount. */
export type MountMetricName =
  | "clip_reads_total"
  | "clip_read_bytes_total"
  | "clip_read_duration_seconds"
  | "clip_read_errors_total"
  | "clip_reads_waiting"
  | "clip_fetch_duration_seconds"
  | "clip_fetch_errors_total"
  | "clip_layer_fetches_total"
  | "clip_layer_fetched_bytes_total"
  | "clip_layer_decoded_bytes_total"
  | "clip_layer_served_bytes_total"
  | "clip_layer_spans_total"
  | "clip_cache_evicted_bytes_total"
  | "clip_cache_refused_bytes_total"
  | "clip_remote_cache_gets_total"
  | "clip_remote_cache_get_duration_seconds"
  | "clip_remote_cache_received_bytes_total"
  | "clip_remote_cache_puts_total"
  | "clip_remote_cache_sent_bytes_total"
  | "clip_fuse_requests_total"
  | "clip_fuse_errors_total";

/** The regions of the table: that of the thread that fetches, and that of the one that serves. */
export const Region = { main: 0, serving: 1 } as const;
/** How many regions there are. */
export const REGIONS = 2;
/** Opcodes from here on are counted as 0, which is none. */
export const OPCODES = 64;
/** As many as the kernel takes. */
const ERRNOS = 512;

/** The definitions for an archive of so many layers. */
export function mountMetricDefinitions(layerCount: number): MetricDefinitions<MountMetricName> {
  const tier = { tier: TIERS };
  const code = { code: ERROR_CODES };
  const layer = { layer: Array.from({ length: layerCount }, (_, i) => String(i)) };
  const operation = Array.from({ length: OPCODES }, (_, i) => i === 0 ? "other" : operationName(i));
  const errno = Array.from({ length: ERRNOS }, (_, i) => errnoName(i).replace(" ", "_"));
  return {
    clip_reads_total: counter("Reads of files answered, by the slowest tier they had to go to.", tier),
    clip_read_bytes_total: counter("Bytes of files handed to readers.", tier),
    clip_read_duration_seconds: histogram("Time from a read's request to its answer.", tier),
    clip_read_errors_total: counter("Reads of files that failed, by kind of error.", code),
    clip_reads_waiting: { type: "gauge", help: "Reads that the serving thread has handed over, not answered yet." },
    clip_fetch_duration_seconds: histogram(
      "Time from a request for a range of a blob to its last verified span, by who wanted it.",
      { demand: DEMANDS },
    ),
    clip_fetch_errors_total: counter("Requests for ranges of blobs that failed, by kind of error.", code),
    clip_layer_fetches_total: counter("Requests for ranges of a layer's blob.", layer),
    clip_layer_fetched_bytes_total: counter("Compressed bytes of a layer asked for.", layer),
    clip_layer_decoded_bytes_total: counter("Plain bytes of a layer decoded and verified.", layer),
    clip_layer_served_bytes_total: counter("Plain bytes of a layer handed to readers.", layer),
    clip_layer_spans_total: counter("Spans verified, by the tier that had them.", { ...layer, ...tier }),
    clip_cache_evicted_bytes_total: counter("Bytes that this mount took out of the machine's cache to make room."),
    clip_cache_refused_bytes_total: counter("Bytes not kept since the machine's cache had no room for them."),
    clip_remote_cache_gets_total: counter("Questions to remote caches, by what became of them.", {
      result: GET_RESULTS,
    }),
    clip_remote_cache_get_duration_seconds: histogram("Time from the question to verified bytes, of hits."),
    clip_remote_cache_received_bytes_total: counter("Bytes that remote caches sent, compressed as they keep them."),
    clip_remote_cache_puts_total: counter("Spans offered to remote caches, by what became of them.", {
      result: PUT_RESULTS,
    }),
    clip_remote_cache_sent_bytes_total: counter("Bytes sent to remote caches, compressed as they keep them."),
    clip_fuse_requests_total: { ...counter("Requests of the kernel.", { operation }), sparse: true },
    clip_fuse_errors_total: { ...counter("Replies to the kernel with an error.", { errno }), sparse: true },
  };
}

type Labels = NonNullable<MetricDefinition["labels"]>;

function counter(help: string, labels: Labels = {}): MetricDefinition {
  return { type: "counter", help, labels };
}

function histogram(help: string, labels: Labels = {}): MetricDefinition {
  return { type: "histogram", help, labels };
}
