/** Beginnings and ends: signals, killed servers, unmounting. */
import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { LARGE_IMAGE_NEEDS, largeImage } from "./large_image.ts";
import { writeSmallImage } from "./oci_layout.ts";
import { runProgram } from "./programs.ts";
import { e2eTest, isRunning, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root"];

async function indexSmall(bench: Workbench): Promise<string> {
  writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "small.clip"]);
  return bench.path("small.clip");
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  e2eTest(`mount: ${signal} unmounts and ends with status 0`, NEEDS, async (bench) => {
    const file = await indexSmall(bench);
    const mountpoint = bench.directory("mnt");
    const running = bench.spawnClip(["mount", file, mountpoint]);
    assert.equal(await running.firstLine, `mounted ${file} on ${mountpoint}`);
    assert.equal(await Deno.readTextFile(`${mountpoint}/etc/motd`), "hello\n");
    running.kill(signal);
    const { code, stderr } = await running.ended;
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.deepEqual(bench.mounts(), []);
  });
}

e2eTest("mount: a signal while a file is open takes the mount out of sight", NEEDS, async (bench) => {
  const running = bench.spawnClip(["mount", await indexSmall(bench), bench.directory("mnt")]);
  await running.firstLine;
  const file = await Deno.open(bench.path("mnt/numbers"));
  running.kill("SIGTERM");
  assert.ok(await until(() => bench.mounts().length === 0, 5000), "still mounted");
  file.close();
  assert.equal((await running.ended).code, 0);
});

e2eTest("index: SIGINT leaves nothing", LARGE_IMAGE_NEEDS, async (bench) => {
  const running = bench.spawnClip(["index", "--progress", "json", await largeImage(), "-o", "large.clip"]);
  assert.ok(await until(() => /"compressedBytes":[1-9]/.test(running.stderrSoFar()), 20_000), running.stderrSoFar());
  const asked = performance.now();
  running.kill("SIGINT");
  const { code, stderr } = await running.ended;
  assert.equal(code, 130, stderr);
  assert.match(stderr, /\nclip: interrupted\n$/);
  assert.ok(performance.now() - asked < 3000, "it took long to stop");
  assert.deepEqual(bench.names(), []);
});

e2eTest("mount --daemon: SIGINT while its server waits for the archive leaves nothing", NEEDS, async (bench) => {
  const asked = Promise.withResolvers<void>();
  const never = Promise.withResolvers<Response>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
    asked.resolve();
    return never.promise;
  });
  bench.defer(async () => {
    never.resolve(new Response());
    await server.shutdown();
  });
  const url = `http://127.0.0.1:${server.addr.port}/slow.clip`;
  const running = bench.spawnClip(["mount", "--daemon", url, bench.directory("mnt")]);
  await asked.promise;
  running.kill("SIGINT");
  assert.ok(await until(() => !isRunning(running.pid), 10_000), "it goes on");
  const { code, stdout, stderr } = await running.ended;
  assert.deepEqual([code, stdout, stderr], [130, "", "clip: interrupted\n"]);
  assert.ok(
    await until(() => bench.mounts().length === 0 && bench.processes().length === 0, 5000),
    "something is left",
  );
  assert.deepEqual([...Deno.readDirSync(bench.runtimeDir)], []);
});

e2eTest("mount: a mount whose server was killed is replaced, or taken away", NEEDS, async (bench) => {
  const file = await indexSmall(bench);
  for (const next of ["mount", "unmount"]) {
    const running = bench.spawnClip(["mount", file, bench.directory("mnt")]);
    await running.firstLine;
    running.kill("SIGKILL");
    await running.ended;
    if (next === "unmount") await bench.mustClip(["unmount", "mnt"]);
    else {
      const { log, directory, pid } = await bench.mount(file, "mnt");
      assert.match(log(), /detaching a mount whose server is gone/);
      assert.equal(await Deno.readTextFile(`${directory}/etc/motd`), "hello\n");
      await bench.mustClip(["unmount", directory]);
      assert.ok(await until(() => !isRunning(pid), 5000));
    }
    assert.deepEqual(bench.mounts(), []);
  }
});

e2eTest("mount --daemon: is served from nowhere in particular, by no child of a terminal", NEEDS, async (bench) => {
  const { pid, directory, line } = await bench.mount(await indexSmall(bench), "mnt");
  assert.ok(line.startsWith(`mounted ${bench.path("small.clip")} on ${directory} (process ${pid}, log `), line);
  assert.equal(await Deno.readLink(`/proc/${pid}/cwd`), "/");
  const [, , , , group, session] = (await Deno.readTextFile(`/proc/${pid}/stat`)).replace(/\(.*\)/, "x").split(" ");
  assert.equal(group, session);
  const own = (await Deno.readTextFile("/proc/self/stat")).replace(/\(.*\)/, "x").split(" ");
  assert.notEqual(session, own[5]);
  // The umount of util-linux does as well as clip's.
  assert.equal((await runProgram(["umount", directory])).code, 0);
  assert.ok(await until(() => !isRunning(pid), 5000));
});

/** Any user may have the device in a mount namespace of the test's own; on the machine itself often root alone may. */
const AS_USER = `mknod device c 10 229 && chmod 666 device && mount --bind device /dev/fuse
user() { setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"; }
user "$@" mount --daemon small.clip mnt
user cat mnt/etc/motd
user test -r mnt/numbers
grep "$PWD/mnt" /proc/self/mountinfo | grep -o "fuse.clip.*user_id=65534"
user "$@" unmount mnt
! grep "$PWD/mnt" /proc/self/mountinfo`;

e2eTest("mount as another user, by fusermount3", [...NEEDS, "fusermount3", "setpriv", "unshare"], async (bench) => {
  await indexSmall(bench);
  for (const name of ["", "mnt", "cache"]) {
    bench.directory(name);
    await Deno.chown(bench.path(name), 65534, 65534);
  }
  const options = { cwd: bench.folder, env: { CLIP_CACHE_DIR: bench.cacheDir, HOME: bench.folder } };
  const version = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", ...CLIP_COMMAND, "version"];
  const { code, stderr } = await runProgram(version, options);
  // Deno's folder of dependencies may be out of the user's reach; a compiled clip needs none.
  // deno-lint-ignore no-console -- a skip says why
  if (code !== 0) return console.log(`skip: mounts of another user: it cannot run clip: ${stderr.split("\n")[0]}`);
  const shell = ["unshare", "-m", "--propagation", "private", "sh", "-euc", AS_USER, "sh", ...CLIP_COMMAND];
  const run = await runProgram(shell, options);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^mounted .*\nhello\nfuse\.clip.*user_id=65534\n$/);
  assert.ok(await until(() => bench.processes().length === 0, 5000), "the server is still there");
});
