/** Counts, or fills a ring, in a thread of its own. */
import { type MetricDefinitions, MetricTable } from "../../src/metrics/metric_table.ts";
import { ReadRing } from "../../src/metrics/read_ring.ts";

/** What to do. */
export type BusyWork =
  | { readonly definitions: MetricDefinitions<string>; readonly table: SharedArrayBuffer }
  | { readonly ring: SharedArrayBuffer };

const port = self as unknown as {
  onmessage: (event: MessageEvent<BusyWork>) => void;
  postMessage(message: unknown): void;
};

port.onmessage = ({ data }) => {
  if ("ring" in data) {
    const ring = new ReadRing(data.ring);
    for (let i = 1; i <= 400_000; i++) ring.push(i, i, i, i, i, i);
    port.postMessage(ring.dropped);
    return;
  }
  const writer = new MetricTable(data.definitions, 2, data.table).writer(1);
  const [durations, plain] = [writer.slot("some_seconds", 0), writer.slot("plain_total")];
  for (let i = 1; i <= 3_000_000; i++) {
    writer.observe(durations, i % 1000);
    writer.add(plain, 1);
    if (i === 1_000_000) port.postMessage("a third");
  }
  port.postMessage("done");
};
