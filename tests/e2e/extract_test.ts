/** clip extract as people use it: stopped in its midst, as another user, into directories where others are at work. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { MIB } from "../../src/base/mod.ts";
import { SeededRandom } from "../codec/seeded_random.ts";
import { device, directory, file, hardLink, symlink } from "../fidelity/entries.ts";
import { programLike } from "../indexer/memory_image.ts";
import { tar } from "../tar/tar_builder.ts";
import { CLIP_COMMAND } from "./clip_process.ts";
import { compareTrees, listTree } from "./compare_trees.ts";
import { ARCHITECTURE, writeImage, writeTarLayer } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { e2eTest, until } from "./workbench.ts";

/** How often it is stopped; many times with CLIP_EXTRACT_STOPS. */
const STOPS = Number(Deno.env.get("CLIP_EXTRACT_STOPS") ?? 4);
const QUIET = ["--progress", "none"] as const;
const CAPABILITY = "\x01\x00\x00\x02\x00\x20" + "\x00".repeat(14);

/** Some 30 MiB in small files and one large one, in two layers. */
function writeFilesImage(layout: string): void {
  const random = new SeededRandom(7);
  const small = Array.from({ length: 400 }, (_, i) => {
    const folder = i % 50 === 0 ? [directory(`d${i / 50}/`, { mode: 0o2750, mtime: `1500000000.${100 + i}` })] : [];
    return [...folder, file(`d${Math.floor(i / 50)}/f${i}`, programLike(20_000 + random.below(40_000), random))];
  }).flat();
  const large = programLike(14 * MIB, random);
  writeImage(layout, [
    writeTarLayer(layout, tar(directory("./", { mode: 0o755 }), ...small)),
    writeTarLayer(layout, tar(file("large", large), hardLink("d0/large-too", "large"), symlink("link", "d0/f1"))),
  ], ARCHITECTURE);
}

e2eTest("extract: stopped by SIGINT and kill -9, it goes on where it was", REGISTRY_NEEDS, async (bench) => {
  writeFilesImage(bench.path("layout"));
  const { proxy, reference } = await publish(bench, `oci:${bench.path("layout")}:latest`);
  await bench.mustClip(["index", reference, "-o", "i.clip", "--plain-http", ...QUIET]);
  const noCache = ["--cache-dir", "none", "--plain-http", ...QUIET];
  const { layers } = JSON.parse(await bench.mustClip(["inspect", "--json", "i.clip"]));
  const imageBytes = layers.reduce((sum: number, layer: { compressedBytes: number }) => sum + layer.compressedBytes, 0);
  proxy.seen.length = 0;
  await bench.mustClip(["extract", "i.clip", "whole", ...noCache]);
  const expected = await listTree(bench.path("whole"));
  // Each byte once; where two requests meet, one lies in both.
  assert.ok(proxy.blobBytes <= imageBytes + proxy.blobRequests.length, `${proxy.blobBytes} of ${imageBytes} bytes`);
  assert.ok(proxy.blobRequests.length <= 6, `${proxy.blobRequests.length} requests`);
  proxy.bytesPerSecond = 4 * MIB;
  const random = new SeededRandom(Date.now() % 1000);
  proxy.seen.length = 0;
  let out = "out0";
  let stops = 0;
  for (let run = 0; stops < STOPS; run++) {
    const running = bench.spawnClip(["extract", "i.clip", out, ...QUIET, "--plain-http"]);
    running.firstLine.catch(() => {});
    await until(() => existsSync(bench.path(`${out}/.clip-extract`)) || !/^$/.test(running.stderrSoFar()), 20_000);
    await new Promise((resolve) => setTimeout(resolve, random.below(1500)));
    const signal = stops % 2 === 0 ? "SIGINT" : "SIGKILL";
    running.kill(signal);
    const { code, stderr } = await running.ended;
    if (code === 0) {
      // It was faster: the next goes to another place.
      out = `out${run + 1}`;
      continue;
    }
    stops++;
    assert.equal(code, signal === "SIGINT" ? 130 : 137, stderr);
    // Nothing where it had hardly begun: then the signal's own effect is the same.
    assert.match(stderr, signal === "SIGINT" ? /^(clip: interrupted\n)?$/ : /^$/);
    checkWholeFiles(await listTree(bench.path(out)), expected);
  }
  proxy.bytesPerSecond = Infinity;
  const said = await bench.mustClip(["extract", "i.clip", out, ...QUIET, "--plain-http"]);
  assert.deepEqual(compareTrees(await listTree(bench.path(out)), expected), [], said);
  // What has arrived of runs that were not complete at a stop is lost.
  assert.ok(proxy.blobBytes < imageBytes + STOPS * 3 * MIB, `${proxy.blobBytes} of ${imageBytes} bytes fetched`);

  // Without a cache it is the files that are there which are not fetched again.
  proxy.bytesPerSecond = 4 * MIB;
  const running = bench.spawnClip(["extract", "i.clip", "last", ...noCache]);
  running.firstLine.catch(() => {});
  assert.ok(await until(() => countAtLeast(bench.path("last/d4"), 1), 60_000), running.stderrSoFar());
  running.kill("SIGKILL");
  await running.ended;
  proxy.seen.length = 0;
  proxy.bytesPerSecond = Infinity;
  assert.match(
    await bench.mustClip(["extract", "i.clip", "last", ...noCache]),
    /, [23]\d\d of them files from an earlier/,
  );
  assert.deepEqual(compareTrees(await listTree(bench.path("last")), expected), []);
  assert.ok(proxy.blobBytes < imageBytes * 0.9, `${proxy.blobBytes} of ${imageBytes} bytes fetched`);
});

