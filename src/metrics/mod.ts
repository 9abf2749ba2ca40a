/** Counting what a mount does, without slowing it down, and telling of it: Prometheus text, JSON, traces of reads. */
export { BUCKET_BOUNDS_SECONDS, countOf, type HistogramCounts, quantileSeconds } from "./histogram.ts";
export { formatListenAddress, type ListenAddress, parseListenAddress } from "./listen_address.ts";
export { type MetricDefinition, type MetricDefinitions, MetricTable, MetricWriter } from "./metric_table.ts";
export { isListening, type MetricsPages, type MetricsServer, serveMetrics } from "./metrics_server.ts";
export { type MetricFamily, type MetricSample, PROMETHEUS_MEDIA_TYPE, prometheusText } from "./prometheus_text.ts";
export { ReadRing, type RingRead } from "./read_ring.ts";
export { ReadTrace, type ReadTraceOptions, type TracedRead } from "./read_trace.ts";
