/** What a live mount tells of itself: clip stats, metrics over HTTP, the trace. */
import assert from "node:assert/strict";
import type { MountStats } from "../../src/mount/mod.ts";
import { parsePrometheusText } from "../metrics/parse_prometheus_text.ts";
import { ARCHITECTURE, writeImage, writeLayer } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { type DaemonMount, e2eTest, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", "curl"];
const FILES = 32;
const FILE_BYTES = 50_000;
/** READs of 4 KiB for a file. */
const BLOCKS = Math.ceil(FILE_BYTES / 4096);

/** An image of 32 files of random bytes in the second of two layers, and its archive. */
async function indexFiles(bench: Workbench): Promise<string> {
  const data = () => crypto.getRandomValues(new Uint8Array(FILE_BYTES));
  const layout = bench.path("layout");
  writeImage(layout, [
    writeLayer(layout, [{ path: "low", data: data() }]),
    writeLayer(layout, Array.from({ length: FILES }, (_, i) => ({ path: `dir/file ${i}`, data: data() }))),
  ], ARCHITECTURE);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", "files.clip", "--checkpoint-mib", "1"]);
  return bench.path("files.clip");
}

async function statsOf(bench: Workbench, path: string): Promise<MountStats> {
  return JSON.parse(await bench.mustClip(["stats", "--json", path]));
}

function byTier({ reads }: MountStats): Record<string, [reads: number, bytes: number]> {
  return Object.fromEntries(reads.map(({ tier, reads, bytes }) => [tier, [reads, bytes]]));
}

/** Reads past the kernel's cache: one READ for each 4 KiB. */
async function readDirect({ directory }: DaemonMount, name: string, blocks: number): Promise<void> {
  const args = [`if=${directory}/${name}`, "of=/dev/null", "bs=4096", `count=${blocks}`];
  await mustRun(["dd", ...args, "iflag=direct", "status=none"]);
}

e2eTest("clip stats tells what was read, from where, by whom", NEEDS, async (bench) => {
  const mount = await bench.mount(await indexFiles(bench), "mnt", ["--trace", bench.path("trace")]);
  const none = await statsOf(bench, mount.directory);
  assert.deepEqual([none.pid, none.mountpoint], [mount.pid, mount.directory]);
  assert.deepEqual(byTier(none), { memory: [0, 0], disk: [0, 0], remote: [0, 0], registry: [0, 0], layer: [0, 0] });
  await readDirect(mount, "dir/file 7", 1);
  const cold = await statsOf(bench, `${mount.directory}/dir`);
  assert.deepEqual(byTier(cold)["registry"], [1, 4096]);
  assert.equal(cold.layers[0]!.fetchedBytes, 0);
  assert.ok(cold.layers[1]!.fetchedBytes >= 4096 && cold.layers[1]!.decodedBytes >= 4096);
  assert.ok(cold.fetches.count >= 1 && cold.fetches.bytes === cold.layers[1]!.fetchedBytes);
  await readDirect(mount, "dir/file 7", 10);
  await Deno.symlink(mount.directory, bench.path("link"));
  const warm = await statsOf(bench, `${bench.path("link")}/dir/file 7`);
  const tiers = byTier(warm);
  assert.equal(Object.values(tiers).reduce((sum, [reads]) => sum + reads, 0), 11);
  assert.equal(Object.values(tiers).reduce((sum, [, bytes]) => sum + bytes, 0), 11 * 4096);
  assert.ok(tiers["disk"]![0] >= 9, JSON.stringify(tiers));
  assert.equal(warm.layers[1]!.servedBytes, 11 * 4096);
  assert.equal(warm.requests["read"], 11);
  assert.deepEqual(warm.readErrors, {});

  const child = new Deno.Command("cat", { args: [`${mount.directory}/low`], stdout: "null" }).spawn();
  await child.status;
  await bench.mustClip(["unmount", mount.directory]);
  assert.ok(await until(() => bench.processes().length === 0, 5000), "the server is still there");
  const lines = Deno.readTextFileSync(bench.path("trace")).trimEnd().split("\n").map((line) => JSON.parse(line));
  const first = lines.filter(({ path }) => path === "/dir/file 7");
  assert.equal(first.length, 11);
  const { tier, offset, length, durationMs, pid } = first[0];
  assert.deepEqual([tier, offset, length], ["registry", 0, 4096]);
  assert.ok(durationMs > 0 && pid > 0);
  assert.deepEqual(
    first.map((line) => line.offset).sort((a, b) => a - b).slice(1),
    [...Array(10).keys()].map((i) => i * 4096),
  );
  const low = lines.filter(({ path }) => path === "/low");
  assert.ok(low.length > 0 && low.every((line) => line.pid === child.pid), JSON.stringify(low));
  assert.equal(low.reduce((sum, line) => sum + line.length, 0), FILE_BYTES);
});

e2eTest("metrics are there for Prometheus, over TCP, over sockets, while readers are busy", NEEDS, async (bench) => {
  const archive = await indexFiles(bench);
  const socket = bench.path("metrics.sock");
  const mount = await bench.mount(archive, "mnt", ["--metrics", `unix:${socket}`]);
  const scrape = async () =>
    parsePrometheusText(await mustRun(["curl", "-sSf", "--unix-socket", socket, "http://x/metrics"]));
  const total = (families: Awaited<ReturnType<typeof scrape>>) =>
    families.get("clip_reads_total")!.samples.reduce((sum, { value }) => sum + value, 0);
  assert.equal(total(await scrape()), 0);
  let busy = true;
  const readers = Promise.all(Array.from({ length: 8 }, async (_, reader) => {
    for (let i = 0; i < FILES / 8; i++) await readDirect(mount, `dir/file ${reader * (FILES / 8) + i}`, BLOCKS);
  })).finally(() => busy = false);
  let before = 0;
  let scrapes = 0;
  while (busy) {
    const now = total(await scrape());
    assert.ok(now >= before && now <= FILES * BLOCKS, `${now} after ${before}`);
    before = now;
    scrapes++;
  }
  await readers;
  const families = await scrape();
  assert.ok(scrapes > 0);
  assert.equal(total(families), FILES * BLOCKS);
  const served = families.get("clip_layer_served_bytes_total")!.samples.map((
    { labels, value },
  ) => [labels["layer"], value]);
  assert.deepEqual(served, [["0", 0], ["1", FILES * FILE_BYTES]]);
  assert.equal(families.get("clip_reads_waiting")!.samples[0]!.value, 0);
  assert.equal(families.get("clip_mount_info")!.samples[0]!.labels["mountpoint"], mount.directory);

  // The mount's own socket has the same.
  const [record] = [...Deno.readDirSync(bench.runtimeDir)].filter(({ name }) => name.endsWith(".sock"));
  const own = `${bench.runtimeDir}/${record!.name}`;
  const stats = JSON.parse(await mustRun(["curl", "-sSf", "--unix-socket", own, "http://x/stats.json"]));
  assert.equal(stats.pid, mount.pid);
  assert.equal(await mustRun(["curl", "-sSf", "--unix-socket", own, "http://x/healthz"]), "ok\n");

  const second = await bench.mount(archive, "second", ["--metrics", "127.0.0.1:0", "--log-level", "info"]);
  const address = /serving metrics address=(\S+)/.exec(second.log())?.[1];
  const text = await mustRun(["curl", "-sSf", `http://${address}/metrics`]);
  assert.equal(parsePrometheusText(text).get("clip_mount_info")!.samples[0]!.labels["mountpoint"], second.directory);

  // A mount answers a moment before it can be asked for its figures.
  let list: string[] = [];
  for (const end = Date.now() + 5000; list.length < 3 && Date.now() < end;) {
    list = (await bench.mustClip(["stats"])).trimEnd().split("\n");
  }
  assert.equal(list.length, 3);
  assert.ok(list[1]!.startsWith(mount.directory) && list[2]!.startsWith(second.directory), list.join("\n"));
  assert.match(await bench.mustClip(["stats", mount.directory]), /^disk +\d+ +[\d.]+ MiB .*µs|ms/m);
});

e2eTest("what cannot be told is said; what is dead is left out", NEEDS, async (bench) => {
  const archive = await indexFiles(bench);
  const fails = async (args: string[], pattern: RegExp) => {
    const { code, stdout, stderr } = await bench.clip(args);
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, pattern);
    assert.match(stderr, /^clip: error: [^\n]*\n$/);
  };
  const directory = bench.directory("free");
  await fails(["stats", directory], /free is in no mount of clip/);
  await fails(["stats", bench.path("none")], /none/);
  await fails(["mount", archive, directory, "--metrics", "192.0.2.1:1"], /cannot listen on 192\.0\.2\.1:1/);
  await fails(["mount", "--daemon", archive, directory, "--trace", "/nonexistent/x"], /cannot open the trace file/);
  assert.deepEqual(bench.mounts(), []);
  assert.equal(await bench.mustClip(["stats", "--json"]), "[]\n");

  // In the foreground nobody replaces a server.
  const mountpoint = bench.directory("mnt");
  const mount = bench.spawnClip(["mount", archive, mountpoint]);
  await mount.firstLine;
  assert.equal((await statsOf(bench, mountpoint)).pid, mount.pid);
  Deno.kill(mount.pid, "SIGSTOP");
  await fails(["stats", mountpoint], new RegExp(`process ${mount.pid}, .*does not answer`));
  Deno.kill(mount.pid, "SIGKILL");
  await mount.ended;
  await fails(["stats", mountpoint], /no server of the mount on .*mnt/);
  assert.equal(await bench.mustClip(["stats"]), "");

  // A mount serves, whatever becomes of the socket.
  await Deno.writeTextFile(bench.path("blocked"), "");
  const env = { CLIP_RUNTIME_DIR: `${bench.path("blocked")}/run` };
  const silent = bench.spawnClip(["mount", archive, directory], { env });
  await silent.firstLine;
  assert.ok(await until(() => silent.stderrSoFar().includes("clip stats will not find this mount"), 5000));
  assert.equal((await runProgram(["cat", `${directory}/low`])).stdoutBytes.length, FILE_BYTES);
  silent.kill("SIGTERM");
  assert.equal((await silent.ended).code, 0);
});
