/** Mounts whose program is replaced by another build. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { sleep } from "../../src/base/mod.ts";
import { CLIP_COMMAND } from "./clip_process.ts";
import { startReaders } from "./comparing_readers.ts";
import { mustRun } from "./programs.ts";
import { SUPERVISED_NEEDS, SupervisedMount } from "./supervised_mount.ts";
import { e2eTest, until, type Workbench } from "./workbench.ts";

/** How often servers are replaced; `CLIP_UPGRADES=50` for the long run. */
const UPGRADES = Number(Deno.env.get("CLIP_UPGRADES") ?? 2);
const READERS = 16;
/** A server that ends later has not ended at once. */
const SETTLED_MS = 2500;

/**
 * Another build: the one that CLIP_OTHER_BINARY names, or else the executable with another commit written in. That is a
 * text in it, as long as all are.
 */
async function otherBuild(bench: Workbench): Promise<string> {
  const path = bench.path("other");
  const given = Deno.env.get("CLIP_OTHER_BINARY");
  if (given !== undefined) await Deno.copyFile(given, path);
  else {
    const { commit } = JSON.parse(await mustRun([...CLIP_COMMAND, "version", "--json"]));
    const bytes = Buffer.from(await Deno.readFile(CLIP_COMMAND[0]!));
    const wanted = JSON.stringify(commit);
    assert.ok(bytes.includes(wanted), `the executable does not say ${commit}`);
    for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at)) {
      bytes.write(wanted.replace(/\w/g, "0"), at, "latin1");
    }
    await Deno.writeFile(path, bytes);
  }
  await Deno.chmod(path, 0o755);
  return path;
}

// Deno with the source has one build.
if (CLIP_COMMAND.length === 1) {
  e2eTest(
    `upgrade: ${UPGRADES} times another build, under ${READERS} comparing readers`,
    SUPERVISED_NEEDS,
    async (bench) => {
      const other = await otherBuild(bench);
      const builds = [CLIP_COMMAND[0]!, other];
      const [commit, otherCommit] = await Promise.all(builds.map((build) => mustRun([build, "version", "--json"])));
      assert.notEqual(commit, otherCommit);
      const mount = await SupervisedMount.make(bench);
      const readers = startReaders(mount.file, READERS);
      const env = { CLIP_CACHE_DIR: bench.cacheDir, CLIP_RUNTIME_DIR: bench.runtimeDir };
      for (let upgrade = 1; upgrade <= UPGRADES; upgrade++) {
        const reads = readers.count();
        assert.ok(await until(() => readers.count() > reads + READERS, 20_000), "readers are stuck");
        const program = builds[upgrade % 2]!;
        const before = mount.process();
        const said = await mustRun([program, "upgrade-mounts"], { env });
        assert.ok(said.startsWith(`${mount.directory}: process ${before} (clip `), said);
        assert.equal(await Deno.readLink(`/proc/${mount.process()}/exe`), await Deno.realPath(program));
      }
      await readers.stop();
      await mustRun([other, "upgrade-mounts"], { env });

      // The next server cannot be started: nobody may wait for it. (One that ends sooner is followed by the build before.)
      await sleep(SETTLED_MS);
      await Deno.remove(other);
      Deno.kill(mount.process(), "SIGKILL");
      await mount.assertGone();
      assert.match(mount.log(), /the mount is given up/);
    },
  );
}