function countAtLeast(folder: string, count: number): boolean {
  return existsSync(folder) && readdirSync(folder).length >= count;
}

/** Files under their own names are whole; under another there is one at most, and the state. */
function checkWholeFiles(found: Awaited<ReturnType<typeof listTree>>, expected: typeof found): void {
  let unfinished = 0;
  for (const [path, { type, sha256, mtime, mode }] of found) {
    if (path === ".clip-extract" || type !== "f") continue;
    if (/(^|\/)\.clip-extract\.[0-9a-f]{16}$/.test(path)) unfinished++;
    else {
      const { sha256: right, mtime: time, mode: bits } = expected.get(path)!;
      assert.deepEqual([sha256, mtime, mode], [right, time, bits], path);
    }
  }
  assert.ok(unfinished <= 1, `${unfinished} files without a name`);
}

e2eTest("extract: nothing is written outside, whatever the image says and others do", ["root"], async (bench) => {
  const outside = bench.directory("outside");
  writeFileSync(`${outside}/kept`, "kept", { mode: 0o600 });
  const before = await listTree(outside);
  const names = Array.from({ length: 40 }, (_, i) => `d/f${i}`);
  const layers = [[
    directory("./", { mode: 0o755 }),
    symlink("absolute", outside),
    symlink("up", "../../../../../../../../../.."),
    symlink("absolute-file", `${outside}/kept`),
    file("absolute/planted", "planted"),
    file(`up${outside}/planted-too`, "planted"),
    hardLink("link", "absolute/planted"),
    device("null", "3", 1, 3),
    directory("d/"),
    ...names.map((name) => file(name, name.repeat(1000))),
  ], [
    file("absolute/kept", "overwritten"),
    file("absolute-file", "replaced"),
    device("absolute/disk", "4", 8, 0),
  ]];
  const layout = bench.path("layout");
  writeImage(layout, layers.map((entries) => writeTarLayer(layout, tar(...entries))), ARCHITECTURE);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", "i.clip", ...QUIET]);
  await bench.mustClip(["extract", "i.clip", "out", ...QUIET]);
  assert.deepEqual(compareTrees(await listTree(outside), before), []);
  // Inside they are where the links lead, seen from the root of the image.
  assert.equal(readFileSync(bench.path(`out${outside}/planted`), "utf8"), "planted");
  assert.equal(readFileSync(bench.path(`out${outside}/kept`), "utf8"), "overwritten");
  assert.ok(
    lstatSync(bench.path("out/absolute")).isSymbolicLink() && lstatSync(bench.path("out/null")).isCharacterDevice(),
  );

  // Somebody puts a link in place of the directory, again and again; now and then there is neither.
  await mustRun(["rm", "-rf", "out/d"], { cwd: bench.folder });
  mkdirSync(bench.path("out/d"));
  const swap = 'while :; do mv out/d out/real && ln -s "$1" out/d && rm out/d && mv out/real out/d; done 2>/dev/null';
  const swapper = new Deno.Command("sh", { args: ["-c", swap, "sh", outside], cwd: bench.folder }).spawn();
  bench.defer(async () => {
    swapper.kill("SIGKILL");
    await swapper.status;
  });
  const messages =
    /^clip: error: .*(something .* has come to lie there|cannot (open|make|write|set|replace) )[^\n]*\n$/;
  for (let race = 0; race < STOPS; race++) {
    const { code, stderr } = await bench.clip(["extract", "i.clip", "out", "--overwrite", ...QUIET]);
    if (code !== 0) assert.match(stderr, messages);
    assert.deepEqual(compareTrees(await listTree(outside), before), [], stderr);
  }
});

