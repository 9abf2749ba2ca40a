/** Mounts that share a remote cache, on real servers. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { nginxServerWithLogin } from "../cache/remote/nginx_server.ts";
import { redisServer, redisServerWithPassword, redisServerWithTls } from "../cache/remote/redis_server.ts";
import { s3Gateway } from "../cache/remote/s3_gateway.ts";
import type { StoreServer } from "../cache/remote/store_server.ts";
import { ARCHITECTURE, blobPath, type LayoutLayer, writeImage, writeLayer } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { type DaemonMount, e2eTest, isRunning, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root"] as const;
/** What a reader may wait for a server that does not answer, on a busy machine. */
const MAX_READ_MS = 20_000;

/** The server is well, and the machine may be busy. */
const PATIENTLY = ["--remote-cache-timeout", "10s"];
/** What a program that did as it was told leaves, besides its output. */
const NO_COMPLAINT = { code: 0, stderr: "", stdout: "", stdoutBytes: 0 };
/** A file of several spans, half of which gzip can make smaller. */
const CONTENT = content(5 * 1024 * 1024);

function content(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = 1;
  for (let at = 0; at < sizeBytes; at++) {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    bytes[at] = at >> 20 & 1 ? state >>> 24 : 97 + (at >> 4) % 23;
  }
  return bytes;
}

/** Indexes an image with that file, `/file`; its layers. */
async function indexImage(bench: Workbench): Promise<LayoutLayer[]> {
  const layers = [writeLayer(bench.path("layout"), [{ path: "file", data: CONTENT }])];
  writeImage(bench.path("layout"), layers, ARCHITECTURE);
  await bench.mustClip(["index", "--checkpoint-mib", "1", `oci:${bench.path("layout")}:latest`, "-o", "image.clip"]);
  return layers;
}

/** A mount as on a machine of its own: with an empty disk cache. */
function mountAsWorker(
  bench: Workbench,
  name: string,
  server: StoreServer,
  args: readonly string[] = [],
): Promise<DaemonMount> {
  const cacheDir = ["--cache-dir", bench.path(`${name}-cache`)];
  const env = { ...server.env, CLIP_REMOTE_CACHE: server.url };
  return bench.mount(bench.path("image.clip"), name, [...cacheDir, ...args], { env });
}

/** In another process, past the kernel's cache of the file. */
async function readsRight(mount: DaemonMount): Promise<void> {
  await mustRun(["dd", `if=${mount.directory}/file`, "iflag=nocache", "count=0", "status=none"]);
  const { code, stdoutBytes, stderr } = await runProgram(["cat", `${mount.directory}/file`]);
  assert.equal(code, 0, `${stderr}${mount.log()}`);
  assert.equal(stdoutBytes.length, CONTENT.length);
  assert.ok(Buffer.from(stdoutBytes).equals(CONTENT), "other bytes");
}

/** All that Redis holds. */
async function redisKeys(server: StoreServer): Promise<string[]> {
  const keys = await mustRun(["redis-cli", "-p", `${server.process.port}`, "KEYS", "*"]);
  return keys.split("\n").filter((key) => /^[0-9a-f]{64}$/.test(key));
}

for (const kind of [redisServerWithPassword, nginxServerWithLogin, s3Gateway]) {
  const needs = [...NEEDS, ...kind.needs];
  e2eTest(`remote cache, ${kind.name}: one worker fetches, another needs no registry`, needs, async (bench) => {
    const server = await kind.start(bench);
    const layers = await indexImage(bench);
    const one = await mountAsWorker(bench, "one", server, PATIENTLY);
    await readsRight(one);
    assert.match(one.log(), / fetching /);
    await bench.mustClip(["unmount", "one"]);
    // What was offered is stored, at the latest while the mount ends.
    assert.ok(await until(() => !isRunning(one.pid), 60_000));
    for (const { digest } of layers) await Deno.remove(blobPath(bench.path("layout"), digest));
    const two = await mountAsWorker(bench, "two", server, PATIENTLY);
    await readsRight(two);
    assert.doesNotMatch(two.log(), / fetching |cannot read/);
    const seen = [one, two].map(({ log, line }) => `${log()}${line}`).join("");
    assert.doesNotMatch(`${seen}${Deno.readTextFileSync(`/proc/${two.pid}/cmdline`)}`, /p@ss|p%40ss|only\/for/);
    const again = await bench.clip(["cat", "--cache-dir", "none-yet", "image.clip", "/file"]);
    assert.equal(again.code, 1, "without the remote cache it cannot be read");
  });
}

e2eTest(
  "remote cache: poison, killed, stopped: files are read right",
  [...NEEDS, ...redisServer.needs],
  async (bench) => {
    const server = await redisServer.start(bench);
    await indexImage(bench);
    const filler = await mountAsWorker(bench, "filler", server, PATIENTLY);
    await readsRight(filler);
    await bench.mustClip(["unmount", "filler"]);
    assert.ok(await until(() => !isRunning(filler.pid), 60_000));
    const keys = await redisKeys(server);
    assert.ok(keys.length >= 3, `${keys.length} spans are stored`);
    for (const key of keys) await server.plant(key, (await server.peek(key))!.map((byte) => byte ^ 0x20));
    const poisoned = await mountAsWorker(bench, "poisoned", server, PATIENTLY);
    await readsRight(poisoned);
    assert.match(poisoned.log(), /clip: warn: a value in the remote cache is wrong, and is not used /);

    for (
      const [name, harm] of [["stopped", () => server.process.pause()], ["dead", () => server.process.kill()]] as const
    ) {
      const mount = await mountAsWorker(bench, name, server);
      await harm();
      const startedMs = performance.now();
      await readsRight(mount);
      assert.ok(performance.now() - startedMs < MAX_READ_MS);
      assert.equal(mount.log().match(/the remote cache fails: reads go on without it/g)?.length, 1, mount.log());
      if (name === "stopped") server.process.resume();
    }
  },
);

e2eTest("remote cache: TLS, and who does not trust it", [...NEEDS, ...redisServerWithTls.needs], async (bench) => {
  const server = await redisServerWithTls.start(bench);
  const layers = await indexImage(bench);
  const cat = (cacheDir: string, env: Record<string, string>) => {
    const remote = ["--remote-cache", server.url, "--remote-cache-timeout", "10s"];
    return bench.clip(["cat", "--cache-dir", cacheDir, ...remote, "image.clip", "/file"], { env });
  };
  const wary = await cat("one", {});
  assert.equal(wary.code, 0);
  assert.match(wary.stderr, /^clip: warn: the remote cache fails: reads go on without it cache=rediss:[^\n]*\n$/);
  assert.deepEqual({ ...await cat("two", server.env), stdout: "", stdoutBytes: 0 }, NO_COMPLAINT);
  for (const { digest } of layers) await Deno.remove(blobPath(bench.path("layout"), digest));
  assert.deepEqual({ ...await cat("three", server.env), stdout: "", stdoutBytes: 0 }, NO_COMPLAINT);
});
