/** clip doctor on machines that lack something. */
import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { ARCHITECTURE, writeImage, writeLayer } from "./oci_layout.ts";
import { runProgram } from "./programs.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", "unshare"];

/** Runs `clip doctor` after `prepare`, in a mount namespace of its own. */
async function doctor(bench: Workbench, prepare: string, args: string): Promise<{ code: number; stdout: string }> {
  const clip = CLIP_COMMAND.map((word) => `'${word}'`).join(" ");
  const env = { CLIP_CACHE_DIR: bench.cacheDir, CLIP_RUNTIME_DIR: bench.runtimeDir };
  const script = `set -e; ${prepare}; exec ${clip} doctor ${args}`;
  const { code, stdout, stderr } = await runProgram(["unshare", "--mount", "sh", "-c", script], { env });
  assert.equal(stderr, "");
  return { code, stdout };
}

e2eTest("clip doctor: no /dev/fuse, another in its place, a cache that cannot be written to", NEEDS, async (bench) => {
  const device = "for n in null:3 zero:5 random:8 urandom:9; do mknod -m 666 /dev/${n%:*} c 1 ${n#*:}; done";
  const none = await doctor(bench, `mount -t tmpfs none /dev; ${device}`, "");
  assert.equal(none.code, 1);
  assert.match(none.stdout, /^fail {2}\/dev\/fuse: there is none \(ENOENT\) → load the kernel's module/m);
  const other = await doctor(bench, "mount --bind /dev/null /dev/fuse", "");
  assert.match(other.stdout, /^fail {2}\/dev\/fuse: it is not the kernel's device/m);
  const readOnly = `mkdir -p '${bench.cacheDir}'; mount -t tmpfs -o ro none '${bench.cacheDir}'`;
  const cache = await doctor(bench, readOnly, "--json");
  assert.equal(cache.code, 1);
  const findings: { check: string; state: string; says: string; advice?: string }[] = JSON.parse(cache.stdout);
  const found = findings.find(({ check }) => check === "cache")!;
  assert.equal(found.state, "fail");
  assert.match(found.says, /cannot be written to \(EROFS\)/);
  assert.match(found.advice!, /--cache-dir/);
});

e2eTest("clip doctor: a mount whose server was killed, an archive whose registry is gone", NEEDS, async (bench) => {
  const layout = bench.path("layout");
  writeImage(layout, [writeLayer(layout, [{ path: "f", data: new Uint8Array(10) }])], ARCHITECTURE);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", "image.clip"]);
  const well = await bench.clip(["doctor", "image.clip"]);
  assert.match(well.stdout, /^ok {4}archive: image\.clip can be read$/m);
  assert.match(well.stdout, /^ok {4}image oci:\S+: it is there, sha256:/m);
  const dying = bench.spawnClip(["mount", "image.clip", bench.directory("mnt")]);
  await dying.firstLine;
  dying.kill("SIGKILL");
  await dying.ended;
  await Deno.rename(layout, `${layout}.gone`);
  const { code, stdout } = await bench.clip(["doctor", "image.clip"]);
  assert.equal(code, 1);
  const dead = bench.path("mnt");
  assert.ok(stdout.includes(`fail  mount: nobody serves ${dead} any more → clip unmount --lazy ${dead}\n`), stdout);
  assert.match(stdout, /^fail {2}image oci:.*layout.* → /m);
});
