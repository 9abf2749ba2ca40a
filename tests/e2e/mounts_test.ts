/** Mounts all together: clip mounts, clip upgrade-mounts, clip unmount --all. */
import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { ARCHITECTURE, writeImage, writeLayer } from "./oci_layout.ts";
import { mustRun } from "./programs.ts";
import { e2eTest, isRunning, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root"];
const FILES = 200;

interface Listed {
  mountpoint: string;
  state: string;
  uid?: number;
  pid?: number;
  supervised?: boolean;
  supervisor?: { pid: number };
  uptimeSeconds?: number;
}

async function indexImage(bench: Workbench): Promise<string> {
  const layout = bench.path("layout");
  const files = Array.from({ length: FILES }, (_, i) => ({ path: `f${i}`, data: new Uint8Array(3000).fill(i) }));
  writeImage(layout, [writeLayer(layout, files)], ARCHITECTURE);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", "image.clip"]);
  return bench.path("image.clip");
}

/** What `clip mounts` says of those of the bench; others may be on the machine. */
async function listed(bench: Workbench): Promise<Listed[]> {
  const all: Listed[] = JSON.parse(await bench.mustClip(["mounts", "--json"]));
  return all.filter(({ mountpoint }) => mountpoint.startsWith(`${bench.folder}/`));
}

e2eTest("clip mounts lists what is alive and what is dead", NEEDS, async (bench) => {
  const archive = await indexImage(bench);
  const { directory, pid } = await bench.mount(archive, "supervised");
  const plain = bench.spawnClip(["mount", archive, bench.directory("plain")]);
  await plain.firstLine;
  const dying = bench.spawnClip(["mount", archive, bench.directory("dying")]);
  await dying.firstLine;
  dying.kill("SIGKILL");
  await dying.ended;
  let mounts: Listed[] = [];
  // A mount is recorded a moment after it answers.
  for (let round = 0; mounts.filter((mount) => mount.pid !== undefined).length < 2 && round < 40; round++) {
    mounts = await listed(bench);
  }
  const facts = mounts.map(({ mountpoint, state, pid, supervised }) => [mountpoint, state, pid, supervised]);
  assert.deepEqual(facts, [
    [directory, "alive", pid, true],
    [bench.path("plain"), "alive", plain.pid, false],
    [bench.path("dying"), "dead", undefined, undefined],
  ]);
  assert.ok(mounts.every(({ uid }) => uid === 0));
  assert.ok(mounts[0]!.uptimeSeconds! < 600);
  const text = await bench.mustClip(["mounts"]);
  assert.match(text, /^mountpoint +state +process +supervised +up +image\n/);
  assert.match(text, new RegExp(`^${bench.path("dying")} +dead +- +- +-$`, "m"));
  assert.match(text, new RegExp(`^${directory} +alive +${pid} +yes +.+ oci:`, "m"));
});

e2eTest("clip upgrade-mounts replaces servers under readers", NEEDS, async (bench) => {
  const archive = await indexImage(bench);
  const { directory, pid } = await bench.mount(archive, "mnt");
  const other = await bench.mount(archive, "other");
  assert.ok(await until(() => [...Deno.readDirSync(bench.runtimeDir)].length >= 6, 5000), "no records");
  let stop = false;
  let reads = 0;
  const reading = (async () => {
    for (; !stop; reads++) {
      const bytes = await Deno.readFile(`${directory}/f${reads % FILES}`);
      assert.deepEqual(bytes, new Uint8Array(3000).fill(reads % FILES));
    }
  })();
  // Both are waited for whatever becomes of either: a reader that outlives its mount tells of nothing but that.
  const [upgraded, read] = await Promise.allSettled([
    bench.mustClip(["upgrade-mounts"]).finally(() => stop = true),
    reading,
  ]);
  assert.equal(read.status, "fulfilled", String((read as PromiseRejectedResult).reason));
  assert.ok(upgraded.status === "fulfilled", String((upgraded as PromiseRejectedResult).reason));
  const text = upgraded.value;
  assert.ok(reads > 0);
  const lines = text.trimEnd().split("\n").sort();
  assert.match(lines[0]!, new RegExp(`^${directory}: process ${pid} \\(clip [\\d.]+\\) → \\d+ \\(clip [\\d.]+\\)$`));
  assert.ok(lines[1]!.startsWith(`${other.directory}: process ${other.pid} `), text);
  assert.ok(await until(() => !isRunning(pid) && !isRunning(other.pid), 5000));
  const mounts = await listed(bench);
  assert.deepEqual(mounts.map(({ state, supervised }) => [state, supervised]), [["alive", true], ["alive", true]]);
  assert.match(lines[0]!, new RegExp(`→ ${mounts[0]!.pid} `));
  const one = await bench.mustClip(["upgrade-mounts", `${other.directory}/f0`]);
  assert.match(one, new RegExp(`^${other.directory}: process ${mounts[1]!.pid} \\(.* → .*\n$`));
  assert.equal((await listed(bench))[0]!.pid, mounts[0]!.pid);

  // A supervisor that is not there any more is told of, and fails the command.
  const names = [...Deno.readDirSync(bench.runtimeDir)].map(({ name }) => name);
  const name = names.find((name) => name.endsWith(`-${mounts[0]!.pid}.json`));
  const record = JSON.parse(await Deno.readTextFile(`${bench.runtimeDir}/${name}`));
  record.supervisor.pid = Deno.pid;
  await Deno.writeTextFile(`${bench.runtimeDir}/${name}`, JSON.stringify(record));
  const { code, stdout, stderr } = await bench.clip(["upgrade-mounts"]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`: its supervisor, process ${Deno.pid}, is not to be found here\n$`));
  assert.equal(stdout.split("\n").length, 2, "the other one was upgraded all the same");
});

e2eTest("clip unmount --all takes every mount away, dead ones too", [...NEEDS, "unshare"], async (bench) => {
  const archive = await indexImage(bench);
  const dead = bench.directory("dead");
  const clip = CLIP_COMMAND.map((word) => `'${word}'`).join(" ");
  // In a mount namespace: other people's mounts are to stay.
  const script = `
    set -e
    ${clip} mount --daemon '${archive}' '${bench.directory("one")}'
    ${clip} bundle '${archive}' '${bench.path("bundle")}'
    ${clip} mount '${archive}' '${dead}' >'${bench.path("out")}' &
    while ! [ -s '${bench.path("out")}' ]; do sleep 0.05; done
    kill -9 $!
    wait || true
    ${clip} unmount --all
    ! grep -F '${bench.folder}/' /proc/self/mountinfo`;
  const env = { CLIP_CACHE_DIR: bench.cacheDir, CLIP_RUNTIME_DIR: bench.runtimeDir };
  const said = await mustRun(["unshare", "--mount", "sh", "-c", script], { env });
  const lines = said.split("\n").filter((line) => line.startsWith("unmounted") && line.includes(bench.folder));
  assert.deepEqual(lines, [dead, bench.path("bundle/lower"), bench.path("one")].map((path) => `unmounted ${path}`));
  assert.ok(await until(() => bench.processes().length === 0, 5000), "a server is left");
});
