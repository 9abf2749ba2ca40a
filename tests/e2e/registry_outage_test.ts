/** Registries that go away, fall silent or lie while an image is mounted. */
import assert from "node:assert/strict";
import { writeSmallImage } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { publish, type Published, REGISTRY_NEEDS } from "./published.ts";
import { type DaemonMount, e2eTest, type Workbench } from "./workbench.ts";

/** A reader is told within this time that the registry is gone. */
const MAX_REFUSED_MS = 30_000;
const DEADLINE_MS = 3000;
const MAX_SILENT_MS = 10_000;

const NEEDS = ["/dev/fuse", "root", ...REGISTRY_NEEDS];

async function mountSmall(bench: Workbench): Promise<{ published: Published; mount: DaemonMount }> {
  writeSmallImage(bench.path("layout"));
  const published = await publish(bench, `oci:${bench.path("layout")}:latest`);
  await bench.mustClip(["index", "--plain-http", published.reference, "-o", "small.clip"]);
  const args = ["--plain-http", "--deadline", `${DEADLINE_MS}ms`];
  return { published, mount: await bench.mount(bench.path("small.clip"), "mnt", args) };
}

/** Reads in another process, so that this one can go on being the proxy; how long that took. */
async function failsToRead(path: string): Promise<number> {
  const started = performance.now();
  const { code, stdout, stderr } = await runProgram(["cat", path], { env: { LC_ALL: "C" } });
  assert.equal(code, 1);
  assert.equal(stdout, "", "bytes that were not verified came out");
  assert.match(stderr, /Input\/output error/);
  return performance.now() - started;
}

/** Asserts that the file is read right within a time: sources that have failed are left alone for a little while. */
async function readsAgain(mount: DaemonMount, withinMs: number): Promise<void> {
  for (const started = performance.now();;) {
    const { code, stdout } = await runProgram(["cat", `${mount.directory}/numbers`]);
    if (code === 0) return assert.ok(stdout.startsWith("0\n1\n2\n") && stdout.endsWith("\n19999\n"));
    assert.ok(performance.now() - started < withinMs, `the registry is right again, reads fail:\n${mount.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

e2eTest("a registry that goes away: cached files are read, others fail until it is back", NEEDS, async (bench) => {
  const { published: { proxy }, mount } = await mountSmall(bench);
  assert.equal(await mustRun(["cat", `${mount.directory}/etc/motd`]), "hello\n");
  await proxy.stop();
  const ms = await failsToRead(`${mount.directory}/numbers`);
  assert.ok(ms < MAX_REFUSED_MS, `took ${ms} ms`);
  // deno-lint-ignore no-console -- a figure to be known
  console.log(`a read fails ${Math.round(ms)} ms after a registry has gone`);
  assert.match(
    mount.log(),
    /clip: error: cannot read \/numbers: [^\n]*127\.0\.0\.1[^\n]*refused[^\n]* layer=0 span=0/i,
  );
  // Past the kernel's own cache of that file.
  await mustRun(["dd", `if=${mount.directory}/etc/motd`, "iflag=nocache", "count=0", "status=none"]);
  assert.equal(await mustRun(["cat", `${mount.directory}/etc/motd`]), "hello\n");
  proxy.start();
  await readsAgain(mount, 5000);
});

e2eTest("a registry that falls silent: reads fail in bounded time", NEEDS, async (bench) => {
  const { published: { proxy }, mount } = await mountSmall(bench);
  proxy.fault = () => ({ kind: "hang" });
  const ms = await failsToRead(`${mount.directory}/numbers`);
  // deno-lint-ignore no-console -- a figure to be known
  console.log(`a read fails ${Math.round(ms)} ms after a registry has fallen silent`);
  assert.ok(ms < MAX_SILENT_MS, `took ${ms} ms`);
  assert.match(
    mount.log(),
    /clip: error: cannot read \/numbers: [^\n]*no answer[^\n]* layer=0/,
  );
  await proxy.stop();
  proxy.fault = undefined;
  proxy.start();
  await readsAgain(mount, 5000);
});

e2eTest("a registry that sends other bytes: an error, never those bytes", NEEDS, async (bench) => {
  const { published: { proxy }, mount } = await mountSmall(bench);
  proxy.fault = () => ({ kind: "corrupt" });
  await failsToRead(`${mount.directory}/numbers`);
  const line = mount.log().split("\n").find((logged) => logged.startsWith("clip: error: "));
  assert.match(line ?? mount.log(), /cannot read \/numbers: .*(gzip|digest|corrupt).* layer=0 span=0/);
  proxy.fault = undefined;
  await readsAgain(mount, 20_000);
});
