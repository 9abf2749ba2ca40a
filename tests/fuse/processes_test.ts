import assert from "node:assert/strict";
import { isFuseMounted, isServerGone } from "../../src/fuse/mod.ts";
import { Mounted, run, whyNoMounts } from "./mounted.ts";
import { mountFuse, unmountFuse } from "../../src/fuse/mod.ts";

const reason = whyNoMounts();
// deno-lint-ignore no-console -- a skip says why
if (reason !== undefined) console.log(`skipped: mounts of other processes: ${reason}`);

const CHILD = new URL("./child_server.ts", import.meta.url).pathname;
const SOURCES = new URL("../../", import.meta.url).pathname;
const USER = "65534";

interface Child {
  process: Deno.ChildProcess;
  /** The next line of JSON that it prints. */
  report(): Promise<Record<string, unknown>>;
}

function start(program: string, args: string[], env: Record<string, string> = {}): Child {
  const process = new Deno.Command(program, { args, env, stdin: "piped", stdout: "piped" }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  const report = async () => {
    while (!rest.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the child ended; it said ${JSON.stringify(rest)}`);
      rest += value;
    }
    const line = rest.slice(0, rest.indexOf("\n"));
    rest = rest.slice(line.length + 1);
    if (rest === "" && line.includes("reason")) await reader.cancel();
    return JSON.parse(line);
  };
  return { process, report };
}

Deno.test({
  name: "the mount of a server that was killed is known to be dead, and replaced by the next",
  ignore: reason !== undefined,
  sanitizeResources: false,
  fn: async () => {
    const path = await Deno.makeTempDir();
    const child = start(Deno.execPath(), ["run", "-A", "--no-config", "--no-lock", CHILD, path]);
    assert.equal((await child.report()).text, "hello from a child\n");
    child.process.kill("SIGKILL");
    await child.process.status;
    assert.equal(await isServerGone(path), true);
    assert.equal(await isFuseMounted(path), true);
    const mount = await mountFuse(path);
    await using _ = new Mounted(mount, { children: { second: { text: "second" } } });
    assert.equal((await run("ls", path)).out, "second\n");
    const { stdout } = await new Deno.Command("grep", { args: ["-c", path, "/proc/self/mountinfo"] }).output();
    assert.equal(new TextDecoder().decode(stdout), "1\n");
  },
});

Deno.test({
  name: "a dead mount can be unmounted like a living one",
  ignore: reason !== undefined,
  sanitizeResources: false,
  fn: async () => {
    const path = await Deno.makeTempDir();
    const child = start(Deno.execPath(), ["run", "-A", "--no-config", "--no-lock", CHILD, path]);
    await child.report();
    child.process.kill("SIGKILL");
    await child.process.status;
    await unmountFuse(path);
    assert.equal(await isFuseMounted(path), false);
    await Deno.remove(path);
  },
});

/**
 * An ordinary user needs a /dev/fuse that users may open, a program and sources that users may read; all three are
 * put in place by bind mounts that only this process and its children see.
 */
async function startAsUser(folder: string): Promise<Child> {
  await run("mknod", "-m", "666", `${folder}/device`, "c", "10", "229");
  await Deno.mkdir(`${folder}/home`);
  await Deno.chown(`${folder}/home`, Number(USER), Number(USER));
  await Deno.mkdir(`${folder}/sources`);
  await Deno.writeTextFile(`${folder}/deno`, "");
  await Deno.chmod(folder, 0o755);
  const script = `
    mount --make-rprivate /
    mount --bind ${folder}/device /dev/fuse
    mount --bind ${SOURCES} ${folder}/sources
    mount --bind ${Deno.execPath()} ${folder}/deno
    cd /
    exec setpriv --reuid ${USER} --regid ${USER} --clear-groups ${folder}/deno \\
      run -A --no-config --no-lock ${folder}/sources/tests/fuse/child_server.ts ${folder}/home/mnt`;
  const env = { DENO_DIR: `${folder}/home/cache`, HOME: `${folder}/home` };
  return start("unshare", ["-m", "sh", "-ec", script], env);
}

async function whyNoUserMounts(): Promise<string | undefined> {
  if (reason !== undefined) return reason;
  const found = await run("sh", "-c", "command -v fusermount3 && command -v setpriv && unshare -m true");
  return found.status === 0 ? undefined : "fusermount3, setpriv or unshare is missing, or may not be used";
}

const userReason = await whyNoUserMounts();
// deno-lint-ignore no-console -- a skip says why
if (userReason !== undefined) console.log(`skipped: mounts of ordinary users: ${userReason}`);

Deno.test({
  name: "an ordinary user mounts, reads and unmounts by fusermount3",
  ignore: userReason !== undefined,
  sanitizeResources: false,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const child = await startAsUser(folder);
    assert.deepEqual(await child.report(), { text: "hello from a child\n", viaFusermount: true, uid: Number(USER) });
    await child.process.stdin.close();
    const { refusal, reason } = await child.report();
    assert.match(String(refusal), /in use/);
    assert.equal(reason, "unmounted");
    assert.equal((await child.process.status).code, 0);
    await Deno.remove(folder, { recursive: true });
  },
});
