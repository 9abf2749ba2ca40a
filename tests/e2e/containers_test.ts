/** Containers started by a real runtime: they write, fail, are interrupted, and leave nothing. */
import assert from "node:assert/strict";
import { sleep } from "../../src/base/mod.ts";
import { clip, CLIP_COMMAND, type RunningClip, spawnClip } from "./clip_process.ts";
import { mustRun, runProgram } from "./programs.ts";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { e2eTest, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", ...IMAGE_NEEDS, "runc"];

/** Folders of containers are made below the bench's own, so that what is left of them is seen. */
function place(bench: Workbench): { cwd: string; env: Record<string, string> } {
  return { cwd: bench.folder, env: { CLIP_CACHE_DIR: bench.cacheDir, TMPDIR: bench.directory("tmp") } };
}

async function indexed(bench: Workbench): Promise<string> {
  const { reference } = await testImage();
  await bench.mustClip(["index", reference, "-o", "image.clip"]);
  return bench.path("image.clip");
}

/** Nothing mounted, no folder, no process: after a moment, since servers end behind their mounts. */
async function assertNothingLeft(bench: Workbench): Promise<void> {
  // A compiled clip has a cache file there.
  const folders = () => [...Deno.readDirSync(bench.path("tmp"))].filter(({ isDirectory }) => isDirectory);
  const left = () => [...bench.mounts(), ...folders().map(({ name }) => name), ...bench.processes()];
  assert.ok(await until(() => left().length === 0, 10_000), `left: ${left()}`);
}

e2eTest("run: what a program writes is there for it and gone afterwards", NEEDS, async (bench) => {
  const file = await indexed(bench);
  const script = "echo new >/etc/issue && rm /etc/passwd && cat /etc/issue && ls /etc/passwd; id -u; exit 7";
  const run = await clip(["run", file, "sh", "-c", script], place(bench));
  assert.equal(run.stdout, "new\n0\n");
  assert.match(run.stderr, /^ls: [^\n]*No such file or directory\n$/);
  assert.equal(run.code, 7);
  const again = await clip(["run", "--tmpfs-upper", file, "cat", "/etc/issue"], place(bench));
  assert.deepEqual([again.code, again.stdout, again.stderr], [0, "changed\n", ""]);
  await assertNothingLeft(bench);
});

e2eTest("run: entrypoint, named user, volumes and labels of the image", NEEDS, async (bench) => {
  const { layout } = await testImage();
  await mustRun(["sh", "-euc", `cp -al "$1" layout && cp --remove-destination "$1/index.json" layout/`, "sh", layout], {
    cwd: bench.folder,
  });
  const config = ["umoci", "config", "--image", "layout:latest", "--config.entrypoint", "/bin/sh"];
  config.push(
    "--config.entrypoint",
    "-c",
    "--config.cmd",
    'id; pwd; echo "$COLOUR"; ls -A /etc/opt /data; ls -ld /data',
  );
  config.push("--config.user", "games:tty", "--config.workingdir", "/srv", "--config.env", "COLOUR=red");
  config.push("--config.volume", "/data", "--config.volume", "/etc/opt");
  await mustRun(config, { cwd: bench.folder });
  const image = `oci:${bench.path("layout")}:latest`;
  const run = await clip(["run", "--progress", "none", image], place(bench));
  assert.equal(run.stderr, "");
  assert.match(
    run.stdout,
    /^uid=5\(games\) gid=5\(tty\) groups=5\(tty\)\n\/srv\nred\n\/data:\n\n\/etc\/opt:\ndrwxr-xr-x/,
  );
  const command = "id; echo kept >/data/x; echo $COLOUR; cat /host/x; echo $0";
  const choices = ["--user", "root", "-e", "COLOUR=blue", "-v", `${bench.directory("shared")}:/host`];
  await Deno.writeTextFile(bench.path("shared/x"), "from the host\n");
  const other = await clip(["run", ...choices, image, command, "zero"], place(bench));
  assert.equal(other.stdout, "uid=0(root) gid=0(root) groups=0(root)\nblue\nfrom the host\nzero\n");
  const bad = await clip(["run", "--user", "who", image], place(bench));
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /^clip: error: there is no user "who": it is not in the image's \/etc\/passwd\n$/);
  await assertNothingLeft(bench);
});

e2eTest(
  "run: signals reach the program once; the deaf are killed; clip's own death leaves nothing",
  NEEDS,
  async (bench) => {
    const file = await indexed(bench);
    const start = async (script: string, options: readonly string[] = []): Promise<RunningClip> => {
      const running = spawnClip(["run", ...options, file, "sh", "-c", `${script}`], place(bench));
      bench.defer(() => running.kill("SIGKILL"));
      assert.equal(await running.firstLine, "there");
      return running;
    };
    const script =
      `trap 'echo asked; asked=1' INT; echo there; until [ "$asked" ]; do sleep 0.05; done; sleep 0.3; exit 5`;
    const asked = await start(script);
    asked.kill("SIGINT");
    const { code, stdout, stderr } = await asked.ended;
    assert.deepEqual([code, stdout, stderr], [5, "there\nasked\n", ""]);
    const deaf = await start("echo there; exec sleep 1000", ["--stop-timeout", "200ms"]);
    deaf.kill("SIGTERM");
    assert.equal((await deaf.ended).code, 137);
    await assertNothingLeft(bench);
    assert.ok(![...Deno.readDirSync(bench.cacheDir)].some(({ name }) => name === "logs"), "logs of containers");
    const killed = await start("echo there; exec sleep 1000");
    killed.kill("SIGKILL");
    await killed.ended;
    // At any moment, also before there is anything to leave.
    for (let delayMs = 100; delayMs <= 500; delayMs += 80) {
      const early = spawnClip(["run", file, "sleep", "60"], place(bench));
      bench.defer(() => early.kill("SIGKILL"));
      await sleep(delayMs);
      early.kill("SIGKILL");
      await early.ended;
    }
    await assertNothingLeft(bench);
  },
);

e2eTest(
  "run: what cannot start is told of; --read-only, --network, a terminal",
  [...NEEDS, "script"],
  async (bench) => {
    const file = await indexed(bench);
    const none = await clip(["run", "--runtime", "no-such-runtime", file, "true"], place(bench));
    assert.equal(
      none.stderr,
      "clip: error: there is no no-such-runtime on the PATH; a runtime is needed: install runc or crun\n",
    );
    // What stands behind the image is the program's, or its entrypoint's, names of clip's own options too.
    const echoed = await clip(["run", "--entrypoint", "/bin/echo", file, "-e", "a=b", "--help", "--"], place(bench));
    assert.deepEqual([echoed.code, echoed.stdout, echoed.stderr], [0, "a=b --help --\n", ""]);
    const program = await clip(["run", file, "no-such-program"], place(bench));
    assert.notEqual(program.code, 0);
    assert.match(program.stderr, /no-such-program/);
    const terminal = await clip(["run", "-t", file, "true"], place(bench));
    assert.match(terminal.stderr, /--terminal: standard input is no terminal/);
    assert.equal(terminal.code, 2);
    const readOnly = await clip(
      ["run", "--read-only", file, "sh", "-c", "echo x >/x; ls /sys/class/net"],
      place(bench),
    );
    assert.match(readOnly.stderr, /Read-only file system/);
    assert.equal(readOnly.stdout, "lo\n");
    const host = await clip(["run", "--network", "host", file, "readlink", "/proc/self/ns/net"], place(bench));
    assert.equal(host.stdout, `${await Deno.readLink("/proc/self/ns/net")}\n`);
    const command = [...CLIP_COMMAND, "run", "-t", file, "sh", "-c", "'tty; exit 3'"].join(" ");
    const inTerminal = await runProgram(["script", "-qec", command, "/dev/null"], place(bench));
    assert.match(inTerminal.stdout, /\/dev\/pts\/0\r\n$/);
    assert.equal(inTerminal.code, 3);
    await assertNothingLeft(bench);
  },
);

/** Any user may have the device in a mount namespace of the test's own. */
const AS_USER = `mknod device c 10 229 && chmod 666 device && mount --bind device /dev/fuse
exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"`;

/** crun wants control groups of version 2 alone, and takes them for itself unless it is in a user namespace. */
const BY_CRUN = `umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec unshare -Urm -- "$@"`;

e2eTest("run: in a user namespace, and as another user", [...NEEDS, "crun", "setpriv", "unshare"], async (bench) => {
  const file = await indexed(bench);
  const options = place(bench);
  const script = "id -u; echo new >/new && cat /new; exit 4";
  const inNamespace = await runProgram(["unshare", "-Urm", ...CLIP_COMMAND, "run", file, "sh", "-c", script], options);
  assert.deepEqual([inNamespace.stdout, inNamespace.code], ["0\nnew\n", 4], inNamespace.stderr);
  const withCrun = [...CLIP_COMMAND, "run", "--runtime", "crun", file, "sh", "-c", script];
  const byCrun = await runProgram(["unshare", "-m", "sh", "-euc", BY_CRUN, "sh", ...withCrun], options);
  assert.deepEqual([byCrun.stdout, byCrun.code], ["0\nnew\n", 4], byCrun.stderr);
  await assertNothingLeft(bench);
  if (Deno.env.get("CLIP_BINARY") === undefined) {
    // Deno's folder of dependencies is out of the user's reach; a compiled clip needs none.
    // deno-lint-ignore no-console -- a skip says why
    return console.log("skip: containers of another user: CLIP_BINARY names no compiled clip");
  }
  await mustRun(["chown", "-R", "65534:65534", bench.folder]);
  const env = { ...options.env, HOME: bench.folder, XDG_RUNTIME_DIR: bench.runtimeDir };
  // The kept layout is out of the user's reach.
  const { layout } = await testImage();
  await mustRun(["sh", "-euc", 'cp -r "$1" layout && chown -R 65534:65534 layout', "sh", layout], options);
  const run = ["run", "--source", `oci:${bench.path("layout")}:latest`, file, "sh", "-c", script];
  const shell = ["unshare", "-m", "--propagation", "private", "sh", "-euc", AS_USER, "sh", ...CLIP_COMMAND, ...run];
  const byUser = await runProgram(shell, { ...options, env });
  assert.deepEqual([byUser.stdout, byUser.code], ["0\nnew\n", 4], byUser.stderr);
  await assertNothingLeft(bench);
});

e2eTest("bundle: a runtime starts it, what it wrote is in the folder, unmount takes it down", NEEDS, async (bench) => {
  const file = await indexed(bench);
  bench.directory("tmp");
  // Characters that mean something to overlays.
  const folder = bench.path("box, one:two");
  const line = await bench.mustClip(["bundle", file, folder, "--", "sh", "-c", "echo written >/srv/new; exit 4"]);
  assert.equal(line, `made a bundle of ${file} in ${folder}; \`clip unmount\` takes its mounts away\n`);
  const config = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  assert.deepEqual(config.root, { path: "rootfs", readonly: false });
  const runc = ["runc", "--root", bench.path("state"), "run", "-b", folder, `clip-test-${Deno.pid}`];
  const run = await runProgram(runc);
  assert.equal(run.code, 4, run.stderr);
  assert.equal(await Deno.readTextFile(`${folder}/writable/upper/srv/new`), "written\n");
  await assert.rejects(Deno.stat(`${folder}/lower/srv/new`), Deno.errors.NotFound);
  const second = await bench.clip(["bundle", file, folder]);
  assert.match(second.stderr, /cannot make a bundle in .*: it holds /);
  await bench.mustClip(["unmount", folder]);
  await assertNothingLeft(bench);
  assert.equal(await Deno.readTextFile(`${folder}/writable/upper/srv/new`), "written\n");
});
