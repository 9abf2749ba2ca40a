/** What is released: archives, how they are installed, and a container image. */
import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { mustRun, type ProgramResult, runProgram } from "./programs.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

const SCRIPTS = new URL("../../scripts/", import.meta.url).pathname;

/** The executable under test; without one, a script that stands for it: what is released is not what is tested here. */
async function binary(bench: Workbench): Promise<string> {
  if (CLIP_COMMAND.length === 1) return CLIP_COMMAND[0]!;
  await Deno.writeTextFile(
    bench.path("clip"),
    `#!/bin/sh\nexec ${CLIP_COMMAND.map((word) => `'${word}'`).join(" ")} "$@"\n`,
  );
  await Deno.chmod(bench.path("clip"), 0o755);
  return bench.path("clip");
}

async function release(bench: Workbench, folder: string): Promise<string> {
  const args = ["run", "-A", "--quiet", `${SCRIPTS}release.ts`, "--output", bench.path(folder)];
  await mustRun([Deno.execPath(), ...args, "--binary", await binary(bench)]);
  const names = [...Deno.readDirSync(bench.path(folder))].map(({ name }) => name).sort();
  assert.equal(names[0], "SHA256SUMS");
  assert.match(names[1]!, /^clip-\d+\.\d+\.\d+-linux-\w+\.tar\.gz$/);
  return names[1]!;
}

function install(bench: Workbench, base: string, version: string[] = [], shell = "sh"): Promise<ProgramResult> {
  const env = { CLIP_INSTALL_DIR: bench.path("bin") };
  return runProgram([shell, `${SCRIPTS}install.sh`, base, ...version], { env });
}

e2eTest(
  "a release is the same bytes again, and is installed from a web server and a folder",
  ["curl", "tar"],
  async (bench) => {
    const archive = await release(bench, "release");
    await release(bench, "again");
    const [first, second] = ["release", "again"].map((name) => Deno.readTextFileSync(bench.path(`${name}/SHA256SUMS`)));
    assert.equal(first, second);
    await mustRun(["sha256sum", "-c", "SHA256SUMS"], { cwd: bench.path("release") });
    const listed = await mustRun(["tar", "-tvzf", archive], { cwd: bench.path("release") });
    assert.match(listed, /^-rwxr-xr-x 0\/0 .* 1970-01-01 \d\d:\d\d clip-\S+\/clip$/m);
    const licences = await mustRun(["tar", "-xzOf", archive, `${archive.slice(0, -7)}/THIRD_PARTY_LICENSES`], {
      cwd: bench.path("release"),
    });
    for (const name of ["ioredis@", "pako@", "@optique/core@"]) assert.ok(licences.includes(name), name);
    assert.ok(!licences.includes("esbuild@"), "what only development needs is not inside");
    if (CLIP_COMMAND.length === 1) {
      const inside = await mustRun([...CLIP_COMMAND, "version", "--licences"]);
      // The Deno that tests is not the one that compiled.
      const ofNoVersion = (text: string) => text.replaceAll(/^(Deno|V8) [^:,]*/gm, "$1");
      assert.equal(ofNoVersion(inside), ofNoVersion(licences));
    }

    const files = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
      const file = await Deno.open(`${bench.path("release")}${new URL(request.url).pathname}`).catch(() => undefined);
      return file === undefined ? new Response("", { status: 404 }) : new Response(file.readable);
    });
    try {
      const base = `http://127.0.0.1:${files.addr.port}`;
      const installed = await install(bench, `${base}/`);
      assert.equal(installed.code, 0, installed.stderr);
      assert.match(installed.stdout, /^clip \d.*\ninstalled as .*\/bin\/clip\n.*\/bin is not in PATH\n/);
      assert.match(await mustRun([bench.path("bin/clip"), "version"]), /^clip /);
      assert.match(Deno.readTextFileSync(bench.path("share/man/man1/clip.1")), /^\.TH CLIP 1 /m);
      const missing = await install(bench, `${base}/none`);
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /install\.sh: cannot fetch .*\/none\/SHA256SUMS\n$/);
    } finally {
      await files.shutdown();
    }
    await Deno.remove(bench.path("bin"), { recursive: true });
    assert.equal((await install(bench, `file://${bench.path("release")}`)).code, 0);
    assert.match(
      (await install(bench, `file://${bench.path("release")}`, ["9.9.9"])).stderr,
      /lists no clip 9\.9\.9 for linux/,
    );

    // Nothing is installed of what is not what it should be.
    await Deno.remove(bench.path("bin"), { recursive: true });
    await Deno.writeTextFile(bench.path(`release/${archive}`), "x", { append: true });
    const wrong = await install(bench, `file://${bench.path("release")}`);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /is not what SHA256SUMS says: nothing was installed\n$/);
    await assert.rejects(Deno.stat(bench.path("bin")));
  },
);

// The image is of the executable and the libraries it needs: of the source there is none.
if (CLIP_COMMAND.length === 1) {
  e2eTest("a container image holds the executable and what it needs", ["root", "umoci", "runc"], async (bench) => {
    await mustRun([`${SCRIPTS}container_image.sh`, CLIP_COMMAND[0]!, `${bench.path("image")}:v1`]);
    const bundle = bench.path("bundle");
    await mustRun(["umoci", "unpack", "--image", `${bench.path("image")}:v1`, bundle]);
    const config = JSON.parse(await Deno.readTextFile(`${bundle}/config.json`));
    assert.deepEqual(config.process.args.slice(0, 1), ["/usr/bin/clip"]);
    config.process.args = ["/usr/bin/clip", "version"];
    config.process.terminal = false;
    await Deno.writeTextFile(`${bundle}/config.json`, JSON.stringify(config));
    const said = await mustRun(["runc", "run", "--bundle", bundle, `clip-release-${Deno.pid}`]);
    assert.match(said, /^clip \d/);
  });
}
