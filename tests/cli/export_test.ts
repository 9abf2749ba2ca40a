/** clip export: the stream, where it goes, and how it ends when it cannot be whole. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { runProgram } from "../e2e/programs.ts";
import { gzipLayer, programLike } from "../indexer/memory_image.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { contents, scanTar } from "../tar/scan_tar.ts";
import { clip, fail, inWorkplace, succeed, type Workplace } from "./fake_io.ts";

const { test } = Deno;

const exportArgs = ({ folder, archive }: Workplace, ...args: string[]) => {
  return ["export", archive, ...args, "--cache-dir", `${folder}/cache`, "--progress", "none"];
};

test("the stream: entries by name, hard links behind what they lead to, the same bytes to a file", () =>
  inWorkplace(async (place) => {
    const { bytes } = await clip(exportArgs(place));
    const { entries, warnings } = scanTar([bytes]);
    assert.deepEqual(warnings, []);
    const names = entries.map(({ path, linkName, kind }) =>
      `${kind} ${path}${linkName === "" ? "" : ` → ${linkName}`}`
    );
    assert.deepEqual(names, [
      "directory ./",
      "directory bin/",
      "file bin/alias",
      "hardlink bin/tool → bin/alias",
      "directory dev/",
      "character-device dev/null",
      "directory etc/",
      "file etc/group",
      "file etc/passwd",
      "symlink link → etc/passwd",
      "directory tmp/",
      "file tmp/bad\x1b[31m\nname\xff",
      "fifo tmp/pipe",
      "file tmp/tagged",
    ]);
    const passwd = entries.find(({ path }) => path === "etc/passwd")!;
    assert.equal(new TextDecoder().decode(contents(bytes, passwd)), "root:x:0:0\n");
    assert.deepEqual([passwd.uid, passwd.gid, passwd.mtimeSeconds, passwd.mode], [1000, 100, -1, 0o640]);
    const output = `${place.folder}/out.tar`;
    assert.equal(await succeed(exportArgs(place, "-o", output)), "");
    assert.ok(bytes.length % 512 === 0 && readFileSync(output).equals(bytes));
    const parts = scanTar([(await clip(exportArgs(place, "bin/tool", "/tmp/pipe"))).bytes]).entries;
    assert.deepEqual(parts.map(({ path }) => path), ["bin/", "bin/tool", "tmp/", "tmp/pipe"]);
  }));

test("no terminal, a reader that goes away, an interrupt, a path that is not there", () =>
  inWorkplace(async (place) => {
    assert.match(await fail(exportArgs(place), 2, (io) => io.isOutTerminal = true), /nothing for a terminal/);
    const closed = await clip(exportArgs(place), (io) => io.writesBeforeClosed = 0);
    assert.deepEqual([closed.status, closed.err], [141, ""]);
    const abort = (io: { stop: AbortController }) => io.stop.abort(new DOMException("interrupted", "AbortError"));
    assert.equal((await clip(exportArgs(place), abort)).status, 130);
    assert.equal((await clip(exportArgs(place, "-o", `${place.folder}/out.tar`), abort)).status, 130);
    assert.match(await fail(exportArgs(place, "/none"), 1), /there is no \/none in the image/);
    assert.ok(!existsSync(`${place.folder}/out.tar`));
  }));

test("what cannot be verified ends the stream in the midst of an entry, and leaves no file", async () => {
  const random = new SeededRandom(5);
  const big = programLike(9_000_000, random);
  await inWorkplace(async (place) => {
    // The end of the layer is wrong.
    const blobs = `${place.folder}/layout/blobs/sha256`;
    const layer = readdirSync(blobs).map((name) => `${blobs}/${name}`)
      .reduce((a, b) => Deno.statSync(a).size > Deno.statSync(b).size ? a : b);
    const bytes = readFileSync(layer);
    bytes.fill(0, bytes.length - 200_000, bytes.length - 100_000);
    writeFileSync(layer, bytes);
    const outcome = await clip(exportArgs(place));
    assert.equal(outcome.status, 1);
    assert.match(outcome.err, /clip: error: /);
    assert.ok(outcome.bytes.length > 1_000_000, `${outcome.bytes.length} bytes`);
    const listed = await runProgram(["tar", "-t"], { stdin: outcome.bytes });
    assert.match(listed.stderr, /Unexpected EOF in archive/);
    assert.equal((await clip(exportArgs(place, "-o", `${place.folder}/out.tar`))).status, 1);
    assert.deepEqual(readdirSync(place.folder).filter((name) => name.includes("out.tar")), []);
  }, [gzipLayer({ path: "a", data: "first" }, { path: "big", data: big }, { path: "z", data: "last" })]);
});
