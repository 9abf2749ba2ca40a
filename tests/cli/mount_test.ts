/** clip mount and clip unmount, run in this process. */
import assert from "node:assert/strict";
import { clip, fail, succeed } from "./fake_io.ts";
import { mountTest, startMount } from "./mounted.ts";

mountTest("a mount serves until it is interrupted, and ends well", async ({ archive, directory, folder }) => {
  const { io, status } = await startMount([archive, directory, "--cache-dir", `${folder}/cache`]);
  assert.equal(io.text, `mounted ${archive} on ${await Deno.realPath(directory)}\n`);
  assert.equal(await Deno.readTextFile(`${directory}/link`), "root:x:0:0\n");
  io.stop.abort(new DOMException("interrupted", "AbortError"));
  assert.equal(await status, 0);
  assert.equal(io.err_, "");
  assert.deepEqual([...Deno.readDirSync(directory)], []);
});

mountTest("clip unmount ends the mount and its server", async ({ archive, directory, folder }) => {
  const log = `${folder}/log`;
  const { status } = await startMount([
    archive,
    directory,
    "--cache-dir",
    folder,
    "--log-level",
    "info",
    "--log-file",
    log,
  ]);
  assert.equal(await Deno.readTextFile(`${directory}/etc/group`), "root:x:0:\n");
  assert.equal(await succeed(["unmount", directory]), "");
  assert.equal(await status, 0);
  assert.match(await Deno.readTextFile(log), /clip: info: unmounted .*servedBytes=10/);
  assert.match(await fail(["unmount", directory], 1), /nothing is mounted there/);
});

mountTest("a busy mount is told of, and taken away by --lazy", async ({ archive, directory, folder }) => {
  const { status } = await startMount([archive, directory, "--cache-dir", folder]);
  const file = await Deno.open(`${directory}/etc/group`);
  assert.match(await fail(["unmount", directory], 1), /it is in use.*--lazy/);
  await succeed(["unmount", "--lazy", directory]);
  assert.deepEqual([...Deno.readDirSync(directory)], []);
  file.close();
  assert.equal(await status, 0);
});

mountTest(
  "no directory, no archive, no cache folder, a directory that is taken",
  async ({ archive, directory, folder }) => {
    const cache = ["--cache-dir", folder];
    assert.match(await fail(["mount", archive, `${folder}/none`, ...cache], 1), /none/);
    assert.match(await fail(["mount", archive, archive, ...cache], 1), /it is not a directory/);
    assert.match(await fail(["mount", archive, directory], 2), /--cache-dir/);
    const { io, status } = await startMount([archive, directory, ...cache]);
    assert.match(await fail(["mount", archive, directory, ...cache], 1), /is mounted there; unmount it first/);
    io.stop.abort();
    assert.equal(await status, 0);
  },
);

mountTest(
  "a layer that is gone is EIO for the reader and a line in the log",
  async ({ archive, directory, folder }) => {
    const { io, status } = await startMount([archive, directory, "--cache-dir", `${folder}/cache`]);
    await Deno.rename(`${folder}/layout/blobs`, `${folder}/blobs`);
    await assert.rejects(Deno.readTextFile(`${directory}/etc/passwd`), /os error 5/);
    assert.match(io.err_, /^clip: error: cannot read \/etc\/passwd: /m);
    io.stop.abort();
    assert.equal(await status, 0);
  },
);

Deno.test("unmounting what is no mount, or not there, is an error", async () => {
  assert.match(await fail(["unmount", "/nonexistent"], 1), /\/nonexistent/);
  assert.match(await fail(["unmount", "/proc"], 1), /it is no FUSE mount/);
  assert.equal((await clip(["unmount"])).status, 2);
});
