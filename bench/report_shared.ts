import { MIB } from "../src/base/mod.ts";
import { makeBenchImage } from "./bench_image.ts";
import { BenchMount, dropPageCache, indexFromRegistry, timeShell } from "./bench_mount.ts";
import { BenchRegistry, blobBytes, NETWORKS } from "./bench_registry.ts";
import { corpusLayer } from "./corpus.ts";
import type { ProxyTraffic } from "./proxy_main.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { runShell } from "./run_shell.ts";

const MOUNTS = 8;
const READERS_A_MOUNT = 8;
/** All of them read the same files, each in an order of its own. */
const READERS = `for reader in $(seq $2); do
  find "$1" -xdev -type f -size +64k | sort -R --random-source=<(yes $reader) | head -n 300 |
    tr '\\n' '\\0' | xargs -0 cat > /dev/null &
done
wait`;
const REST_MS = 15_000;

/** What many readers of one machine cost the registry, and a server at rest its machine. */
export type SharedRow =
  | {
    readonly kind: "readers";
    readonly mounts: number;
    readonly readers: number;
    readonly ms: number;
    readonly requests: number;
    readonly fetchedBytes: number;
    /** Bytes of blobs that were sent at least once. */
    readonly distinctBytes: number;
  }
  | {
    readonly kind: "rest";
    readonly readBytes: number;
    readonly readMs: number;
    /** Resident right after the mount, after the reading, and after some seconds of rest. */
    readonly mountedMib: number;
    readonly readMib: number;
    readonly restMib: number;
  };

/** Many readers of images that share a layer, and the memory of a server. */
export async function measureSharedPart(options: ReportOptions): Promise<SharedRow[]> {
  const registry = await BenchRegistry.start();
  try {
    return [await measureReaders(registry, options), await measureRest(registry, options)];
  } finally {
    await registry.stop();
  }
}

async function measureReaders(
  registry: BenchRegistry,
  { folder, maxBytes, say }: ReportOptions,
): Promise<SharedRow> {
  const base = await corpusLayer({ content: "image", compressor: "gzip -6", maxBytes });
  const proxy = await registry.proxy(NETWORKS.near);
  const mounts: BenchMount[] = [];
  try {
    for (let number = 0; number < MOUNTS; number++) {
      // Layers of some MB that differ by their contents.
      const own = await corpusLayer({
        content: "large",
        compressor: "gzip -1",
        maxBytes: (number + 1) * MIB,
      });
      const name = `shared-${number}`;
      await registry.push(await makeBenchImage(`${folder}/${name}`, [base, own]), name);
      await indexFromRegistry(registry.host, name, `${folder}/${name}.clip`);
      const source = `${proxy.host}/bench/${name}:v1`;
      const cacheDir = `${folder}/cache-shared`;
      mounts.push(await BenchMount.open(`${folder}/${name}.clip`, `${folder}/mnt-${number}`, { source, cacheDir }));
    }
    await proxy.traffic();
    const started = performance.now();
    await Promise.all(mounts.map(({ directory }) => {
      return runShell(`bash -c "$1" bash "$2" "$3"`, [READERS, directory, `${READERS_A_MOUNT}`]);
    }));
    const ms = round(performance.now() - started, 0);
    const traffic = await proxy.traffic();
    const counts = { fetchedBytes: blobBytes(traffic), distinctBytes: distinctBytes(traffic) };
    const readers = MOUNTS * READERS_A_MOUNT;
    say(
      `  ${readers} readers: ${ms} ms, ${counts.fetchedBytes} bytes fetched, ${counts.distinctBytes} of them distinct`,
    );
    return { kind: "readers", mounts: MOUNTS, readers, ms, requests: traffic.blobs.length, ...counts };
  } finally {
    for (const mount of mounts) await mount.close();
  }
}

/** How many bytes of blobs were sent, each counted once. */
function distinctBytes({ blobs }: ProxyTraffic): number {
  const ranges = new Map<string, [number, number][]>();
  for (const { path, range, bodyBytes } of blobs) {
    const blob = path.split("/").at(-1)!;
    const offset = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    ranges.set(blob, [...ranges.get(blob) ?? [], [offset, offset + bodyBytes]]);
  }
  let bytes = 0;
  for (const each of ranges.values()) {
    let end = 0;
    for (const [from, to] of each.sort((a, b) => a[0] - b[0])) {
      bytes += Math.max(0, to - Math.max(from, end));
      end = Math.max(end, to);
    }
  }
  return bytes;
}

async function measureRest(registry: BenchRegistry, { folder, maxBytes, say }: ReportOptions): Promise<SharedRow> {
  const readBytes = Math.round(maxBytes * 20 / 3);
  const layer = await corpusLayer({ content: "large", compressor: "gzip -1", maxBytes: readBytes });
  await registry.push(await makeBenchImage(`${folder}/rest`, [layer]), "rest");
  await indexFromRegistry(registry.host, "rest", `${folder}/rest.clip`);
  await dropPageCache();
  const mount = await BenchMount.open(`${folder}/rest.clip`, `${folder}/mnt-rest`, {
    source: `${registry.host}/bench/rest:v1`,
    cacheDir: `${folder}/cache-rest`,
  });
  try {
    const mountedMib = round(mount.residentMib(), 1);
    const readMs = round(
      await timeShell(`dd if="$1/srv/data/large-0.bin" of=/dev/null bs=1M status=none`, [mount.directory]),
      0,
    );
    const readMib = round(mount.residentMib(), 1);
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const restMib = round(mount.residentMib(), 1);
    say(
      `  ${readBytes} bytes read in ${readMs} ms; MiB resident: ${mountedMib} mounted, ${readMib} read, ${restMib} at rest`,
    );
    return { kind: "rest", readBytes, readMs, mountedMib, readMib, restMib };
  } finally {
    await mount.close();
  }
}
