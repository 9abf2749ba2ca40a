/** Mounts outlive their servers. */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { LARGE_FILE, LARGE_IMAGE_NEEDS, largeFileBytes, largeImage } from "./large_image.ts";
import { e2eTest, isRunning, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", ...LARGE_IMAGE_NEEDS];
/** How often a server is killed; `CLIP_KILLS=200` for the long run. */
const KILLS = Number(Deno.env.get("CLIP_KILLS") ?? 8);
const READERS = 16;
const READ_BYTES = 96 * 1024;

async function mountLarge(bench: Workbench): Promise<{ directory: string; file: string; supervisor: number }> {
  await bench.mustClip(["index", await largeImage(), "-o", "large.clip"]);
  const { directory, pid } = await bench.mount(bench.path("large.clip"), "mnt");
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return { directory, file: `${directory}/${LARGE_FILE.path}`, supervisor: Number(/^PPid:\s+(\d+)/m.exec(status)![1]) };
}

/** The supervisor's folder. */
function stateFolder(bench: Workbench): string {
  const names = [...Deno.readDirSync(bench.runtimeDir)].map(({ name }) => name);
  return `${bench.runtimeDir}/${names.find((name) => name.startsWith("supervisor-"))}`;
}

/** The process that serves now. */
function server(bench: Workbench): number {
  return Number(Deno.readTextFileSync(`${stateFolder(bench)}/server`));
}

/** Waits for another process than `pid` to serve. */
async function nextServer(bench: Workbench, pid: number): Promise<number> {
  assert.ok(await until(() => server(bench) !== pid && isRunning(server(bench)), 20_000), "no other server came");
  return server(bench);
}

/** Compares reads at random places until `stop`; how many there were. @throws at the first that fails or is wrong. */
async function compare(file: string, flags: number, stop: AbortSignal): Promise<number> {
  let reads = 0;
  for (; !stop.aborted; reads++) {
    const handle = await open(file, constants.O_RDONLY | flags);
    try {
      // Few blocks again and again, so that warm reads are among them.
      const block = Math.floor(Math.random() ** 3 * (LARGE_FILE.sizeBytes / 2 ** 20 - 1));
      const offset = block * 2 ** 20 + 4096 * Math.floor(Math.random() * 200);
      const buffer = new Uint8Array(READ_BYTES);
      let filled = 0;
      while (filled < buffer.length) {
        const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, offset + filled);
        assert.ok(bytesRead > 0);
        filled += bytesRead;
      }
      assert.deepEqual(buffer, largeFileBytes(offset, READ_BYTES), `wrong bytes at ${offset}`);
    } finally {
      await handle.close();
    }
  }
  return reads;
}

e2eTest(`supervisor: ${KILLS} killed servers under ${READERS} comparing readers`, NEEDS, async (bench) => {
  const { directory, file } = await mountLarge(bench);
  const stop = new AbortController();
  const flags = (reader: number) => reader % 2 === 0 ? 0 : constants.O_DIRECT;
  const readers = Array.from({ length: READERS }, (_, reader) => compare(file, flags(reader), stop.signal));
  const all = Promise.all(readers);
  all.catch(() => {});
  let pid = server(bench);
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 400));
    Deno.kill(pid, "SIGKILL");
    pid = await nextServer(bench, pid);
  }
  stop.abort();
  const counts = await all;
  assert.ok(counts.every((count) => count > 0), `${counts}`);
  await bench.mustClip(["unmount", directory]);
  assert.ok(await until(() => bench.processes().length === 0, 5000), "something of the mount is left");
});

e2eTest("supervisor: SIGHUP replaces the server, SIGTERM to the server unmounts", NEEDS, async (bench) => {
  const { directory, file, supervisor } = await mountLarge(bench);
  const first = server(bench);
  Deno.kill(supervisor, "SIGHUP");
  const second = await nextServer(bench, first);
  assert.ok(!isRunning(first));
  const stop = AbortSignal.timeout(300);
  assert.ok(await compare(file, 0, stop) > 0);
  Deno.kill(second, "SIGTERM");
  assert.ok(await until(() => bench.mounts().length === 0 && bench.processes().length === 0, 5000));
  assert.equal([...Deno.readDirSync(directory)].length, 0);
});

e2eTest("supervisor: when it is gone, so is the mount, within a second", NEEDS, async (bench) => {
  const { supervisor } = await mountLarge(bench);
  Deno.kill(supervisor, "SIGKILL");
  assert.ok(await until(() => bench.mounts().length === 0, 1000), "it is still mounted");
  assert.ok(await until(() => bench.processes().length === 0, 5000), "something of the mount is left");
});

e2eTest("supervisor: a program that cannot be started any more ends the mount", NEEDS, async (bench) => {
  await mountLarge(bench);
  await Deno.writeTextFile(`${stateFolder(bench)}/program`, `${bench.path("no-such-program")}\n`);
  Deno.kill(server(bench), "SIGKILL");
  assert.ok(await until(() => bench.mounts().length === 0 && bench.processes().length === 0, 5000));
  assert.match(await Deno.readTextFile(bench.path("mnt.log")), /the mount is given up/);
});
