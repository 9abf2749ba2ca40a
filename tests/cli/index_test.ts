/** clip index, and what every command does with pipes, signals, logs and caches. */
import assert from "node:assert/strict";
import { equalBytes, UsageError } from "../../src/base/mod.ts";
import { defaultCacheDir } from "../../src/cli/open_cache.ts";
import { clip, fail, type FakeIo, inWorkplace, succeed } from "./fake_io.ts";

const { test } = Deno;
const AMD64 = ["--platform", "linux/amd64"];

/** Runs `work` in the folder; where a process is, all of its tests are, hence the way back. */
async function within(folder: string, work: () => Promise<void>): Promise<void> {
  const before = Deno.cwd();
  Deno.chdir(folder);
  try {
    await work();
  } finally {
    Deno.chdir(before);
  }
}

test("the same image makes the same bytes, whatever the jobs; a summary of two lines says where it is", () =>
  inWorkplace(async ({ archive, image, folder }) => {
    const first = await Deno.readFile(archive);
    for (const jobs of ["1", "4"]) {
      const { status, out } = await clip(["index", image, "-o", `${folder}/b.clip`, "-j", jobs, ...AMD64]);
      assert.equal(status, 0);
      assert.match(
        out,
        /^.*\/b\.clip: .* of 2 layers of 6\.27 KiB \(12\.5 KiB unpacked\); linux\/amd64, 4 checkpoints, .*s\noci:.*\/layout@sha256:[0-9a-f]{64}\n$/,
      );
      assert(equalBytes(await Deno.readFile(`${folder}/b.clip`), first));
    }
  }));

test("options of the spacing reach the archive", () =>
  inWorkplace(async ({ image, folder }) => {
    const optionsOf = async (...options: string[]) => {
      const file = `${folder}/b.clip`;
      await succeed(["index", image, "-o", file, "--progress", "none", ...AMD64, ...options]);
      const { spacingBytes, fileCheckpointBytes } = JSON.parse(await succeed(["inspect", "--json", file])).options;
      return [spacingBytes / 2 ** 20, fileCheckpointBytes];
    };
    assert.deepEqual(await optionsOf("--use-case", "fast-index"), [8, 512 * 1024]);
    assert.deepEqual(await optionsOf("--use-case", "fast-read", "--checkpoint-mib", "5"), [5, 512 * 1024]);
    assert.deepEqual(await optionsOf("--file-checkpoints", "off"), [2, null]);
    assert.deepEqual(await optionsOf("--file-checkpoints", "1MiB"), [2, 1 << 20]);
  }));

test("without -o the name is the image's and its tag's, in the current folder", () =>
  inWorkplace(async ({ image, folder }) => {
    await within(folder, async () => {
      assert.match(await succeed(["index", image, "--progress", "none", ...AMD64]), /^layout-v1\.clip: /);
      assert.match(await succeed(["index", "oci:layout/", "--progress", "none", ...AMD64]), /^layout\.clip: /);
      const expected = {
        "localhost:1/team/app:v1": "app-v1.clip",
        "localhost:1/app": "app-latest.clip",
        [`localhost:1/app@sha256:${"0".repeat(64)}`]: "app.clip",
        "oci-archive:some/where/thing.tar": "thing.clip",
        "docker-archive:x.tar:name:tag": "x-tag.clip",
        "oci:.": "image.clip",
      };
      await Deno.mkdir("taken");
      Deno.chdir("taken");
      for (const [reference, name] of Object.entries(expected)) {
        // A folder in the way: the name is told before anything is fetched.
        await Deno.mkdir(name);
        const message = await fail(["index", reference], 1);
        assert.equal(message, `clip: error: cannot write ${name}: it is a directory\n`);
      }
    });
  }));

test("an image for another platform, a missing folder, a missing layout", () =>
  inWorkplace(async ({ image, folder }) => {
    const message = await fail(["index", image, "-o", `${folder}/b.clip`, "--platform", "linux/arm64"], 1);
    assert.match(message, /linux\/amd64, not for linux\/arm64/);
    assert.match(
      await fail(["index", image, "-o", `${folder}/none/b.clip`, ...AMD64], 1),
      /cannot write .*none\/b\.clip/,
    );
    assert.match(await fail(["index", `oci:${folder}/none`, "-o", `${folder}/b.clip`], 1), /none/);
    assert.match(
      await fail(["index", `oci:${folder}/layout:v2`, "-o", `${folder}/b.clip`], 1),
      /tag "?v2.*there are "?v1/,
    );
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["image.clip", "layout"]);
  }));

