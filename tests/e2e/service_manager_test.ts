/** A mount in the foreground whose connection the service manager keeps; the test is the service manager. */
import assert from "node:assert/strict";
import { libc } from "../../src/fuse/mod.ts";
import { CLIP_COMMAND } from "./clip_process.ts";
import { startReaders } from "./comparing_readers.ts";
import { LARGE_FILE } from "./large_image.ts";
import { NotifySocket } from "./notify_socket.ts";
import { largeArchive, SUPERVISED_NEEDS } from "./supervised_mount.ts";
import { e2eTest, until, type Workbench } from "./workbench.ts";

// Opened here, and for good: a library opened during a test counts as a leak of it.
libc();

/** As systemd starts a service: what is stored is descriptor 3, and the process's own number is told. */
const AS_SERVICE = `[ -z "$STORED" ] || { exec 3<&$STORED; [ "$STORED" = 3 ] || eval "exec $STORED<&-"
  export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES="$NAME"; }
unset STORED NAME; exec "$@"`;

function startService(bench: Workbench, socket: NotifySocket, args: readonly string[]): Deno.ChildProcess {
  const stored = socket.stored.at(-1);
  if (stored !== undefined) libc().setCloseOnExec(stored, false);
  const env = { CLIP_CACHE_DIR: bench.cacheDir, CLIP_RUNTIME_DIR: bench.runtimeDir, NOTIFY_SOCKET: socket.path };
  const service = new Deno.Command("bash", {
    args: ["-c", AS_SERVICE, "bash", ...CLIP_COMMAND, ...args],
    env: { ...env, STORED: `${stored ?? ""}`, NAME: socket.storedName },
    cwd: bench.folder,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  if (stored !== undefined) libc().setCloseOnExec(stored, true);
  return service;
}

e2eTest("a service manager keeps the connection while servers come and go", [
  ...SUPERVISED_NEEDS,
  "bash",
], async (bench) => {
  const socket = new NotifySocket(bench.path("notify"));
  bench.defer(() => socket.close());
  const directory = bench.directory("mnt");
  const log = bench.path("log");
  const archive = bench.path("large.clip");
  await Deno.copyFile(await largeArchive(bench), archive);
  const args = ["mount", "--debug", "--log-file", log, archive, directory];
  // One that cannot begin leaves no mount, which nobody would serve.
  const failed = startService(bench, socket, [...args, "--source", "Not:::an:image"]);
  assert.equal((await failed.status).code, 2);
  assert.deepEqual([bench.mounts(), socket.messages], [[], []]);

  let service = startService(bench, socket, args);
  assert.ok(await socket.hears("READY=1"), Deno.readTextFileSync(log));
  const { storedName } = socket;
  assert.match(storedName, /^clip-mount-[0-9a-f]{64}$/);
  assert.deepEqual(socket.messages, [`FDSTORE=1\nFDNAME=${storedName}`, `READY=1\nSTATUS=Serving ${directory}`]);
  const readers = startReaders(`${directory}/${LARGE_FILE.path}`, 4);
  for (let restart = 0; restart < 3; restart++) {
    const reads = readers.count();
    assert.ok(await until(() => readers.count() > reads + 10, 20_000), "readers are stuck");
    service.kill("SIGKILL");
    await service.status;
    socket.messages.length = 0;
    service = startService(bench, socket, args);
    assert.ok(await socket.hears("READY=1"), Deno.readTextFileSync(log));
  }
  await readers.stop();
  assert.equal(bench.mounts().length, 1, "none was mounted over another");

  service.kill("SIGTERM");
  assert.equal((await service.status).code, 0);
  assert.ok(await socket.hears("FDSTOREREMOVE=1"));
  assert.deepEqual(bench.mounts(), []);

  // A connection whose mount is gone is not gone on with.
  socket.messages.length = 0;
  service = startService(bench, socket, args);
  assert.ok(await socket.hears("READY=1"), Deno.readTextFileSync(log));
  assert.equal(socket.messages[0], `FDSTOREREMOVE=1\nFDNAME=${storedName}`);
  assert.equal([...Deno.readDirSync(directory)].length, 1);

  // Nor is one whose tree the archive does not have any more: the mount is made anew.
  await Deno.mkdir(bench.path("other/name"), { recursive: true });
  await bench.mustClip(["create", bench.path("other"), "-o", archive]);
  service.kill("SIGKILL");
  await service.status;
  socket.messages.length = 0;
  service = startService(bench, socket, args);
  assert.ok(await socket.hears("READY=1"), Deno.readTextFileSync(log));
  assert.deepEqual([socket.messages[0], socket.storedName === storedName], [
    `FDSTOREREMOVE=1\nFDNAME=${storedName}`,
    false,
  ]);
  assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["name"]);
  assert.equal(bench.mounts().length, 1);
  service.kill("SIGTERM");
  assert.equal((await service.status).code, 0);
});
