import assert from "node:assert/strict";
import { SILENT } from "../../src/base/mod.ts";
import { checkMachine } from "../../src/cli/doctor/check_machine.ts";
import { checkCache, checkMounts, checkRuntimeFolder } from "../../src/cli/doctor/check_places.ts";
import { checkRegistry, isRegistry } from "../../src/cli/doctor/check_registry.ts";
import { showFinding } from "../../src/cli/doctor/finding.ts";
import { type Machine, thisMachine } from "../../src/cli/doctor/machine.ts";
import { isKernelSince } from "../../src/cli/kernel_release.ts";
import { type Credential, Logins } from "../../src/oci/mod.ts";
import { type FakeRegistry, startFakeRegistry } from "../oci/fake_registry.ts";

/** A machine on which all is well, but for what is said. */
function machine(different: Partial<Machine>): Machine {
  const root = { path: "/usr/bin/x", mode: 0o104755, uid: 0 };
  return {
    uid: 1000,
    kernelRelease: "6.12.1-amd64",
    tryOpen: () => undefined,
    deviceOf: () => 2789,
    readText: (path) =>
      path === "/etc/fuse.conf" ? "# x\nuser_allow_other\n" : "Max open files            1024       4096  files\n",
    findProgram: () => root,
    whyNoForeignFunctions: () => undefined,
    whyNoWasm: () => undefined,
    ...different,
  };
}

/** What is not well on a machine that is different so. */
function faults(different: Partial<Machine>): string[] {
  return checkMachine(machine(different)).filter(({ state }) => state !== "ok").map((finding) => {
    assert.ok(finding.advice !== undefined && finding.advice !== "", "says what to do");
    return showFinding(finding);
  });
}

Deno.test("versions of kernels are compared as numbers", () => {
  const since = ["6.9", "6.9.0-rc1", "6.10.2", "7.0.0", "10.1"].map((release) => isKernelSince(release, [6, 9]));
  assert.deepEqual(since, [true, true, true, true, true]);
  const before = ["6.8.12-amd64", "5.10", "4.19.0", "6", "", "x"].map((release) => isKernelSince(release, [6, 9]));
  assert.deepEqual(before, [false, false, false, false, false, false]);
});

Deno.test("doctor: a machine on which all is well", () => {
  assert.deepEqual(faults({}), []);
  assert.deepEqual(
    faults({
      uid: 0,
      readText: () => "Max open files   unlimited  unlimited files",
      findProgram: () => ({
        path: "/bin/x",
        mode: 0o755,
        uid: 0,
      }),
    }),
    [],
  );
});

