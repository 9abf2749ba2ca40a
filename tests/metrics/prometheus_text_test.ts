import assert from "node:assert/strict";
import { type MetricFamily, MetricTable, prometheusText } from "../../src/metrics/mod.ts";
import { parsePrometheusText } from "./parse_prometheus_text.ts";

Deno.test("labels, help and numbers are written as the format asks for", () => {
  const odd = 'a\\b"c\nd{}=,é\u{1f4be}';
  const text = prometheusText([
    {
      name: "a_total",
      type: "counter",
      help: "One \\ two\nthree.",
      samples: [{ labels: { x: odd, y: "" }, value: 1 }],
    },
    { name: "b", type: "gauge", help: "B.", samples: [{ value: -1.5e-7 }, { labels: { z: "1" }, value: 0 }] },
    { name: "none", type: "gauge", help: "Nothing.", samples: [] },
  ]);
  assert.equal(
    text,
    "# HELP a_total One \\\\ two\\nthree.\n# TYPE a_total counter\n" +
      'a_total{x="a\\\\b\\"c\\nd{}=,é\u{1f4be}",y=""} 1\n' +
      '# HELP b B.\n# TYPE b gauge\nb -1.5e-7\nb{z="1"} 0\n',
  );
  const families = parsePrometheusText(text);
  assert.deepEqual(families.get("a_total")!.samples, [{ name: "a_total", labels: { x: odd, y: "" }, value: 1 }]);
  assert.equal(families.get("a_total")!.help, "One \\ two\nthree.");
});

Deno.test("a histogram is cumulative buckets, their sum and their count", () => {
  const table = new MetricTable({ d_seconds: { type: "histogram", help: "D.", labels: { t: ["a", "b"] } } }, 1);
  const writer = table.writer(0);
  for (const us of [1, 8, 9, 1000, 1e9]) writer.observe(writer.slot("d_seconds", 1), us);
  const { samples } = parsePrometheusText(prometheusText(table.families())).get("d_seconds")!;
  const of = (name: string, le?: string) => {
    const found = samples.filter(({ labels, ...sample }) =>
      labels["t"] === "b" && labels["le"] === le && sample.name === `d_seconds_${name}`
    );
    assert.equal(found.length, 1, `${name} ${le}`);
    return found[0]!.value;
  };
  assert.equal(of("bucket", "0.000008"), 2);
  assert.equal(of("bucket", "0.000016"), 3);
  assert.equal(of("bucket", "0.000512"), 3);
  assert.equal(of("bucket", "0.001024"), 4);
  assert.equal(of("bucket", "67.108864"), 4);
  assert.equal(of("bucket", "+Inf"), 5);
  assert.equal(of("count"), 5);
  assert.ok(Math.abs(of("sum") - 1000.001018) < 1e-9);
});

Deno.test("the parser that the tests use refuses what Prometheus refuses", () => {
  const good: MetricFamily = { name: "x_total", type: "counter", help: "X.", samples: [{ value: 1 }] };
  const text = prometheusText([good]);
  assert.equal(parsePrometheusText(text).size, 1);
  for (
    const bad of [
      text + text,
      text.replace(/\n$/, ""),
      text.replace("# TYPE x_total counter\n", ""),
      text.replace(" 1\n", " one\n"),
      text.replace("x_total 1", 'x_total{a="1"b="2"} 1'),
      text.replace("x_total 1", 'x_total{a="\\t"} 1'),
      text.replace("x_total 1", "x_total 1\nx_total 2"),
      text.replace("x_total 1", "0x_total 1"),
    ]
  ) assert.throws(() => parsePrometheusText(bad), assert.AssertionError, bad);
});
