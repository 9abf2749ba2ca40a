import { createHash } from "node:crypto";
import { type Archive, openArchive, type ProfileRange, withProfile } from "../src/archive/mod.ts";
import { bytesSource, concatenate, DEFAULT_RETRY, SILENT } from "../src/base/mod.ts";
import { openRemoteCache, type RemoteCache } from "../src/cache/mod.ts";
import { planProfile, planRead } from "../src/content/mod.ts";
import { pullArchive, pushArchive } from "../src/distribution/mod.ts";
import { wireContent } from "../src/library/mod.ts";
import {
  type DockerReference,
  machinePlatform,
  Network,
  parseImageReference,
  resolveImage,
  type SourceOptions,
} from "../src/oci/mod.ts";
import { index } from "../src/mod.ts";
import { ARCHITECTURE, writeImage, writeLayer } from "../tests/e2e/oci_layout.ts";
import { ServerProcess } from "../tests/cache/remote/server_process.ts";
import { startRegistry } from "../tests/real_registry.ts";
import { mustRun } from "../tests/e2e/programs.ts";
import type { ReportOptions } from "./report.ts";
import { Skipped } from "./skipped.ts";

const WORKERS = 1000;
/** What the registry takes in a second, and at once. */
const RATE = 200;
const FILES = 64;
const FILE_BYTES = 640 * 1024;
/** A start reads the beginning of each eighth file. */
const READ_EVERY = 8;
const READ_BYTES = 128 * 1024;
const SPAN_MEMORY_BYTES = 4 * 1024 * 1024;
/** Of a start that waits for 999 others. */
const DEADLINE_MS = 300_000;
const RETRY = { ...DEFAULT_RETRY, patienceMs: DEADLINE_MS };
/** All workers share one process, which is slower than a thousand machines: it is not to be taken for the cache's fault. */
const REMOTE_TIMEOUT_MS = 20_000;
/** Number of the root's inode. */
const ROOT = 1;

/** One way to start, for all workers at once. */
export interface StampedeRow {
  readonly way: string;
  readonly workers: number;
  /** Of each worker that were answered with what it wanted, on average. */
  readonly requestsPerWorker: number;
  /** Answered with 429, for each worker. */
  readonly refusedPerWorker: number;
  /** From the start of all to the last byte that a worker's start reads. */
  readonly readyMsP50: number;
  readonly readyMsP99: number;
  readonly readyMsMax: number;
  /** Bodies that the registry sent, all together. */
  readonly registryBytes: number;
  /** Workers that were not ready, for an error. */
  readonly failed: number;
}

/** Has a thousand workers start at once, in each way. */
export async function measureStampedePart({ folder, say }: ReportOptions): Promise<StampedeRow[]> {
  const registry = await startRegistry();
  if (registry === undefined) throw new Skipped("docker-registry is not installed");
  const stoppers: (() => unknown)[] = [registry.stop];
  try {
    const direct = await publish(folder, registry.host);
    const limited = await startLimited(registry.host);
    stoppers.push(limited.stop);
    const reference = { ...direct.reference, registry: limited.host };
    const rows: StampedeRow[] = [];
    for (const useProfile of [true, false]) {
      for (const useRemote of [false, true]) {
        const way = `${useProfile ? "profile" : "no profile"}${useRemote ? ", remote cache" : ""}`;
        const redis = useRemote ? await startRedis(folder) : undefined;
        try {
          const row = await stampede(way, reference, { useProfile, remote: redis?.cache, limited });
          say(`  ${JSON.stringify(row)}`);
          rows.push(row);
        } finally {
          await redis?.stop();
        }
      }
    }
    const { imageBytes, layers } = direct;
    const requests = 2 + layers;
    const lastMs = 1000 * requests * WORKERS / RATE;
    rows.push({
      way: "whole pulls, on paper: manifest, config and layers, none refused in vain",
      workers: WORKERS,
      requestsPerWorker: requests,
      refusedPerWorker: 0,
      readyMsP50: lastMs / 2,
      readyMsP99: 0.99 * lastMs,
      readyMsMax: lastMs,
      registryBytes: WORKERS * imageBytes,
      failed: 0,
    });
    return rows;
  } finally {
    for (const stop of stoppers.reverse()) await stop();
  }
}

/** An image of noise in words in a registry, and its index with a profile of what is read. */
async function publish(folder: string, host: string) {
  const layout = `${folder}/stampede`;
  const members = Array.from({ length: FILES }, (_, number) => ({ path: `file-${number}`, data: noise(number) }));
  const layer = writeLayer(layout, members);
  writeImage(layout, [layer], ARCHITECTURE);
  const name = `${host}/stampede/image:v1`;
  await mustRun([
    "skopeo",
    "--insecure-policy",
    "copy",
    "-q",
    "--dest-tls-verify=false",
    `oci:${layout}:latest`,
    `docker://${name}`,
  ]);
  const { archive: pieces } = await index(name);
  const reference = parseImageReference(name) as DockerReference;
  const archive = await profiled(concatenate(pieces));
  const options = { log: SILENT, tags: [], title: "stampede.clip", clipVersion: "bench" };
  await pushArchive(bytesSource(archive, "stampede.clip"), reference, options);
  return { reference, imageBytes: layer.sizeBytes, layers: 1 };
}

