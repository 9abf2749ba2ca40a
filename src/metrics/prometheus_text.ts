import { BUCKET_BOUNDS_SECONDS, countOf, type HistogramCounts } from "./histogram.ts";

/** One value of a metric. */
export interface MetricSample {
  /** Values by label name. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Of histograms, what they counted. */
  readonly value: number | HistogramCounts;
}

/** All values of a metric. */
export interface MetricFamily {
  /** As Prometheus names it, without the suffixes of histograms. */
  readonly name: string;
  /** What sort of values it has. */
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  /** One for each combination of labels. */
  readonly samples: readonly MetricSample[];
}

/** The media type of {@linkcode prometheusText}. */
export const PROMETHEUS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Metrics as Prometheus reads them; families without values are left out.
 * Source: prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4.
 */
export function prometheusText(families: Iterable<MetricFamily>): string {
  let text = "";
  for (const { name, type, help, samples } of families) {
    if (samples.length === 0) continue;
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const { labels = {}, value } of samples) {
      text += typeof value === "number" ? line(name, labels, value) : histogramLines(name, labels, value);
    }
  }
  return text;
}

function histogramLines(name: string, labels: Readonly<Record<string, string>>, histogram: HistogramCounts): string {
  let text = "";
  let count = 0;
  BUCKET_BOUNDS_SECONDS.forEach((bound, bucket) => {
    count += histogram.counts[bucket]!;
    text += line(`${name}_bucket`, { ...labels, le: String(bound) }, count);
  });
  const total = countOf(histogram);
  text += line(`${name}_bucket`, { ...labels, le: "+Inf" }, total);
  return text + line(`${name}_sum`, labels, histogram.sumSeconds) + line(`${name}_count`, labels, total);
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
