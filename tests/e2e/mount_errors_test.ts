/** Mounts that cannot be made, in the foreground and in the background. */
import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { expectFailure } from "./expect_failure.ts";
import { writeSmallImage } from "./oci_layout.ts";
import { runProgram } from "./programs.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

async function indexSmall(bench: Workbench): Promise<void> {
  writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "small.clip"]);
}

e2eTest("mount: mountpoints that will not do", ["/dev/fuse", "root"], async (bench) => {
  await indexSmall(bench);
  Deno.writeTextFileSync(bench.path("file"), "");
  await bench.mount(bench.path("small.clip"), "busy");
  for (const daemon of [[], ["--daemon"]]) {
    const fails = (args: string[], message: RegExp) =>
      expectFailure(bench, ["mount", ...daemon, ...args], { code: 1, message });
    await fails(["small.clip", "nowhere"], /nowhere.*(No such file|not found|does not exist)/i);
    await fails(["small.clip", "file"], /file.*not a directory/i);
    await fails(["small.clip", "file/below"], /file\/below.*Not a directory/i);
    await fails(["small.clip", "busy"], /busy: clip \(fuse\.clip\) is mounted there/);
    await fails(["small.clip", "/proc"], /\/proc.*mounted there/);
    await fails(["other.clip", "busy"], /cannot read other\.clip: it does not exist$/);
  }
  assert.equal(await Deno.readTextFile(bench.path("busy/etc/motd")), "hello\n");
  await expectFailure(bench, ["unmount", "cache"], { code: 1, message: /cache: nothing is mounted there/ });
  await expectFailure(bench, ["unmount", "nowhere"], { code: 1, message: /nowhere/ });
  await expectFailure(bench, ["unmount", "/proc"], { code: 1, message: /\/proc.*no FUSE mount/ });
  const holder = await Deno.open(bench.path("busy/numbers"));
  await expectFailure(bench, ["unmount", "busy"], { code: 1, message: /busy.*in use.*--lazy/ });
  await bench.mustClip(["unmount", "--lazy", "busy"]);
  assert.deepEqual(bench.mounts(), []);
  holder.close();
});

e2eTest("mount: no /dev/fuse, or one that is something else", ["root", "unshare"], async (bench) => {
  await indexSmall(bench);
  const mountpoint = bench.directory("mnt");
  const devices = bench.directory("devices");
  const without = 'mount -t tmpfs none "$1" && cp -a /dev/null /dev/zero /dev/urandom /dev/random "$1" && ' +
    'mount --bind "$1" /dev && shift && exec "$@"';
  const other = 'mount --bind /dev/null /dev/fuse && shift && exec "$@"';
  const cases: [script: string, message: RegExp][] = [[without, /cannot open \/dev\/fuse: .*ENOENT.*load/]];
  if (Deno.lstatSync("/dev").isDirectory && exists("/dev/fuse")) cases.push([other, /cannot mount on .*mnt/]);
  for (const [script, message] of cases) {
    for (const daemon of [[], ["--daemon"]]) {
      const command = [...CLIP_COMMAND, "mount", ...daemon, bench.path("small.clip"), mountpoint];
      const { code, stdout, stderr } = await runProgram(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", devices, ...command],
        { env: { CLIP_CACHE_DIR: bench.cacheDir } },
      );
      assert.equal(code, 1, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^clip: error: [^\n]+\n$/);
      assert.match(stderr, message);
      assert.deepEqual(bench.mounts(), []);
    }
  }
});

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