/** Text that deflate halves. */
function noise(seed: number): Uint8Array<ArrayBuffer> {
  let text = "";
  for (let at = 0; text.length < FILE_BYTES; at++) text += createHash("sha1").update(`${seed} ${at}`).digest("hex");
  return new TextEncoder().encode(text.slice(0, FILE_BYTES));
}

/** The inodes of what a start reads. */
function filesOfStart({ tree }: Archive): number[] {
  return [...tree.children(ROOT)].map(({ inode }) => inode).filter((_, number) => number % READ_EVERY === 0);
}

/** The archive with a profile of its start. */
async function profiled(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const source = bytesSource(bytes, "stampede.clip");
  const archive = await openArchive(source);
  const ranges: ProfileRange[] = filesOfStart(archive).flatMap((inode) =>
    planRead(archive.tree, inode, 0, READ_BYTES).map(({ layer, plainOffset, lengthBytes }) => {
      return { layer, plainOffset, plainEndExclusive: plainOffset + lengthBytes };
    })
  );
  const pieces: Uint8Array[] = [];
  for await (const piece of withProfile(source, ranges)) pieces.push(piece);
  return concatenate(pieces);
}

interface Limited {
  readonly host: string;
  counts(): Promise<{ taken: number; refused: number; bytes: number }>;
  stop(): Promise<void>;
}

async function startLimited(upstream: string): Promise<Limited> {
  const main = new URL("./limited_registry_main.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", main, upstream, `${RATE}`, `${RATE}`],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const host = `127.0.0.1:${new TextDecoder().decode(value).trim()}`;
  return {
    host,
    counts: async () => await (await fetch(`http://${host}/counts`)).json(),
    async stop() {
      await reader.cancel();
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

async function startRedis(folder: string): Promise<{ cache: RemoteCache; stop(): Promise<void> }> {
  const server = new ServerProcess({
    program: "redis-server",
    args: (port) => ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder],
  });
  await server.start();
  const cache = openRemoteCache([`redis://127.0.0.1:${server.port}`], {
    log: SILENT,
    env: () => undefined,
    timeoutMs: REMOTE_TIMEOUT_MS,
  });
  return {
    cache,
    async stop() {
      await cache.close();
      await server.kill();
    },
  };
}

interface Way {
  readonly useProfile: boolean;
  readonly remote: RemoteCache | undefined;
  readonly limited: Limited;
}

async function stampede(way: string, reference: DockerReference, how: Way): Promise<StampedeRow> {
  const { limited } = how;
  await limited.counts();
  const startedMs = performance.now();
  let failed = 0;
  const readyMs: number[] = [];
  await Promise.all(Array.from({ length: WORKERS }, async () => {
    try {
      await startOne(reference, how);
      readyMs.push(Math.round(performance.now() - startedMs));
    } catch (error) {
      if (failed++ === 0) throwAway(error);
    }
  }));
  const { taken, refused, bytes } = await limited.counts();
  readyMs.sort((one, other) => one - other);
  const at = (share: number) => readyMs[Math.min(readyMs.length - 1, Math.floor(share * readyMs.length))] ?? NaN;
  return {
    way,
    workers: WORKERS,
    requestsPerWorker: taken / WORKERS,
    refusedPerWorker: refused / WORKERS,
    readyMsP50: at(0.5),
    readyMsP99: at(0.99),
    readyMsMax: readyMs.at(-1) ?? NaN,
    registryBytes: bytes,
    failed,
  };
}

/** The first failure is told: there should be none. */
function throwAway(error: unknown): void {
  // deno-lint-ignore no-console -- a failure of the bench itself
  console.error(error);
}

/** What a worker's `clip mount IMAGE` and the program in it ask for, with a client and limits of its own. */
async function startOne(reference: DockerReference, { useProfile, remote }: Way): Promise<void> {
  const network = new Network({ registriesConf: "none", hostsDir: "none" });
  const options: SourceOptions = { log: SILENT, plainHttp: true, network, retry: RETRY };
  const { image, blobs } = await resolveImage(reference, { ...options, platform: machinePlatform() });
  blobs.close();
  const pulled = await pullArchive(image, options);
  if (pulled === undefined) throw new Error("there is no index");
  const { archive } = pulled;
  const { content, close } = wireContent(archive, {
    reach: options,
    cache: undefined,
    remote,
    memoryBytes: SPAN_MEMORY_BYTES,
    useCheckpoints: true,
    decodeWorkers: 0,
    deadlineMs: DEADLINE_MS,
    log: SILENT,
  });
  try {
    const plan = planProfile(archive.layers, archive.profile);
    const ahead = useProfile ? content.prefetch(plan).catch(() => {}) : undefined;
    const target = new Uint8Array(READ_BYTES);
    for (const inode of filesOfStart(archive)) await content.read(inode, 0, READ_BYTES, target, 0);
    await ahead;
  } finally {
    await close();
  }
}
