import { makeBenchImage } from "./bench_image.ts";
import { BenchMount, dropPageCache, indexFromRegistry, runClip, timeShell } from "./bench_mount.ts";
import { type BenchProxy, BenchRegistry, blobBytes, NETWORKS } from "./bench_registry.ts";
import { corpusLayer } from "./corpus.ts";
import type { ProxyTraffic } from "./proxy_main.ts";
import type { ReportOptions } from "./report.ts";
import { round } from "./report_engines.ts";
import { median } from "./statistics.ts";

/** What is started. */
export const STARTED_PROGRAM = "python3 -c 'import json, ssl, sqlite3'";

const RUN = `chroot "$1" ${STARTED_PROGRAM}`;
const PULL_AND_RUN = `skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$2" "oci:$1/layout:v1"
umoci unpack --image "$1/layout:v1" "$1/bundle" >/dev/null 2>&1
chroot "$1/bundle/rootfs" ${STARTED_PROGRAM}`;

/** How an image is had. */
const WAYS = ["skopeo copy, umoci unpack", "clip mount", "clip mount, profile", "clip mount, indexed for it"] as const;

/** The archive of each way that has one, and what is prefetched. */
const ARCHIVES: Partial<Record<typeof WAYS[number], readonly [name: string, prefetch: string]>> = {
  "clip mount": ["plain", "none"],
  "clip mount, profile": ["profile", "profile"],
  "clip mount, indexed for it": ["indexed", "profile"],
};

/** One of {@linkcode WAYS}. */
export type StartWay = typeof WAYS[number];

/** A program's start from an image that is not on the machine, behind {@linkcode NETWORKS}.far. */
export interface StartRow {
  readonly way: StartWay;
  /** From nothing to the program's end, median of runs in turn. */
  readonly ms: number;
  readonly runsMs: readonly number[];
  /** How many times as fast as skopeo and umoci. */
  readonly ratio: number;
  /** Of blobs, until the program had ended. */
  readonly fetchedBytes: number;
  readonly requests: number;
  /** Compressed size of the image's layers. */
  readonly imageBytes: number;
}

/** Starts the program each way, in turn. */
export async function measureStartPart({ folder, maxBytes, rounds, say }: ReportOptions): Promise<StartRow[]> {
  const registry = await BenchRegistry.start();
  try {
    const layer = await corpusLayer({ content: "image", compressor: "gzip -6", maxBytes });
    await registry.push(await makeBenchImage(`${folder}/image`, [layer]), "image");
    const starter = await Starter.make(registry, folder);
    const runs = WAYS.map((way) => ({ way, runsMs: [] as number[], traffic: undefined as ProxyTraffic | undefined }));
    for (let number = 0; number < rounds; number++) {
      for (const run of runs) {
        const { ms, traffic } = await starter.start(run.way);
        run.runsMs.push(round(ms, 0));
        run.traffic = traffic;
        say(`  ${run.way}: ${round(ms, 0)} ms, ${traffic.blobs.length} requests, ${blobBytes(traffic)} bytes`);
      }
    }
    const pullMs = median(runs[0]!.runsMs);
    return runs.map(({ way, runsMs, traffic }) => {
      const ms = median(runsMs);
      const counts = { fetchedBytes: blobBytes(traffic!), requests: traffic!.blobs.length };
      return { way, ms, runsMs, ratio: round(pullMs / ms, 2), ...counts, imageBytes: layer.compressedBytes };
    });
  } finally {
    await registry.stop();
  }
}

/** Starts the program from an image that is far away. */
class Starter {
  readonly #proxy: BenchProxy;
  readonly #folder: string;

  private constructor(proxy: BenchProxy, folder: string) {
    this.#proxy = proxy;
    this.#folder = folder;
  }

  /** Records a start with an archive, puts it into a copy, and indexes the image for it. */
  static async make(registry: BenchRegistry, folder: string): Promise<Starter> {
    const plain = `${folder}/plain.clip`;
    await indexFromRegistry(registry.host, "image", plain);
    await Deno.copyFile(plain, `${folder}/profile.clip`);
    const profile = `${folder}/start.profile`;
    const mount = await BenchMount.open(plain, `${folder}/recorded`, {
      source: `${registry.host}/bench/image:v1`,
      cacheDir: `${folder}/cache-recorded`,
      args: ["--record", profile],
    });
    await timeShell(RUN, [mount.directory]).finally(() => mount.close());
    await runClip(["profile", "add", `${folder}/profile.clip`, profile]);
    await indexFromRegistry(registry.host, "image", `${folder}/indexed.clip`, ["--profile", profile]);
    return new Starter(await registry.proxy(NETWORKS.far), folder);
  }

  async start(way: StartWay): Promise<{ ms: number; traffic: ProxyTraffic }> {
    const image = `${this.#proxy.host}/bench/image:v1`;
    const folder = `${this.#folder}/start`;
    await Deno.mkdir(folder);
    await dropPageCache();
    await this.#proxy.traffic();
    try {
      const chosen = ARCHIVES[way];
      if (chosen === undefined) {
        const ms = await timeShell(PULL_AND_RUN, [folder, image]);
        return { ms, traffic: await this.#proxy.traffic() };
      }
      const started = performance.now();
      const [archive, prefetch] = chosen;
      const args = ["--prefetch", prefetch];
      const mount = await BenchMount.open(`${this.#folder}/${archive}.clip`, `${folder}/mnt`, {
        source: image,
        cacheDir: `${folder}/cache`,
        args,
      });
      try {
        await timeShell(RUN, [mount.directory]);
        return { ms: performance.now() - started, traffic: await this.#proxy.traffic() };
      } finally {
        await mount.close();
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}
