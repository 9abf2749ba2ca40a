import { ClipError, ERROR_CODES, type ErrorCode } from "../base/mod.ts";
import { type Archive, SPARSE_LAYER, type Tree } from "../archive/mod.ts";
import {
  type CacheRoomObserver,
  GET_RESULTS,
  type ObservedGet,
  type ObservedPut,
  PUT_RESULTS,
  type RemoteCacheObserver,
} from "../cache/mod.ts";
import {
  type ContentObserver,
  DEMANDS,
  type ObservedFetch,
  type ObservedRead,
  type Tier,
  TIERS,
} from "../content/mod.ts";
import { libc } from "../fuse/mod.ts";
import { MetricTable, type MetricWriter, type ReadTrace } from "../metrics/mod.ts";
import { mountMetricDefinitions, type MountMetricName, Region, REGIONS } from "./mount_metric_definitions.ts";

/** Where the main thread counts: what it is told by the content, the cache and remote caches. One for each mount. */
export class MountMetrics implements ContentObserver, CacheRoomObserver, RemoteCacheObserver {
  /** All that is counted, by whichever thread. */
  readonly table: MetricTable<MountMetricName>;
  /** Where reads go as well. */
  readonly trace: ReadTrace | undefined;
  readonly #writer: MetricWriter<MountMetricName>;
  readonly #tree: Tree;
  readonly #waiting: number;

  /** All zero. */
  constructor({ image, tree }: Archive, trace?: ReadTrace) {
    this.table = new MetricTable(mountMetricDefinitions(image.layers.length), REGIONS);
    this.#writer = this.table.writer(Region.main);
    this.#tree = tree;
    this.trace = trace;
    this.#waiting = this.#writer.slot("clip_reads_waiting");
  }

  /** A read was handed over by the serving thread (1), or answered (−1). */
  waiting(change: 1 | -1): void {
    this.#writer.add(this.#waiting, change);
  }

  /** See {@linkcode ContentObserver}. */
  onRead(read: ObservedRead): void {
    const { inode, lengthBytes, tier, durationMs, error } = read;
    if (this.trace !== undefined) traceRead(this.trace, read);
    if (error !== undefined) return this.#count("clip_read_errors_total", 1, codeIndex(error));
    const index = TIERS.indexOf(tier);
    this.#count("clip_reads_total", 1, index);
    this.#count("clip_read_bytes_total", lengthBytes, index);
    this.#observe("clip_read_duration_seconds", durationMs, index);
    // A sparse file may have extents in several layers; they are rare, and not worth the search.
    const layer = this.#tree.columns.layer[inode]!;
    if (lengthBytes > 0 && layer !== SPARSE_LAYER) this.#count("clip_layer_served_bytes_total", lengthBytes, layer);
  }

  /** See {@linkcode ContentObserver}. */
  onFetch({ layer, compressedBytes, plainBytes, demand, durationMs, error }: ObservedFetch): void {
    this.#count("clip_layer_fetches_total", 1, layer);
    this.#count("clip_layer_fetched_bytes_total", compressedBytes, layer);
    this.#count("clip_layer_decoded_bytes_total", plainBytes, layer);
    if (error !== undefined) this.#count("clip_fetch_errors_total", 1, codeIndex(error));
    else this.#observe("clip_fetch_duration_seconds", durationMs, DEMANDS.indexOf(demand));
  }

  /** See {@linkcode ContentObserver}. */
  onSpan(layer: number, _span: number, tier: Tier): void {
    this.#count("clip_layer_spans_total", 1, layer, TIERS.indexOf(tier));
  }

  /** See {@linkcode CacheRoomObserver}. */
  onEvicted(bytes: number): void {
    this.#count("clip_cache_evicted_bytes_total", bytes);
  }

  /** See {@linkcode CacheRoomObserver}. */
  onRefused(bytes: number): void {
    this.#count("clip_cache_refused_bytes_total", bytes);
  }

  /** See {@linkcode RemoteCacheObserver}. */
  onGet({ result, storedBytes, durationMs }: ObservedGet): void {
    this.#count("clip_remote_cache_gets_total", 1, GET_RESULTS.indexOf(result));
    this.#count("clip_remote_cache_received_bytes_total", storedBytes);
    if (result === "hit") this.#observe("clip_remote_cache_get_duration_seconds", durationMs);
  }

  /** See {@linkcode RemoteCacheObserver}. */
  onPut({ result, storedBytes }: ObservedPut): void {
    this.#count("clip_remote_cache_puts_total", 1, PUT_RESULTS.indexOf(result));
    this.#count("clip_remote_cache_sent_bytes_total", storedBytes);
  }

  #count(name: MountMetricName, amount: number, ...labels: number[]): void {
    this.#writer.add(this.#writer.slot(name, ...labels), amount);
  }

  #observe(name: MountMetricName, durationMs: number, ...labels: number[]): void {
    this.#writer.observe(this.#writer.slot(name, ...labels), durationMs * 1000);
  }
}

function traceRead(trace: ReadTrace, { inode, offset, lengthBytes, pid, tier, durationMs, error }: ObservedRead): void {
  const duration = durationMs * 1000;
  const started = libc().now() - duration;
  const failed = error === undefined ? {} : { error: codeOf(error) };
  trace.add({ started, inode, offset, bytes: lengthBytes, pid, tier, duration, ...failed });
}

/** The code to count an error by: anything but a ClipError, or a reader that gave up, is a bug. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof ClipError) return error.code;
  return error instanceof Error && error.name === "AbortError" ? "aborted" : "internal";
}

function codeIndex(error: unknown): number {
  return ERROR_CODES.indexOf(codeOf(error));
}
