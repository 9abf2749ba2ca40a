/** Mounts outlive their servers. */
import assert from "node:assert/strict";
import { SUPERVISOR_SCRIPT } from "../../src/cli/supervisor.ts";
import { startReaders } from "./comparing_readers.ts";
import { runProgram } from "./programs.ts";
import { SUPERVISED_NEEDS, SupervisedMount } from "./supervised_mount.ts";
import { e2eTest, isRunning, until } from "./workbench.ts";

/** How often a server is killed; `CLIP_KILLS=200` for the long run. */
const KILLS = Number(Deno.env.get("CLIP_KILLS") ?? 5);
const READERS = 16;

for (const args of [[], ["--standby"]]) {
  const name = `supervisor: ${KILLS} killed servers under ${READERS} comparing readers ${args}`.trimEnd();
  e2eTest(name, SUPERVISED_NEEDS, async (bench) => {
    const mount = await SupervisedMount.make(bench, args);
    const readers = startReaders(mount.file, READERS);
    let pid = mount.process();
    for (let kill = 0; kill < KILLS; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 400));
      Deno.kill(pid, "SIGKILL");
      pid = await mount.next(pid);
    }
    await readers.stop();
    await mount.unmount();
  });
}

e2eTest("supervisor: who stands by takes over, and is itself replaced", SUPERVISED_NEEDS, async (bench) => {
  const mount = await SupervisedMount.make(bench, ["--standby"]);
  const first = mount.process();
  const second = await mount.next(0, "standby");
  Deno.kill(second, "SIGKILL");
  const third = await mount.next(second, "standby");
  assert.equal(mount.process(), first, "the server goes on where only the other one died");
  Deno.kill(first, "SIGKILL");
  assert.equal(await mount.next(first), third);
  await mount.next(third, "standby");
  const readers = startReaders(mount.file, 2);
  assert.ok(await until(() => readers.count() > 10, 20_000));
  await readers.stop();
  await mount.unmount();
  const alone = await bench.clip(["mount", "--standby", "large.clip", mount.directory]);
  assert.deepEqual([alone.code, /--standby goes with --daemon/.test(alone.stderr)], [2, true]);
});

e2eTest(
  "supervisor: one that notices late that servers took turns does not give the mount up",
  SUPERVISED_NEEDS,
  async (bench) => {
    const mount = await SupervisedMount.make(bench, ["--standby"]);
    const first = mount.process();
    const second = await mount.next(0, "standby");
    Deno.kill(mount.supervisor, "SIGSTOP");
    Deno.kill(first, "SIGKILL");
    assert.equal(await mount.next(first), second);
    Deno.kill(mount.supervisor, "SIGCONT");
    await mount.next(second, "standby");
    assert.equal(mount.process(), second);
    const readers = startReaders(mount.file, 2);
    assert.ok(await until(() => readers.count() > 10, 20_000));
    await readers.stop();
    await mount.unmount();
  },
);

e2eTest("supervisor: SIGHUP replaces the server, SIGTERM to the server unmounts", SUPERVISED_NEEDS, async (bench) => {
  const mount = await SupervisedMount.make(bench);
  const first = mount.process();
  Deno.kill(mount.supervisor, "SIGHUP");
  const second = await mount.next(first);
  assert.ok(await until(() => !isRunning(first), 5000));
  const readers = startReaders(mount.file, 2);
  assert.ok(await until(() => readers.count() > 10, 20_000));
  await readers.stop();
  Deno.kill(second, "SIGTERM");
  await mount.assertGone();
  assert.equal([...Deno.readDirSync(mount.directory)].length, 0);
});

/** Does all that a server does before it serves, and ends when it is its turn. */
const ENDS_AT_ITS_TURN = `#!/bin/sh
while [ "$1" != --supervised ]; do shift; done
: >"$2/standby.$$"
kill -USR1 $PPID
flock "$2/turn" echo "its turn"
exit 1
`;

