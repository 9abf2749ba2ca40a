/** A start that is recorded, and those after it; images that are warmed. */
import assert from "node:assert/strict";
import { compareTrees, listTree } from "./compare_trees.ts";
import { writeSmallImage } from "./oci_layout.ts";
import { mustRun } from "./programs.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { IMAGE_NEEDS, testImage } from "./test_image.ts";
import { type DaemonMount, e2eTest } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", ...REGISTRY_NEEDS, ...IMAGE_NEEDS];

/** Something of some size starts in the image. */
async function startProgram({ directory }: DaemonMount): Promise<void> {
  const script = "import json, ssl, sqlite3; print(json.dumps(sqlite3.sqlite_version_info > (3,)))";
  assert.equal(await mustRun(["chroot", directory, "/usr/bin/python3", "-c", script]), "true\n");
}

async function until(condition: () => boolean): Promise<void> {
  for (const started = performance.now(); !condition();) {
    assert.ok(performance.now() - started < 60_000, "it does not come to that");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

e2eTest("a recorded start: the next one finds all of it fetched, in fewer requests", NEEDS, async (bench) => {
  const { reference } = await testImage();
  const { proxy, reference: published } = await publish(bench, reference);
  await bench.mustClip(["index", "--plain-http", published, "-o", "image.clip"]);
  const mount = (name: string, ...args: string[]) =>
    bench.mount(bench.path("image.clip"), name, ["--plain-http", "--cache-dir", bench.path(`cache-${name}`), ...args]);
  const seen = () => {
    const requests = proxy.seen.splice(0);
    return { requests: requests.length, bytes: requests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0) };
  };

  const recorded = await mount("recorded", "--record", "start.profile");
  seen();
  await startProgram(recorded);
  const plain = seen();
  // As service managers end it.
  Deno.kill(recorded.pid, "SIGTERM");
  await until(() => recorded.log().includes("recorded "));
  assert.match(await bench.mustClip(["profile", "show", "start.profile"]), /^start\.profile: \d+ ranges of /);
  assert.match(await bench.mustClip(["profile", "add", "image.clip", "start.profile"]), /^image\.clip: \d+ ranges of /);

  const ahead = await mount("ahead");
  await until(() => ahead.log().includes("prefetched the profile"));
  const prefetched = seen();
  await startProgram(ahead);
  const left = seen();
  // deno-lint-ignore no-console -- figures to be known
  console.log(`requests and bytes: ${JSON.stringify({ plain, prefetched, left })}`);
  // How many reads are answered by one request is a matter of time; what lies behind the last byte touched is left out.
  assert.ok(prefetched.requests <= plain.requests * 2 / 3, "few large requests");
  assert.ok(prefetched.bytes < plain.bytes * 0.95, "and not all of each");
  assert.ok(left.requests <= 1, "all that was recorded is there");
  await bench.mustClip(["unmount", "ahead"]);

  const none = await mount("none", "--prefetch", "none");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(seen().requests, 0);
  await bench.mustClip(["unmount", none.directory]);

  // With checkpoints where the profile begins to read, nothing is fetched in vain.
  const index = (...args: string[]) => ["index", "--plain-http", "--progress", "none", published, ...args];
  const made = await bench.mustClip(index("--profile", "start.profile", "-o", "sharp.clip"));
  assert.match(made, /^sharp\.clip: /);
  seen();
  const sharp = await bench.mount(bench.path("sharp.clip"), "sharp", [
    "--plain-http",
    "--cache-dir",
    bench.path("cache-sharp"),
  ]);
  await until(() => sharp.log().includes("prefetched the profile"));
  const sharply = seen();
  await startProgram(sharp);
  assert.ok(sharply.bytes < prefetched.bytes * 0.9, `${sharply.bytes} bytes`);
  assert.ok(seen().requests <= 1, "all that was recorded is there");
  await bench.mustClip(["unmount", "sharp"]);
  const said = await bench.mustClip(["verify", "--layers", "--index", "--plain-http", "sharp.clip"]);
  assert.match(said, /sharp\.clip: all of it is what /);
  // What is known of the layers is what it would be without.
  const again = await bench.mustClip(index("-o", "again.clip"));
  assert.match(again, /; (\d+) of \1 layers? reused\n/);
  await bench.mustClip(["profile", "rm", "image.clip"]);
  assert.deepEqual(Deno.readFileSync(bench.path("again.clip")), Deno.readFileSync(bench.path("image.clip")));
  const sparse = await bench.clip(index("--profile", "start.profile", "--checkpoints", "sparse", "-o", "no.clip"));
  assert.deepEqual([sparse.code, /--profile goes with --checkpoints exact or file\n/.test(sparse.stderr)], [2, true]);
});

e2eTest("a killed server leaves the profile of what was read", ["/dev/fuse", "root"], async (bench) => {
  writeSmallImage(bench.path("layout"));
  await bench.mustClip(["index", `oci:${bench.path("layout")}:latest`, "-o", "image.clip"]);
  const mount = await bench.mount(bench.path("image.clip"), "mnt", ["--record", "start.profile"]);
  await mustRun(["cat", `${mount.directory}/numbers`]);
  await until(() => Deno.readTextFileSync(bench.path("start.profile")).includes("diffId"));
  Deno.kill(mount.pid, "SIGKILL");
  assert.match(await bench.mustClip(["profile", "add", "image.clip", "start.profile"]), / ranges? of /);
});

e2eTest("a warm image is read whole without its registry", NEEDS, async (bench) => {
  const image = await testImage();
  const { proxy, reference } = await publish(bench, image.reference);
  const args = ["--plain-http", "--progress", "none"];
  assert.match(await bench.mustClip(["warm", ...args, reference, "/usr/bin"]), /spans of .* are in the cache; /);
  const before = proxy.blobRequests.length;
  assert.match(await bench.mustClip(["warm", ...args, reference]), /spans of .* are in the cache; /);
  assert.ok(proxy.blobRequests.length > before);
  await proxy.stop();
  assert.match(await bench.mustClip(["warm", ...args, "--offline", reference]), / 0 B fetched in 0 requests/);
  const mount = await bench.mount(reference, "mnt", ["--plain-http", "--offline"]);
  assert.deepEqual(compareTrees(await listTree(mount.directory), await listTree(image.unpacked)), []);
});
