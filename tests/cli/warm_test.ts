/** clip warm: what it fetches, what it says, and how it fails. */
import assert from "node:assert/strict";
import { clip, fail, inWorkplace, succeed } from "./fake_io.ts";

const { test } = Deno;
const DONE = (spans: number, requests: number) =>
  new RegExp(
    `: ${spans} spans of .* are in the cache; .* fetched in ${requests} requests?; [\\d.]+ m?s\\n$`,
  );

test("everything is fetched, once, and can then be read without the source", () =>
  inWorkplace(async ({ archive, folder }) => {
    const cache = ["--cache-dir", `${folder}/cache`];
    assert.match(await succeed(["warm", archive, ...cache]), DONE(2, 2));
    await Deno.rename(`${folder}/layout`, `${folder}/gone`);
    assert.match(await succeed(["warm", archive, ...cache]), DONE(2, 0));
    assert.match(await succeed(["warm", "--offline", archive, ...cache]), DONE(2, 0));
    assert.equal(await succeed(["cat", "--offline", archive, "/etc/passwd", ...cache]), "root:x:0:0\n");
    assert.match(await fail(["warm", archive, "--cache-dir", `${folder}/other`], 1), /layout/);
  }));

test("paths alone: files, directories with all below, symlinks", () =>
  inWorkplace(async ({ archive, folder }) => {
    let caches = 0;
    const warm = (...paths: string[]) => succeed(["warm", archive, ...paths, "--cache-dir", `${folder}/${caches++}`]);
    assert.match(await warm("/etc/passwd"), DONE(1, 1));
    assert.match(await warm("/link", "etc/passwd"), DONE(1, 1));
    assert.match(await warm("/tmp"), DONE(1, 1));
    assert.match(await warm("/etc", "/tmp/tagged"), DONE(2, 2));
    assert.match(await warm("/"), DONE(2, 2));
    assert.match(await warm("/dev/null"), DONE(0, 0));
    assert.match(await fail(["warm", archive, "/none", "--cache-dir", folder], 1), /there is no \/none in the image/);
  }));

test("an image by name is indexed on the way", () =>
  inWorkplace(async ({ image, folder }) => {
    const args = ["--cache-dir", `${folder}/cache`, "--platform", "linux/amd64", "--progress", "none"];
    assert.match(await succeed(["warm", image, ...args]), DONE(2, 2));
    assert.match(await succeed(["warm", "--offline", image, ...args]), DONE(2, 0));
  }));

test("--profile without one, a cache that takes nothing, an interrupt", () =>
  inWorkplace(async ({ archive, folder }) => {
    assert.match(await fail(["warm", "--profile", archive, "--cache-dir", folder], 1), /holds no profile/);
    await Deno.writeTextFile(`${folder}/file`, "");
    const { status, err } = await clip(["warm", archive, "--cache-dir", `${folder}/file/cache`]);
    assert.equal(status, 1);
    assert.match(err, /going on without the cache.*\n.*error: the cache did not take 2 of 2 spans\n$/s);
    const interrupted = await clip(["warm", archive, "--cache-dir", folder], (io) => {
      io.stop.abort(new DOMException("interrupted", "AbortError"));
    });
    assert.equal(interrupted.status, 130);
    assert.equal(interrupted.out, "");
  }));

test("progress: JSON events, a line that is taken off the terminal, none", () =>
  inWorkplace(async ({ archive, folder }) => {
    let caches = 0;
    const warm = (...options: string[]) => ["warm", archive, "--cache-dir", `${folder}/${caches++}`, ...options];
    const events = (await clip(warm("--progress", "json"))).err.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(events.at(-1), { doneSpans: 2, spans: 2 });
    const { err } = await clip(warm(), (io) => io.terminal = { columns: 80 });
    assert(err.startsWith("\r1 of 2 spans\x1b[K") && err.endsWith("\r\x1b[K"), JSON.stringify(err));
    assert.equal((await clip(warm("--progress", "none"), (io) => io.terminal = { columns: 80 })).err, "");
  }));