e2eTest("supervisor: a program that cannot take over leaves the mount to the one before", [
  ...SUPERVISED_NEEDS,
  "flock",
], async (bench) => {
  const mount = await SupervisedMount.make(bench);
  const before = (await Deno.readTextFile(`${mount.folder}/program`)).trim();
  const readers = startReaders(mount.file, 4);
  const server = mount.process();
  const program = async (name: string, text: string, mode = 0o755) => {
    await Deno.writeTextFile(bench.path(name), text);
    await Deno.chmod(bench.path(name), mode);
    return bench.path(name);
  };
  const bad = [
    bench.path("missing"),
    await program("not-executable", "#!/bin/sh\n", 0o644),
    await program("fails", "#!/bin/sh\nexit 1\n"),
    await program("ends-well", "#!/bin/sh\nexit 0\n"),
  ];
  for (const path of bad) {
    await mount.replaceBy(path);
    await mount.refused();
    assert.equal(mount.process(), server);
    assert.equal(await Deno.readTextFile(`${mount.folder}/program`), `${before}\n`);
    assert.ok(mount.log().includes(`${path} does not get as far as serving: process ${server} goes on`), mount.log());
  }
  await mount.replaceBy(await program("ends-at-its-turn", ENDS_AT_ITS_TURN));
  await mount.refused();
  const next = await mount.next(server);
  // Between them the shell may tell of the one that was killed.
  assert.match(mount.log(), /its turn\n(?:.*\n){0,3}.*soon after it took over: back to /);
  assert.equal(await Deno.readTextFile(`${mount.folder}/program`), `${before}\n`);
  const reads = readers.count();
  assert.ok(await until(() => readers.count() > reads + 10, 20_000), "readers are stuck");

  // What an upgrade of an archive that is gone says.
  await Deno.rename(bench.path("large.clip"), bench.path("gone.clip"));
  const { code, stderr } = await bench.clip(["upgrade-mounts"]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^clip: error: \S+mnt: clip \S+ could not take over, the one before goes on: .*large\.clip.*\n$/,
  );
  assert.equal(mount.process(), next);

  // Another tree in its place: what the kernel has of files would be mixed with what that has.
  await Deno.mkdir(bench.path("other"));
  await bench.mustClip(["create", bench.path("other"), "-o", bench.path("large.clip")]);
  const another = /large\.clip is not of the image any more that is mounted on \S+mnt: unmount it, and mount again/;
  const refusal = await bench.clip(["upgrade-mounts"]);
  assert.equal(refusal.code, 1);
  assert.match(refusal.stderr, another);
  assert.equal(mount.process(), next);
  await readers.stop();
  const logged = mount.log().length;
  Deno.kill(next, "SIGKILL");
  assert.ok(await until(() => bench.mounts().length === 0, 20_000), "a tree was mounted over another");
  assert.match(mount.log().slice(logged), another);
  await mount.assertGone();
});

e2eTest(
  "upgrade-mounts: Ctrl-C ends the wait for a supervisor that does not answer",
  SUPERVISED_NEEDS,
  async (bench) => {
    const mount = await SupervisedMount.make(bench);
    const server = mount.process();
    Deno.kill(mount.supervisor, "SIGSTOP");
    const upgrade = bench.spawnClip(["upgrade-mounts"]);
    const program = `${mount.folder}/program`;
    const { ino } = await Deno.stat(program);
    assert.ok(await until(() => Deno.statSync(program).ino !== ino, 20_000), "it tells nothing");
    upgrade.kill("SIGINT");
    assert.ok(await until(() => !isRunning(upgrade.pid), 5000), "it goes on");
    const { code, stderr } = await upgrade.ended;
    assert.deepEqual([code, stderr], [130, "clip: interrupted\n"]);
    Deno.kill(mount.supervisor, "SIGCONT");
    await mount.next(server);
    await mount.unmount();
  },
);

