/** What mounts tell of themselves, for people. */
import { escapeControls, formatBytes, formatDuration, shortDigest } from "../base/mod.ts";
import type { MountStats } from "../mount/mod.ts";
import { shownUptime, table } from "./table.ts";

/** A mount, on about twenty lines. */
export function showStats(stats: MountStats): string {
  const { fetches, readsWaiting } = stats;
  const total = {
    tier: "all",
    reads: stats.reads.reduce((sum, { reads }) => sum + reads, 0),
    bytes: stats.reads.reduce((sum, { bytes }) => sum + bytes, 0),
    p50Ms: undefined,
    p99Ms: undefined,
  };
  const reads = [...stats.reads, total].map(({ tier, reads, bytes, p50Ms, p99Ms }) => {
    return [tier, `${reads}`, formatBytes(bytes), shownMs(p50Ms), shownMs(p99Ms)];
  });
  const layers = stats.layers.map((layer, number) => {
    const { registry = 0, disk = 0, remote = 0, layer: whole = 0 } = layer.verifiedSpans;
    return [
      `${number} ${shortDigest(layer.digest)}`,
      formatBytes(layer.compressedBytes),
      `${layer.fetches}`,
      formatBytes(layer.fetchedBytes),
      formatBytes(layer.decodedBytes),
      formatBytes(layer.servedBytes),
      `${registry + whole}+${remote}+${disk} of ${layer.spans}`,
    ];
  });
  const text = [
    `${stats.mountpoint}: ${stats.image}\n`,
    `process ${stats.pid} for ${shownUptime(stats.uptimeSeconds)}, ${formatBytes(stats.residentBytes)} of memory; `,
    `${readsWaiting} reads waiting\n\n`,
    table(["reads from", "reads", "bytes", "p50", "p99"], reads),
    shownCounts("failed reads", stats.readErrors),
    `\nfetches: ${fetches.count} of ${formatBytes(fetches.bytes)}, `,
    `p50 ${shownMs(fetches.p50Ms)}, p99 ${shownMs(fetches.p99Ms)}\n`,
    shownCounts("failed fetches", stats.fetchErrors),
    "\n",
    table(["layer", "size", "fetches", "fetched", "decoded", "served", "spans: new+remote+disk"], layers),
    "\n",
    shownCache(stats),
    shownCounts("kernel's requests", stats.requests),
    shownCounts("answered by errors", stats.replyErrors),
  ].join("");
  // What is in it came from an image and from whoever answered.
  return text.split("\n").map(escapeControls).join("\n");
}

/** Mounts, a line each. */
export function showStatsList(all: readonly MountStats[]): string {
  const rows = all.map((stats) => [
    escapeControls(stats.mountpoint),
    `${stats.pid}`,
    shownUptime(stats.uptimeSeconds),
    formatBytes(stats.residentBytes),
    `${stats.reads.reduce((sum, { reads }) => sum + reads, 0)}`,
    formatBytes(stats.reads.reduce((sum, { bytes }) => sum + bytes, 0)),
    formatBytes(stats.fetches.bytes),
    `  ${escapeControls(stats.image)}`,
  ]);
  const table_ = table(["mountpoint", "process", "up", "memory", "reads", "read", "fetched", "  image"], rows);
  return all.length === 0 ? "" : table_;
}

function shownCache({ cache, remoteCache }: MountStats): string {
  const { evictedBytes, refusedBytes } = cache;
  const { gets, puts, receivedBytes, sentBytes, p50Ms, p99Ms } = remoteCache;
  const full = evictedBytes + refusedBytes === 0
    ? ""
    : `cache: ${formatBytes(evictedBytes)} evicted, ${formatBytes(refusedBytes)} not kept for want of room\n`;
  const received = `${formatBytes(receivedBytes)}, p50 ${shownMs(p50Ms)}, p99 ${shownMs(p99Ms)}`;
  return full + shownCounts(`asked of remote caches (${received})`, gets) +
    shownCounts(`offered to remote caches (${formatBytes(sentBytes)})`, puts);
}

function shownCounts(name: string, counts: Readonly<Record<string, number>>): string {
  const list = Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([label, count]) => `${label} ${count}`);
  return list.length === 0 ? "" : `${name}: ${list.join(", ")}\n`;
}

function shownMs(ms: number | undefined): string {
  if (ms === undefined) return "-";
  return ms < 0.95 ? `${Math.round(ms * 1000)} µs` : formatDuration(ms);
}
