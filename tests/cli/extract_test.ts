/** clip extract: what it makes of an archive, what it says, and what it refuses. */
import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { fileCalls } from "../../src/extract/file_calls.ts";
import { gzipLayer } from "../indexer/memory_image.ts";
import { clip, fail, inWorkplace, sampleLayers, succeed, type Workplace } from "./fake_io.ts";

// For good: a library that is opened during a test counts as a leak of it.
fileCalls();

const { test } = Deno;
const IS_ROOT = Deno.uid() === 0;
const QUIET = ["--progress", "none"] as const;

function extract({ folder, archive }: Workplace, ...args: string[]): Promise<string> {
  return succeed(["extract", archive, ...args, "--cache-dir", `${folder}/cache`, ...QUIET]);
}

/** The files of what only root may make are left out. */
const withoutDevices = () => {
  const [first, second] = sampleLayers();
  return IS_ROOT
    ? [first!, second!]
    : [gzipLayer({ path: "etc/passwd", data: "x", uid: Deno.uid()!, gid: Deno.gid()! })];
};

test("everything, with links, times and modes; DIR is made", { ignore: !IS_ROOT }, () =>
  inWorkplace(async (place) => {
    const out = `${place.folder}/out`;
    assert.match(await extract(place, out), /\/out: 13 names, 42 B; [\d.]+ KiB fetched in 2 requests; [\d.]+ m?s\n$/);
    assert.deepEqual(readdirSync(out).sort(), ["bin", "dev", "etc", "link", "tmp"]);
    assert.equal(readFileSync(`${out}/etc/passwd`, "utf8"), "root:x:0:0\n");
    assert.equal(readlinkSync(`${out}/link`), "etc/passwd");
    const [tool, alias, passwd] = ["bin/tool", "bin/alias", "etc/passwd"].map((path) => lstatSync(`${out}/${path}`));
    assert.deepEqual([tool!.mode & 0o7777, tool!.ino, tool!.nlink], [0o4755, alias!.ino, 2]);
    assert.deepEqual([passwd!.uid, passwd!.gid, passwd!.mtimeMs], [1000, 100, -1000]);
    assert.equal(lstatSync(out).mtimeMs, 1e12);
    assert.equal(lstatSync(`${out}/tmp/tagged`).mtimeMs, 1_600_000_000_500);
    assert.ok(lstatSync(`${out}/tmp/pipe`).isFIFO() && lstatSync(`${out}/dev/null`).isCharacterDevice());
  }));

test("paths: with all below, and the directories on the way; of hard links the names that were asked for", () =>
  inWorkplace(async (place) => {
    await extract(place, "/bin/alias", "etc", "/link", `${place.folder}/out`, "--no-same-owner");
    assert.deepEqual(readdirSync(`${place.folder}/out`).sort(), ["bin", "etc", "link"]);
    assert.deepEqual(readdirSync(`${place.folder}/out/bin`), ["alias"]);
    assert.deepEqual(readdirSync(`${place.folder}/out/etc`).sort(), ["group", "passwd"]);
    assert.equal(lstatSync(`${place.folder}/out/etc/passwd`).uid, Deno.uid());
    const err = await fail(["extract", place.archive, "/none", `${place.folder}/other`], 1);
    assert.match(err, /there is no \/none in the image/);
    assert.equal(await Deno.stat(`${place.folder}/other`).catch(() => "none"), "none");
  }));

test(
  "an owner that chown(2) takes for none gets no program that runs as whoever extracts it",
  { ignore: !IS_ROOT },
  () =>
    inWorkplace(async (place) => {
      const { err } = await clip([
        "extract",
        place.archive,
        `${place.folder}/out`,
        "--cache-dir",
        place.folder,
        ...QUIET,
      ]);
      assert.match(err, /^clip: warn: set-user-ID and set-group-ID bits are left out, [^\n]*\n$/);
      const [nobodys, nogroups, own] = ["nobodys", "nogroups", "own"].map((name) =>
        lstatSync(`${place.folder}/out/${name}`)
      );
      assert.deepEqual([nobodys!.uid, nobodys!.mode & 0o7777], [0, 0o755]);
      assert.deepEqual([nogroups!.uid, nogroups!.gid, nogroups!.mode & 0o7777], [7, 0, 0o755]);
      assert.deepEqual([own!.uid, own!.gid, own!.mode & 0o7777], [7, 7, 0o6755]);
    }, [gzipLayer(
      { path: "nobodys", data: "x", mode: 0o4755, uid: 0xffffffff, gid: 7 },
      { path: "nogroups", data: "x", mode: 0o6755, uid: 7, gid: 0xffffffff },
      { path: "own", data: "x", mode: 0o6755, uid: 7, gid: 7 },
    )]),
);