e2eTest("supervisor: when it is gone, so is the mount, within a second", SUPERVISED_NEEDS, async (bench) => {
  const { supervisor } = await SupervisedMount.make(bench, ["--standby"]);
  Deno.kill(supervisor, "SIGKILL");
  assert.ok(await until(() => bench.mounts().length === 0, 1000), "it is still mounted");
  assert.ok(await until(() => bench.processes().length === 0, 5000), "something of the mount is left");
});

e2eTest("supervisor: killed at any moment of its beginning, nothing of it is left", ["setsid"], async (bench) => {
  // About one in a hundred used to leave its watchdog, which waited for it for ever.
  for (let kill = 0; kill < 20 * KILLS; kill++) {
    const folder = bench.directory(`state-${kill}`);
    await Deno.writeTextFile(`${folder}/program`, "false\n");
    const args = ["sh", "-c", SUPERVISOR_SCRIPT, "clip-supervisor", folder, bench.path("none"), "/dev/null", ""];
    const child = new Deno.Command("setsid", { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    await new Promise((resolve) => setTimeout(resolve, kill % 7));
    try {
      child.kill(kill % 2 === 0 ? "SIGKILL" : "SIGTERM");
    } catch {
      // It has ended.
    }
    await child.status;
  }
  assert.ok(await until(() => bench.processes().length === 0, 5000), `left: ${bench.processes()}`);
});

e2eTest("supervisor: a program that cannot be started any more ends the mount", SUPERVISED_NEEDS, async (bench) => {
  const mount = await SupervisedMount.make(bench);
  await Deno.writeTextFile(`${mount.folder}/program`, `${bench.path("no-such-program")}\n`);
  Deno.kill(mount.process(), "SIGKILL");
  await mount.assertGone();
  assert.match(mount.log(), /the mount is given up/);
});

const MEMORY_CGROUPS = "/sys/fs/cgroup/memory";

/** Where a group of processes whose memory is bounded can be made: cgroup v1, and v2 with the controller. */
async function makeMemoryGroup(bench: { defer(work: () => unknown): void }, bytes: number): Promise<string> {
  const v1 = await Deno.stat(`${MEMORY_CGROUPS}/memory.limit_in_bytes`).then(() => true, () => false);
  const group = `${v1 ? MEMORY_CGROUPS : "/sys/fs/cgroup"}/clip-test-${Deno.pid}`;
  await Deno.mkdir(group);
  bench.defer(async () => {
    await until(() => Deno.readTextFileSync(`${group}/cgroup.procs`) === "", 5000);
    await Deno.remove(group);
  });
  await Deno.writeTextFile(`${group}/${v1 ? "memory.limit_in_bytes" : "memory.max"}`, `${bytes}`);
  return group;
}

e2eTest("supervisor: a server that its cgroup's memory limit kills is replaced", SUPERVISED_NEEDS, async (bench) => {
  const mount = await SupervisedMount.make(bench);
  let group: string;
  try {
    group = await makeMemoryGroup(bench, 32 * 1024 * 1024);
  } catch (error) {
    // deno-lint-ignore no-console -- a skip says why
    return console.log(`skip: memory limits: no cgroup can be made: ${error}`);
  }
  const readers = startReaders(mount.file, 4);
  const server = mount.process();
  await Deno.writeTextFile(`${group}/cgroup.procs`, `${server}`);
  // It fills the group's memory; but the server is larger, and the kernel kills the largest.
  const script = 'echo $$ >"$1/cgroup.procs" && exec tail /dev/zero';
  const hog = runProgram(["sh", "-c", script, "sh", group]);
  await mount.next(server);
  assert.ok(await until(() => !isRunning(server), 5000));
  assert.match(mount.log(), /ended \(status 137\): the next takes over/);
  await hog;
  const reads = readers.count();
  assert.ok(await until(() => readers.count() > reads + 10, 20_000), "readers are stuck");
  await readers.stop();
  await mount.unmount();
});