e2eTest("extract: as another user", ["root", "setpriv", "getfattr"], async (bench) => {
  const layout = bench.path("layout");
  const entries = [
    directory("./", { mode: 0o755, uid: 65534, gid: 65534 }),
    directory("closed/", { mode: 0o500 }),
    file("closed/setuid", "x", { mode: 0o4755 }),
    file("own-setuid", "x", { mode: 0o4755, uid: 65534, gid: 65534 }),
    file("attributes", "x", { xattrs: { "user.a": "1", "trusted.b": "2", "security.capability": CAPABILITY } }),
    file("read-only", "x", { mode: 0o400, mtime: "1234567890.123456789", xattrs: { "user.a": "1" } }),
    device("disk", "4", 8, 0),
    hardLink("disk-too", "disk"),
    symlink("link", "nowhere", { uid: 5 }),
  ];
  writeImage(layout, [writeTarLayer(layout, tar(...entries))], ARCHITECTURE);
  await bench.mustClip(["index", `oci:${layout}:latest`, "-o", "i.clip", ...QUIET]);
  await mustRun(["chown", "-R", "65534:65534", bench.folder]);
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  // What runs clip without being its executable lies in a home folder that is not this user's.
  const env = { CLIP_CACHE_DIR: bench.path("cache"), HOME: bench.folder };
  const extract = (...args: string[]) => {
    return runProgram([...user, ...CLIP_COMMAND, "extract", ...args, ...QUIET], { cwd: bench.folder, env });
  };
  const able = await runProgram([...user, ...CLIP_COMMAND, "version"], { cwd: bench.folder, env });
  // Deno's folder of dependencies may be out of the user's reach; a compiled clip needs none.
  // deno-lint-ignore no-console -- a skip says why
  if (able.code !== 0) return console.log(`skip: extract as another user: it cannot run clip: ${able.stderr}`);
  const { code, stderr } = await extract("i.clip", "out");
  assert.equal(code, 0, stderr);
  const kinds = [...stderr.matchAll(/^clip: warn: (.*) are left out, beginning with out\/(\S+): .*$/gm)];
  assert.deepEqual(kinds.map(([, kind]) => kind).sort(), [
    "devices",
    "extended attributes security.*",
    "extended attributes trusted.*",
    "owners",
    "set-user-ID and set-group-ID bits",
  ]);
  assert.equal(kinds.length, stderr.trimEnd().split("\n").length, stderr);
  const tree = await listTree(bench.path("out"));
  assert.deepEqual([...tree.keys()].sort(), [
    "",
    "attributes",
    "closed",
    "closed/setuid",
    "link",
    "own-setuid",
    "read-only",
  ]);
  assert.deepEqual(["closed/setuid", "own-setuid", "closed"].map((path) => tree.get(path)!.mode), [
    "0755",
    "04755",
    "0500",
  ]);
  assert.equal(tree.get("attributes")!.xattrs, "user.a=0x31");
  assert.deepEqual([tree.get("read-only")!.mtime, tree.get("read-only")!.mode], ["1234567890.1234567890", "0400"]);
  const quiet = await extract("i.clip", "/closed", "quiet", "--no-same-owner");
  assert.deepEqual([quiet.code, quiet.stderr.split("\n").length], [0, 2], quiet.stderr);
  // What is there is written over, through a directory that lets nobody in.
  assert.equal((await extract("i.clip", "/closed", "quiet", "--no-same-owner")).code, 1);
  const again = await extract("i.clip", "/closed", "quiet", "--no-same-owner", "--overwrite");
  assert.equal(again.code, 0, again.stderr);
});