Deno.test("doctor: each fault of a machine is one line that says what to do", () => {
  const one = (different: Partial<Machine>, line: RegExp) => {
    const said = faults(different);
    assert.equal(said.length, 1, `${said}`);
    assert.match(said[0]!, line);
  };
  one({ kernelRelease: "5.3.0" }, /^fail {2}kernel: Linux 5\.3\.0 → .*5\.4/);
  one({ kernelRelease: "6.8.12" }, /^warn {2}kernel: Linux 6\.8\.12 → .*6\.9/);
  one({ kernelRelease: "odd" }, /^fail {2}kernel/);
  one({ tryOpen: () => "ENOENT" }, /^fail {2}\/dev\/fuse: there is none \(ENOENT\) → .*modprobe fuse.*--device/);
  one({ tryOpen: () => "EACCES" }, /^fail {2}\/dev\/fuse: it cannot be opened \(EACCES\) → /);
  one({ deviceOf: () => 259 }, /^fail {2}\/dev\/fuse: it is not the kernel's device → .*mknod/);
  one({ whyNoForeignFunctions: () => "no libc" }, /^fail {2}C library: no libc → /);
  one({ whyNoWasm: () => "denied" }, /^warn {2}WebAssembly: denied → .*--inflate pako/);
  one({ readText: () => "Max open files  1024 1024 files" }, /^warn {2}--allow-other: .*user_allow_other/);
  const limits = (text: string) => ({ uid: 0, readText: () => text });
  one(limits("Max open files  64 64 files"), /^warn {2}open files: at most 64 → .*ulimit/);
  one(limits("Max open files  64000 64 files\nMax address space  1000000 2 bytes"), /^warn {2}address space/);
  const without = (...names: string[]) => ({
    findProgram: (name: string) => names.includes(name) ? undefined : { path: `/bin/${name}`, mode: 0o104755, uid: 0 },
  });
  one(without("fusermount3", "fusermount"), /^fail {2}fusermount3: is not installed.* → install fuse3\n/);
  one(without("setsid"), /^fail {2}supervisor: setsid not found → .*util-linux/);
  one({
    findProgram: (name) => ({ path: `/bin/${name}`, mode: 0o755, uid: 0 }),
  }, /^fail {2}fusermount3: \/bin\/fusermount3 is not setuid root → .*chmod u\+s/);
  assert.deepEqual(faults({ ...without("fusermount3", "fusermount"), uid: 0 }), []);
});

Deno.test("doctor: this machine can be looked at", () => {
  const findings = checkMachine(thisMachine());
  assert.ok(findings.some(({ check, state }) => check === "WebAssembly" && state === "ok"));
  assert.equal(thisMachine().tryOpen("/nowhere/at/all"), "ENOENT");
  assert.equal(thisMachine().findProgram("no-such-program"), undefined);
  assert.ok(thisMachine().findProgram("sh") !== undefined);
});

Deno.test("doctor: a cache that cannot be written to, one on a full disk, one that is well", async () => {
  const folder = await Deno.makeTempDir({ prefix: "clip-doctor-" });
  try {
    const limits = () => ({ maxBytes: 1e9, reserveBytes: 0 });
    await Deno.writeTextFile(`${folder}/file`, "");
    const unwritable = await checkCache(`${folder}/file/cache`, limits);
    assert.match(
      showFinding(unwritable),
      /^fail {2}cache: .*\/file\/cache cannot be written to \(\w+\) → .*--cache-dir/,
    );
    const full = await checkCache(`${folder}/cache`, () => ({ maxBytes: 1e9, reserveBytes: 2 ** 60 }));
    assert.match(showFinding(full), /^warn {2}cache: .*the disk is full/);
    assert.equal((await checkCache(`${folder}/cache`, limits)).state, "ok");
    assert.deepEqual([...Deno.readDirSync(`${folder}/cache`)], [], "nothing is left there");
    assert.equal((await checkRuntimeFolder([`${folder}/file/run`])).state, "fail");
    assert.equal((await checkRuntimeFolder([`${folder}/file/run`, `${folder}/run`])).says, `${folder}/run`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("doctor: mounts that nobody serves", () => {
  const mount = (state: "alive" | "dead" | "silent" | "elsewhere") => ({
    mountpoint: `/m/${state}`,
    state,
    found: undefined,
    uid: 0,
  });
  assert.deepEqual(checkMounts([mount("alive"), mount("elsewhere")]).map(({ state, says }) => [state, says]), [
    ["ok", "1, and all answer"],
  ]);
  const lines = checkMounts([mount("alive"), mount("dead"), mount("silent")]).map(showFinding);
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /^fail {2}mount: nobody serves \/m\/dead any more → clip unmount --lazy \/m\/dead\n$/);
  assert.match(lines[1]!, /^fail {2}mount: \/m\/silent does not answer → /);
});

Deno.test("doctor: what is a registry, and what an image", () => {
  for (const text of ["ghcr.io", "localhost:5000", "localhost", "127.0.0.1:5000", "[::1]:5000", "mirror/", "a.b:80/"]) {
    assert.ok(isRegistry(text), text);
  }
  for (
    const text of ["ubuntu:24.04", "ubuntu", "ghcr.io/owner/name", "docker://ghcr.io/a", "oci:dir", "mirror:5000/a"]
  ) {
    assert.ok(!isRegistry(text), text);
  }
});

type Say = (text: string, credential?: Credential) => Promise<string>;

async function withRegistry(work: (registry: FakeRegistry, say: Say) => Promise<void>) {
  const registry = startFakeRegistry();
  const retry = { attempts: 1, firstDelayMs: 1, maxDelayMs: 1 };
  const options = { log: SILENT, retry, requestTimeoutMs: 5000 };
  const say: Say = async (text, credential) => {
    const login = credential && (() => Promise.resolve({ origin: "--creds", credential }));
    const logins = new Logins({ log: SILENT, ambient: false, given: login && { kind: "login", login } });
    return (await checkRegistry(text, { ...options, logins })).map(showFinding).join("");
  };
  try {
    await work(registry, say);
  } finally {
    await registry.stop();
  }
}

Deno.test("doctor: a certificate of nobody known, and one of another host", async () => {
  const says = async (problem: string) => {
    const stub = () => Promise.reject(new TypeError(`client error (Connect): invalid peer certificate: ${problem}`));
    const logins = new Logins({ log: SILENT, ambient: false });
    const [finding] = await checkRegistry("dns.example", { log: SILENT, logins, fetch: stub });
    return showFinding(finding!);
  };
  assert.match(await says("UnknownIssuer"), /: no answer: invalid peer certificate: .* → name .* by --ca-file/);
  const named = 'certificate not valid for name "dns.example"; certificate is only valid for DnsName("a.example")';
  for (const problem of [named, "NotValidForName"]) assert.match(await says(problem), / → another host has answered: /);
});

Deno.test("doctor: registries that answer, that want a login, that are none, that are not there", async () => {
  await withRegistry(async (registry, say) => {
    assert.match(await say(registry.host), /^ok {4}registry \S+: http:\/\/\S+ answers; there is no login/);
    assert.match(
      await say(`${registry.host}/a/b:v1`),
      /^ok .*\nfail {2}image \S+: .*\(status 404.* → check the name and the tag\n$/,
    );
    registry.addManifest({ schemaVersion: 2, manifests: [] }, "application/vnd.oci.image.index.v1+json", "v1");
    assert.match(await say(`${registry.host}/a/b:v1`), /^ok .*\nok {4}image \S+: it is there, sha256:\w+\n$/);
    registry.login = { challenge: 'Basic realm="x"', accepts: () => false };
    assert.match(
      await say(`${registry.host}/a/b:v1`),
      /^fail {2}registry \S+: .*(status 401|login).* → log in \(docker login\)[^\n]*\n$/,
    );
    assert.match(
      await say(registry.host, { kind: "basic", username: "bob", password: "wrong" }),
      /^fail {2}registry \S+: .*: refuses the login of --creds \(status 401[^)]*\) → log in \(docker login\), or renew/,
    );
    registry.login = undefined;
    registry.handler = () => new Response("hello", { status: 404 });
    assert.match(await say(registry.host), /^fail {2}registry .*status 404.* → is it an OCI registry/);
    const { host } = registry;
    registry.handler = undefined;
    await registry.stop();
    assert.match(await say(host), /^fail {2}registry .*refused.* → nobody listens there/);
    assert.match(
      await say("no-such-host.invalid"),
      /^fail {2}registry no-such-host\.invalid: .* → check the name, and the name servers/,
    );
  });
});
