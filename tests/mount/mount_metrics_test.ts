/** What the two threads of a mount count, and how it is told. */
import assert from "node:assert/strict";
import { ClipError } from "../../src/base/mod.ts";
import { FuseServer, libc } from "../../src/fuse/mod.ts";
import { Opcode } from "../../src/fuse/abi.ts";
import { countOf, type MetricFamily, prometheusText, ReadRing } from "../../src/metrics/mod.ts";
import { mountFamilies, MountMetrics, type MountRecord, mountStats } from "../../src/mount/mod.ts";
import { ServingMetrics } from "../../src/mount/serving_metrics.ts";
import { makeSample } from "../content/sample.ts";
import { encodeRequest, readIn } from "../fuse/replay.ts";
import { MemoryFileSystem } from "../fuse/memory_file_system.ts";
import { parsePrometheusText } from "../metrics/parse_prometheus_text.ts";

// Opened here, and for good: a library opened during a test counts as a leak of it.
libc();

const RECORD: MountRecord = {
  pid: 1234,
  mountpoint: '/mnt/"odd" \\ place',
  device: 42,
  archive: "/srv/x.clip",
  image: "docker://localhost:5000/x@sha256:0",
  manifestDigest: "sha256:0",
  startedAt: new Date(Date.now() - 5000).toISOString(),
  version: "0.1.0",
};

Deno.test("what Content tells is counted by tier, layer, demand and kind of error", async () => {
  const { archive } = await makeSample();
  const metrics = new MountMetrics(archive);
  const upper = archive.tree.find("/upper")!;
  const read = { inode: upper, offset: 0, lengthBytes: 1000, durationMs: 2 };
  metrics.onRead({ ...read, tier: "registry" });
  metrics.onRead({ ...read, tier: "memory", durationMs: 0.02 });
  metrics.onRead({ ...read, tier: "registry", error: new ClipError("network", "gone") });
  metrics.onRead({ ...read, tier: "registry", error: new TypeError("a bug") });
  metrics.onRead({ ...read, tier: "registry", error: new DOMException("stop", "AbortError") });
  metrics.onRead({ ...read, inode: archive.tree.find("/sparse")!, tier: "disk" });
  metrics.onRead({ ...read, inode: archive.tree.find("/empty")!, lengthBytes: 0, tier: "memory" });
  const fetch = { layer: 2, firstSpan: 0, endSpan: 1, compressedBytes: 300, plainBytes: 700, durationMs: 30 };
  metrics.onFetch({ ...fetch, demand: "readahead" });
  metrics.onFetch({ ...fetch, demand: "read", plainBytes: 0, error: new ClipError("registry", "500") });
  metrics.onSpan(2, 0, "registry");
  metrics.onSpan(2, 1, "disk");
  metrics.waiting(1);
  metrics.onEvicted(5000);
  metrics.onRefused(70);
  metrics.onRefused(7);
  const get = { store: "redis", plainBytes: 100, storedBytes: 0, durationMs: 500 };
  metrics.onGet({ ...get, result: "hit", storedBytes: 60, durationMs: 3 });
  metrics.onGet({ ...get, result: "miss" });
  metrics.onPut({ store: "redis", plainBytes: 100, storedBytes: 50, durationMs: 1, result: "stored" });
  const stats = mountStats(RECORD, archive, metrics);
  assert.deepEqual(stats.reads.map(({ tier, reads, bytes }) => [tier, reads, bytes]), [
    ["memory", 2, 1000],
    ["disk", 1, 1000],
    ["remote", 0, 0],
    ["registry", 1, 1000],
    ["layer", 0, 0],
  ]);
  assert.deepEqual(stats.cache, { evictedBytes: 5000, refusedBytes: 77 });
  const { p50Ms: remoteMs, p99Ms: _, ...remote } = stats.remoteCache;
  assert.deepEqual(remote, { gets: { hit: 1, miss: 1 }, receivedBytes: 60, puts: { stored: 1 }, sentBytes: 50 });
  assert.ok(remoteMs! > 2 && remoteMs! < 4.1, `${remoteMs} ms`);
  assert.deepEqual(stats.readErrors, { network: 1, aborted: 1, internal: 1 });
  assert.deepEqual(stats.fetchErrors, { registry: 1 });
  assert.equal(stats.readsWaiting, 1);
  const { p50Ms } = stats.reads[3]!;
  assert.ok(p50Ms! > 1 && p50Ms! < 4, `${p50Ms} ms`);
  const { fetches, fetchedBytes, decodedBytes, servedBytes, verifiedSpans } = stats.layers[2]!;
  assert.deepEqual({ fetches, fetchedBytes, decodedBytes, servedBytes, verifiedSpans }, {
    fetches: 2,
    fetchedBytes: 600,
    decodedBytes: 700,
    servedBytes: 2000,
    verifiedSpans: { memory: 0, disk: 1, remote: 0, registry: 1, layer: 0 },
  });
  assert.deepEqual([stats.fetches.count, stats.fetches.bytes], [2, 600]);
  assert.ok(stats.fetches.p50Ms! > 16 && stats.fetches.p50Ms! < 34, `${stats.fetches.p50Ms} ms`);
  assert.ok(stats.uptimeSeconds >= 5 && stats.uptimeSeconds < 100);
});

