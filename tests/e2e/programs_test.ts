/** Programs run from a mount as from any root file system. */
import assert from "node:assert/strict";
import { mustRun, runProgram } from "./programs.ts";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", ...IMAGE_NEEDS];

async function mountTestImage(bench: Workbench): Promise<string> {
  const { reference } = await testImage();
  await bench.mustClip(["index", reference, "-o", "image.clip"]);
  return (await bench.mount(bench.path("image.clip"), "mnt")).directory;
}

e2eTest("programs: a shell and Python run in a mount", NEEDS, async (bench) => {
  const directory = await mountTestImage(bench);
  const listing = await mustRun(["chroot", directory, "/bin/sh", "-c", "ls -l /usr | head"]);
  for (const name of ["bin", "lib", "share"]) assert.match(listing, new RegExp(`^drwx.* ${name}$`, "m"));
  const script =
    "import json, sqlite3; print(json.dumps(sqlite3.connect(':memory:').execute('select 6*7').fetchall()))";
  assert.equal(await mustRun(["chroot", directory, "/usr/bin/python3", "-c", script]), "[[42]]\n");
});

e2eTest("programs: a mount is read-only, and can be the lower layer of an overlay", NEEDS, async (bench) => {
  const lower = await mountTestImage(bench);
  const write = await runProgram(["sh", "-c", "echo x > new"], { cwd: lower });
  assert.match(write.stderr, /Read-only file system/);
  const merged = bench.directory("merged");
  const writable = bench.directory("writable");
  // The folder may itself lie on an overlay, which cannot be the upper layer of another.
  await mustRun(["mount", "-t", "tmpfs", "none", writable]);
  const options = `lowerdir=${lower},upperdir=${bench.directory("writable/upper")},workdir=${
    bench.directory("writable/work")
  }`;
  await mustRun(["mount", "-t", "overlay", "overlay", "-o", options, merged]);
  const script = "echo more >> /etc/issue && rm /etc/passwd && chmod 700 /app && cat /etc/issue && ls /etc/passwd";
  const run = await runProgram(["chroot", merged, "/bin/sh", "-c", script]);
  assert.equal(run.stdout, "changed\nmore\n");
  assert.match(run.stderr, /No such file/);
  assert.equal(await Deno.readTextFile(`${lower}/etc/issue`), "changed\n");
});