test("a damaged layer is an error that names it, and leaves the old archive as it was", () =>
  inWorkplace(async ({ archive, image, layout }) => {
    const before = await Deno.readFile(archive);
    const { layers } = JSON.parse(await succeed(["inspect", "--json", archive]));
    await Deno.truncate(layout.blobPath(layers[0].digest), 100);
    const { status, err } = await clip(["index", image, "-o", archive, "--progress", "none", ...AMD64]);
    assert.equal(status, 1);
    assert.match(err, /^clip: error: layer 0 \(sha256:[^\n]+\n$/);
    assert(equalBytes(await Deno.readFile(archive), before));
  }));

test("--progress json: events that parse; plain: lines; none: nothing", () =>
  inWorkplace(async ({ image, folder }) => {
    const index = (mode: string, prepare?: (io: FakeIo) => void) =>
      clip(["index", image, "-o", `${folder}/b.clip`, "--progress", mode, ...AMD64], prepare);
    const events = (await index("json")).err.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(events.filter(({ done }) => done).map(({ layer }) => layer).sort(), [0, 1]);
    for (const event of events) {
      for (const name of ["layer", "digest", "compressedBytes", "totalBytes", "plainBytes", "done"]) {
        assert(name in event);
      }
    }
    const lines = (await index("plain")).err.trimEnd().split("\n");
    assert.equal(lines.length, 4);
    for (const line of lines) assert.match(line, /^layer [01] [0-9a-f]{12}: (0 B of .*|done, .* unpacked\))$/);
    assert.equal((await index("none")).err, "");
    const bars = (await index("auto", (io) => io.terminal = { columns: 80 })).err;
    assert.match(bars, /[█░]/);
    assert(bars.endsWith("\x1b[J"), "taken off the screen at the end");
  }));

test("a reader of standard output that has gone ends any command with 141, without a word", () =>
  inWorkplace(async ({ archive, folder }) => {
    const commands = [["help"], ["ls", "--help"], ["version"], ["ls", archive], ["stat", archive, "/"], [
      "inspect",
      archive,
    ], ["verify", archive]];
    for (const args of [...commands, ["cat", "--cache-dir", folder, archive, "/etc/passwd"]]) {
      const { status, err } = await clip(args, (io) => io.writesBeforeClosed = 0);
      assert.deepEqual([args[0], status, err], [args[0], 141, ""]);
    }
  }));

test("an interrupt ends indexing and cat with 130, and leaves nothing half-written", () =>
  inWorkplace(async ({ archive, image, folder }) => {
    const interrupt = (io: FakeIo) => io.stop.abort(new DOMException("interrupted", "AbortError"));
    const args = ["index", image, "-o", `${folder}/b.clip`, "--progress", "json", ...AMD64];
    const { status, err } = await clip(args, (io) => io.onErr = () => interrupt(io));
    assert.equal(status, 130);
    assert(err.endsWith("\nclip: interrupted\n"), err);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["image.clip", "layout"]);
    const cat = await clip(["cat", "--cache-dir", `${folder}/c`, archive, "/etc/passwd"], interrupt);
    assert.deepEqual([cat.status, cat.out, cat.err], [130, "", "clip: interrupted\n"]);
    assert.equal((await clip(["verify", "--layers", archive], interrupt)).status, 130);
  }));

test("what is logged: by level, as text or JSON, to standard error or to the end of a file", () =>
  inWorkplace(async ({ archive, folder }) => {
    let round = 0;
    const cat = async (...options: string[]) => {
      const cache = `${folder}/cache${round++}`;
      return (await clip(["cat", "--no-checkpoints", "--cache-dir", cache, archive, "/etc/passwd", ...options])).err;
    };
    const warning = "inflating the whole of layer 0: checkpoints are off";
    assert.equal(await cat(), `clip: warn: ${warning}\n`);
    assert.equal(await cat("--log-level", "error"), "");
    assert.match(await cat("--log-level", "debug"), /^clip: debug: fetching .*bytes=\d+/m);
    assert.match(await cat("--debug"), /^clip: debug: fetching /m);
    const [line] = (await cat("--log-json")).trimEnd().split("\n").map((text) => JSON.parse(text));
    assert.deepEqual([line.level, line.message], ["warn", warning]);
    const file = `${folder}/log`;
    assert.equal(await cat("--log-file", file), "");
    assert.equal(await cat("--log-file", file), "");
    assert.equal(await Deno.readTextFile(file), `clip: warn: ${warning}\n`.repeat(2));
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
    assert.match(
      await fail(["version", "--log-file", `${folder}/none/log`], 1),
      /cannot open the log file .*none\/log/,
    );
  }));

test("where fetched layers are kept when nothing is said", () => {
  const of = (variables: Record<string, string>) => defaultCacheDir({ env: (name) => variables[name] });
  const all = { CLIP_CACHE_DIR: "/c", XDG_CACHE_HOME: "/x", HOME: "/h" };
  assert.equal(of(all), "/c");
  assert.equal(of({ ...all, CLIP_CACHE_DIR: "" }), "/x/clip");
  assert.equal(
    of({ XDG_CACHE_HOME: "relative", HOME: "/h" }),
    "/h/.cache/clip",
    "the XDG rules: relative ones are ignored",
  );
  assert.equal(of({ XDG_CACHE_HOME: "", HOME: "/h" }), "/h/.cache/clip");
  for (const nowhere of [{}, { HOME: "" }]) assert.throws(() => of(nowhere), UsageError);
});

test("the cache folder of the environment is used, and made", () =>
  inWorkplace(async ({ archive, folder }) => {
    await succeed(["cat", archive, "/etc/passwd"], (io) => io.variables = { HOME: `${folder}/home` });
    assert([...Deno.readDirSync(`${folder}/home/.cache/clip`)].some(({ name }) => name.startsWith("sha256_")));
    await succeed(["cat", archive, "/etc/passwd"], (io) => io.variables = { CLIP_CACHE_DIR: `${folder}/own` });
    assert.equal(Deno.statSync(`${folder}/own`).mode! & 0o777, 0o700);
    assert.match(await fail(["cat", archive, "/etc/passwd"], 2), /--cache-dir/);
  }));
