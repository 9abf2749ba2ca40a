/** Reads Prometheus' text format 0.0.4 as strictly as its description allows. */
import assert from "node:assert/strict";

/** One line. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The lines under one HELP and TYPE. */
export interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: ParsedSample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/y;

/** The families by name; throws what is not of the format, has a series twice, or a histogram that is none. */
export function parsePrometheusText(text: string): Map<string, ParsedFamily> {
  assert.ok(text.endsWith("\n"), "the last line does not end");
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let current: { name: string; family: ParsedFamily } | undefined;
  const lines = text.slice(0, -1).split("\n");
  for (let i = 0; i < lines.length; i++) {
    const help = new RegExp(`^# HELP (${NAME}) (.*)$`).exec(lines[i]!);
    if (help !== null) {
      const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(lines[++i] ?? "");
      assert.equal(type?.[1], help[1], `TYPE after ${lines[i - 1]}`);
      assert.ok(!families.has(help[1]!), `${help[1]} comes twice`);
      current = { name: help[1]!, family: { type: type![2]!, help: unescape(help[2]!), samples: [] } };
      families.set(current.name, current.family);
      continue;
    }
    assert.ok(current !== undefined, `no HELP before ${lines[i]}`);
    const sample = parseSample(lines[i]!);
    const suffixes = current.family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    assert.ok(suffixes.some((suffix) => sample.name === current!.name + suffix), `${sample.name} in ${current.name}`);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    assert.ok(!seen.has(key), `${key} comes twice`);
    seen.add(key);
    current.family.samples.push(sample);
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function parseSample(line: string): ParsedSample {
  const match = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([^ ]+)$`).exec(line);
  assert.ok(match !== null, `no sample: ${line}`);
  const labels: Record<string, string> = {};
  const list = match[2] ?? "";
  for (let at = 0; at < list.length;) {
    LABEL.lastIndex = at;
    const label = LABEL.exec(list);
    assert.ok(label !== null && !(label[1]! in labels), `bad labels: ${line}`);
    labels[label[1]!] = unescape(label[2]!);
    at = LABEL.lastIndex;
    if (at === list.length) break;
    assert.equal(list[at++], ",", `bad labels: ${line}`);
    assert.ok(at < list.length, `bad labels: ${line}`);
  }
  const value = Number(match[3]);
  assert.ok(!Number.isNaN(value), `no number: ${line}`);
  return { name: match[1]!, labels, value };
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char);
}

function checkFamily(name: string, { type, samples, help }: ParsedFamily): void {
  assert.ok(help.length > 0, `${name} has no help`);
  assert.ok(samples.length > 0, `${name} has no samples`);
  if (type === "counter") {
    assert.ok(name.endsWith("_total"), `the counter ${name} does not end in _total`);
    for (const { value } of samples) assert.ok(value >= 0);
  }
  if (type !== "histogram") return;
  const series = Map.groupBy(samples, ({ labels: { le: _, ...rest } }) => JSON.stringify(rest));
  for (const lines of series.values()) {
    const buckets = lines.filter((line) => line.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels["le"]!.replace("+Inf", "Infinity")));
    assert.deepEqual(bounds, bounds.toSorted((a, b) => a - b));
    assert.equal(bounds.at(-1), Infinity);
    buckets.reduce((before, { value }) => (assert.ok(value >= before), value), 0);
    assert.equal(buckets.at(-1)!.value, lines.find((line) => line.name === `${name}_count`)?.value);
    assert.ok(lines.some((line) => line.name === `${name}_sum`));
  }
}