test("a directory that holds something: refused, or overwritten without following a link", () =>
  inWorkplace(async (place) => {
    const out = `${place.folder}/out`;
    const outside = `${place.folder}/outside`;
    mkdirSync(`${out}/etc/group/full`, { recursive: true });
    mkdirSync(outside);
    writeFileSync(`${out}/kept`, "kept");
    assert.match(
      await fail(["extract", place.archive, out, "--cache-dir", place.folder], 1),
      /out is not empty: give an empty .* or --overwrite\n$/,
    );
    const overwrite = ["extract", place.archive, out, "--overwrite", "--cache-dir", `${place.folder}/cache`, ...QUIET];
    assert.match(await fail(overwrite, 1), /cannot replace the directory \S+\/out\/etc\/group: Directory not empty\n$/);
    await Deno.remove(`${out}/etc/group/full`);
    // In place of a directory, of a file, and of a link.
    await Deno.remove(`${out}/bin`, { recursive: true });
    symlinkSync(outside, `${out}/bin`);
    await Deno.remove(`${out}/etc/passwd`);
    writeFileSync(`${outside}/passwd`, "outside");
    symlinkSync(`${outside}/passwd`, `${out}/etc/passwd`);
    chmodSync(`${out}/etc`, 0o500);
    await succeed(overwrite);
    assert.deepEqual(readdirSync(outside), ["passwd"]);
    assert.equal(readFileSync(`${outside}/passwd`, "utf8"), "outside");
    assert.equal(readFileSync(`${out}/etc/passwd`, "utf8"), "root:x:0:0\n");
    assert.equal(readFileSync(`${out}/kept`, "utf8"), "kept");
    assert.ok(lstatSync(`${out}/bin`).isDirectory() && lstatSync(`${out}/link`).isSymbolicLink());
    assert.ok(!readdirSync(out).some((name) => name.startsWith(".clip")));
  }, withoutDevices()));

test("what an interrupted run has left is gone on with, and by nothing else", () =>
  inWorkplace(async (place) => {
    const out = `${place.folder}/out`;
    const args = ["extract", place.archive, out, "--cache-dir", `${place.folder}/cache`, ...QUIET];
    await Deno.rename(`${place.folder}/layout/blobs`, `${place.folder}/layout/moved`);
    assert.match(await fail(args, 1), /layout/);
    assert.deepEqual(readdirSync(out).filter((name) => name.startsWith(".")), [".clip-extract"]);
    await Deno.rename(`${place.folder}/layout/moved`, `${place.folder}/layout/blobs`);
    const others = ["extract", place.archive, "/etc", out, "--cache-dir", `${place.folder}/cache`];
    assert.match(await fail(others, 1), /out is half done with other paths or options/);
    const state = readFileSync(`${out}/.clip-extract`, "utf8");
    writeFileSync(`${out}/.clip-extract`, state.replace(/"archive":"../, '"archive":"zz'));
    assert.match(await fail(args, 1), /out holds the half of another archive/);
    for (const bad of ["nonsense", `${state}more`, state.replace(/"token":"../, '"token":"..'), "0\n{}\n"]) {
      writeFileSync(`${out}/.clip-extract`, bad);
      assert.match(await fail(args, 1), /\.clip-extract is not what clip extract left there: remove it\n$/);
    }
    writeFileSync(`${out}/.clip-extract`, state);
    await succeed(args);
    assert.deepEqual(readdirSync(out).filter((name) => name.startsWith(".")), []);
    assert.equal(readFileSync(`${out}/etc/group`, "utf8"), "root:x:0:\n");
    // An interrupt before anything is done.
    const interrupted = await clip(["extract", place.archive, `${out}2`, ...args.slice(3)], (io) => {
      io.stop.abort(new DOMException("interrupted", "AbortError"));
    });
    assert.equal(interrupted.status, 130);
  }, withoutDevices()));

test("wrong usage, and a path that cannot be made", () =>
  inWorkplace(async (place) => {
    assert.match((await clip(["extract", place.archive])).err, /DIR is missing/);
    const extractTo = (directory: string) => ["extract", place.archive, directory, "--cache-dir", place.folder];
    assert.match(await fail(extractTo(`${place.folder}/no/out`), 1), /cannot make \S+\/no\/out: /);
    assert.match(await fail(extractTo(place.archive), 1), /cannot look at \S+image\.clip: /);
  }));