Deno.test("what the kernel asks, and reads that are answered at once, are counted by the thread that serves", async () => {
  const { archive } = await makeSample();
  const metrics = new MountMetrics(archive);
  const ring = new ReadRing();
  // Inode 2 of the sample is in some layer; the bytes are another file system's.
  const fs = new MemoryFileSystem({
    children: { file: { text: "hello" }, later: { reading: "deferred", sizeBytes: 9 } },
  });
  const { table } = metrics;
  const observer = new ServingMetrics(table.memory, archive.image.layers.length, archive.tree, ring);
  const server = new FuseServer(fs, { onDeferred: () => {}, onInterrupt: () => {}, observer });
  const send = (opcode: number, inode: number, body = new Uint8Array()) => {
    const request = encodeRequest(opcode, inode, body);
    server.request.set(request);
    server.handle(request.length);
  };
  const before = libc().now();
  for (let i = 0; i < 10; i++) send(Opcode.READ, 2, readIn(1, 100));
  send(Opcode.READ, 2, readIn(100, 100));
  send(Opcode.READ, 3, readIn(0, 9));
  send(Opcode.LOOKUP, 1, new TextEncoder().encode("none\0"));
  send(Opcode.OPEN, 2, new Uint8Array(8));
  send(9999, 1);
  send(63, 1);
  const stats = mountStats(RECORD, archive, metrics);
  assert.deepEqual(stats.requests, { read: 12, lookup: 1, open: 1, other: 1, opcode_63: 1 });
  assert.deepEqual(stats.replyErrors, { ENOSYS: 3 });
  assert.deepEqual([stats.reads[1]!.reads, stats.reads[1]!.bytes], [11, 40]);
  assert.equal(countOf(table.histogram("clip_read_duration_seconds", 1)), 11);
  const layer = archive.tree.columns.layer[2]!;
  assert.equal(stats.layers[layer]!.servedBytes, 40);
  const traced = ring.take(100);
  assert.deepEqual(traced.map(({ inode, offset, bytes, pid }) => [inode, offset, bytes, pid]), [
    ...Array.from({ length: 10 }, () => [2, 1, 4, 4711]),
    [2, 100, 0, 4711],
  ]);
  for (const { started, duration } of traced) assert.ok(started >= before && duration >= 0 && duration < 1e6);
});

Deno.test("all of it is text that Prometheus reads, with every value in its place", async () => {
  const { archive } = await makeSample();
  const metrics = new MountMetrics(archive);
  metrics.onRead({ inode: 2, offset: 0, lengthBytes: 5, tier: "disk", durationMs: 1 });
  const families = parsePrometheusText(prometheusText(mountFamilies(RECORD, archive, metrics)));
  const value = (name: string, labels: Record<string, string> = {}) => {
    const wanted = Object.entries(labels);
    const found = families.get(name)!.samples.filter((sample) =>
      wanted.every(([key, text]) => sample.labels[key] === text)
    );
    assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)}`);
    return found[0]!.value;
  };
  assert.equal(value("clip_reads_total", { tier: "disk" }), 1);
  assert.equal(value("clip_reads_total", { tier: "registry" }), 0);
  assert.equal(value("clip_mount_info", { mountpoint: RECORD.mountpoint, image: RECORD.image }), 1);
  assert.equal(value("clip_layer_info", { layer: "1", digest: archive.image.layers[1]!.digest }), 1);
  assert.equal(value("clip_layer_plain_bytes", { layer: "2" }), archive.image.layers[2]!.plainBytes);
  assert.ok(value("process_resident_memory_bytes") > 1e6);
  assert.ok(value("process_cpu_seconds_total") > 0);
  assert.ok(Math.abs(value("process_start_time_seconds") - Date.now() / 1000 + 5) < 60);
});

Deno.test("docs/metrics.md has exactly the metrics there are", async () => {
  const { archive } = await makeSample();
  const rows = mountFamilies(RECORD, archive, new MountMetrics(archive)).map((family) => tableRow(family));
  const document = await Deno.readTextFile(new URL("../../docs/metrics.md", import.meta.url));
  const table = /<!-- metrics -->\n\n[^\n]*\n[^\n]*\n([\s\S]*?)\n\n<!-- \/metrics -->/.exec(document)![1]!;
  const documented = table.split("\n").map((line) =>
    line.split("|").map((cell) => cell.trim()).slice(1, -1).join(" | ")
  );
  assert.deepEqual(documented, rows);
});

function tableRow({ name, type, help, samples }: MetricFamily): string {
  const labels = Object.keys(samples[0]?.labels ?? LABELS[name] ?? {});
  return [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(", "), help].join(" | ");
}

/** Of metrics that have no values yet. */
const LABELS: Readonly<Record<string, Record<string, string>>> = {
  clip_fuse_requests_total: { operation: "" },
  clip_fuse_errors_total: { errno: "" },
};
