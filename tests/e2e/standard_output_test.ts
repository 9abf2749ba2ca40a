/** A standard output that is full, does not wait, or is not read. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { equalBytes } from "../../src/base/mod.ts";
import { CLIP_COMMAND } from "./clip_process.ts";
import { runProgram } from "./programs.ts";
import { e2eTest } from "./workbench.ts";

/** Far more than a pipe holds. */
const FILE_BYTES = 1_000_000;
/** dd leaves the pipe non-blocking for whoever has it after that. */
const NON_BLOCKING = 'set -o pipefail; { dd count=0 oflag=nonblock status=none; "$@"; } | { sleep 0.5; cat; }';
/** Into a pipe that somebody has, and does not read. */
const UNREAD = 'exec "$@" >"$0"';

e2eTest("standard output may be full, not wait, or not be read", ["bash", "dd", "mkfifo"], async (bench) => {
  const bytes = new Uint8Array(randomBytes(FILE_BYTES));
  await Deno.writeFile(`${bench.directory("tree")}/file`, bytes);
  await bench.mustClip(["create", "tree", "-o", "tree.clip"]);
  const inShell = (script: string, name: string, args: string[]) =>
    runProgram(["bash", "-c", script, name, ...CLIP_COMMAND, ...args], {
      cwd: bench.folder,
      env: { CLIP_CACHE_DIR: bench.cacheDir },
    });

  for (const command of [["ls", "tree.clip"], ["cat", "tree.clip", "/file"], ["export", "tree.clip"]]) {
    const { code, stderr } = await inShell('exec "$@" >/dev/full', "bash", command);
    assert.equal(code, 1);
    assert.match(stderr, /^clip: error: cannot write to standard output: No space left[^\n]*\n$/, "no stack");
  }

  const slow = await inShell(NON_BLOCKING, "bash", ["cat", "tree.clip", "/file"]);
  assert.deepEqual([slow.code, slow.stderr], [0, ""]);
  assert(equalBytes(slow.stdoutBytes, bytes), `${slow.stdoutBytes.length} bytes came`);
  const tar = await inShell(NON_BLOCKING, "bash", ["export", "tree.clip"]);
  assert.deepEqual([tar.code, tar.stderr, tar.stdoutBytes.length % 512], [0, "", 0]);
  assert(tar.stdoutBytes.length > FILE_BYTES);

  for (const command of [["cat", "tree.clip", "/file"], ["export", "tree.clip"]]) {
    const pipe = bench.path(`${command[0]}.pipe`);
    await runProgram(["mkfifo", pipe]);
    using unread = await Deno.open(pipe, { read: true, write: true });
    const child = new Deno.Command("bash", {
      args: ["-c", UNREAD, pipe, ...CLIP_COMMAND, ...command],
      cwd: bench.folder,
      env: { CLIP_CACHE_DIR: bench.cacheDir },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    // So it has begun to write what does not fit.
    await Promise.race([unread.read(new Uint8Array(1)), child.status]);
    child.kill("SIGINT");
    const killer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const { code, stderr } = await child.output();
    clearTimeout(killer);
    assert.deepEqual([code, new TextDecoder().decode(stderr)], [130, "clip: interrupted\n"], command[0]);
  }
});
