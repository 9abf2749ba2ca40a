/** Tokens that end under a live mount, with logins that came in each way. */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { startRegistry } from "../real_registry.ts";
import { startTokenServer, type TokenServer } from "../token_server.ts";
import { ARCHITECTURE, writeImage, writeTarLayer } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { concatenate, tarEnd, tarMember } from "./tar_writer.ts";
import { e2eTest, isRunning, until, type Workbench } from "./workbench.ts";

/** `CLIP_TOKEN_SECONDS=120` for the long run, with tokens of ten seconds. */
const SECONDS = Number(Deno.env.get("CLIP_TOKEN_SECONDS") ?? 6);
const LIFETIME_SECONDS = SECONDS > 60 ? 10 : 2;
const READS_PER_SECOND = SECONDS > 60 ? 3 : 5;
const MIB = 1024 * 1024;
/** A span for each read: none is found in the cache. */
const FILE_MIB = Math.ceil(SECONDS * READS_PER_SECOND * 1.2);
const USER = "token-user";
const PASSWORD = "pl4nted-by-standard-input";
const REFRESH_TOKEN = "pl4nted-refresh-token";
const NEEDS = ["/dev/fuse", "root", "docker-registry", "skopeo", "openssl"];

/** Every four bytes say where they are. */
function bytesAt(offset: number, length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(length / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(offset / 4 + i + 1, 0x9e3779b1);
  return new Uint8Array(words.buffer);
}

/** An image with one large file in a registry that wants tokens of a server. */
async function publishWithTokens(bench: Workbench): Promise<{ server: TokenServer; reference: string }> {
  const server = await startTokenServer({ username: USER, password: PASSWORD, refreshToken: REFRESH_TOKEN });
  bench.defer(server.stop);
  const registry = (await startRegistry({ tokens: server.issuer }))!;
  bench.defer(registry.stop);
  const data = bytesAt(0, FILE_MIB * MIB);
  const tar = concatenate([tarMember({ path: "large", data }), tarEnd()]);
  const layer = writeTarLayer(bench.path("layout"), tar, {
    blob: tar,
    mediaType: "application/vnd.oci.image.layer.v1.tar",
  });
  writeImage(bench.path("layout"), [layer], ARCHITECTURE);
  const reference = `${registry.host}/test/image:v1`;
  const push = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
  const source = `oci:${bench.path("layout")}:latest`;
  await mustRun([...push, `--dest-creds=${USER}:${PASSWORD}`, source, `docker://${reference}`]);
  server.asked.length = 0;
  server.given.length = 0;
  // Not before: skopeo does not renew its token, and is longer about this.
  server.lifetimeSeconds = LIFETIME_SECONDS;
  return { server, reference };
}

/** Reads of places that were not read before, for some time, and on until there was enough; how many there were. */
async function readOn(
  file: string,
  { seconds, isEnough, atHalfTime }: { seconds: number; isEnough?: () => boolean; atHalfTime?: () => void },
): Promise<number> {
  const started = performance.now();
  let isHalfOver = false;
  for (let read = 0;; read++) {
    const elapsed = (performance.now() - started) / 1000;
    if (read === FILE_MIB || elapsed > seconds && (isEnough?.() ?? true)) return read;
    if (elapsed > seconds / 2 && !isHalfOver) {
      isHalfOver = true;
      atHalfTime?.();
    }
    // Backwards, so that nothing is read ahead.
    const offset = (FILE_MIB - 1 - read) * MIB + 4096;
    const handle = await open(file, constants.O_RDONLY);
    try {
      const buffer = new Uint8Array(4096);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
      assert.deepEqual(buffer.subarray(0, bytesRead), bytesAt(offset, 4096), `at ${offset}`);
    } finally {
      await handle.close();
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 / READS_PER_SECOND));
  }
}

/** What all processes show whose command line is clip's, or its supervisor's: arguments, one string. */
function commandLines(): string {
  const lines = [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).map(({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ");
    } catch {
      return "";
    }
  });
  return lines.filter((line) => /clip|main\.ts/.test(line)).join("\n");
}

/** Asserts that no file of the bench has `secret` in it, but for mounts, and layers, which are the image's bytes. */
async function assertNowhere(bench: Workbench, secret: string): Promise<void> {
  const { code, stdout } = await runProgram(["find", bench.folder, "-xdev", "-type", "f", "-size", "-8M", "-print0"]);
  assert.equal(code, 0);
  const paths = stdout.split("\0").filter((path) => path !== "");
  assert.ok(paths.some((path) => path.endsWith(".clip")), "nothing was looked at");
  for (const path of paths) {
    assert.ok(!path.includes(secret), path);
    assert.ok(!new TextDecoder("latin1").decode(await Deno.readFile(path)).includes(secret), path);
  }
}

e2eTest(`tokens of ${LIFETIME_SECONDS} s under reads for ${SECONDS} s, and a killed server`, NEEDS, async (bench) => {
  const { server, reference } = await publishWithTokens(bench);
  const stdin = new TextEncoder().encode(`${PASSWORD}\n`);
  const login = ["--username", USER, "--password-stdin"];
  const image = ["--checkpoint-mib", "1", "--progress", "none"];
  await bench.mustClip(["index", reference, "-o", "x.clip", ...image, ...login], { stdin });
  const { stderr } = await bench.clip(["warm", "x.clip", "--no-ambient-credentials"]);
  assert.match(stderr, /no login was found/);
  const before = server.asked.length;
  const { directory, pid, log } = await bench.mount(bench.path("x.clip"), "mnt", ["--prefetch", "none", ...login], {
    stdin,
  });
  const file = `${directory}/large`;
  const tokens = () => server.asked.length - before;
  const reads = await readOn(file, {
    seconds: SECONDS,
    isEnough: () => tokens() > SECONDS / LIFETIME_SECONDS,
    atHalfTime: () => Deno.kill(pid, "SIGKILL"),
  });
  assert.ok(!isRunning(pid), "the server was not killed");
  // deno-lint-ignore no-console -- figures to be known
  console.log(`${reads} reads, 0 failed; ${tokens()} tokens of ${LIFETIME_SECONDS} s; one server killed`);
  assert.ok(tokens() > SECONDS / LIFETIME_SECONDS, `${tokens()} tokens`);
  // An early token is really over: what was read needed the later ones.
  const [host, path] = [reference.slice(0, reference.indexOf("/")), "v2/test/image/manifests/v1"];
  const status = async (token: string) => {
    const response = await fetch(`http://${host}/${path}`, { headers: { authorization: `Bearer ${token}` } });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status(server.given[before]!), 401);
  assert.ok(!commandLines().includes(PASSWORD), "a command line has the password");
  assert.ok(commandLines().includes(file.slice(0, -6)), "the server's command line was looked at");
  await assertNowhere(bench, PASSWORD);
  for (const token of server.given) assert.ok(!log().includes(token));
  assert.doesNotMatch(log(), /cannot read/);
});

e2eTest("a refresh token, a helper and a token file, each for a mount in the background", NEEDS, async (bench) => {
  const { server, reference } = await publishWithTokens(bench);
  const host = reference.slice(0, reference.indexOf("/"));
  const bin = bench.directory("bin");
  const helper = `#!/bin/sh\nread -r server\nprintf '{"Username":"<token>","Secret":"%s"}' '${REFRESH_TOKEN}'\n`;
  await Deno.writeTextFile(`${bin}/docker-credential-cliptest`, helper, { mode: 0o755 });
  await Deno.writeTextFile(bench.path("auth.json"), JSON.stringify({ credHelpers: { [host]: "cliptest" } }));
  const env = { PATH: `${bin}:${Deno.env.get("PATH")}`, REGISTRY_AUTH_FILE: bench.path("auth.json") };
  await bench.mount(reference, "by-helper", ["--checkpoint-mib", "1", "--progress", "none"], { env });
  assert.ok(server.asked.every(({ method, user }) => method === "POST" && user === USER), "by POST, as OAuth2 has it");
  assert.ok(await readOn(bench.path("by-helper/large"), { seconds: 0.5 }) > 0);

  // Another process keeps the file fresh, as a kubelet does.
  const fresh = async () => {
    const url = new URL(server.issuer.realm);
    url.searchParams.set("scope", "repository:test/image:pull");
    url.searchParams.set("service", server.issuer.service);
    const answer = await fetch(url, { headers: { authorization: `Basic ${btoa(`${USER}:${PASSWORD}`)}` } });
    await Deno.writeTextFile(bench.path(".token"), (await answer.json()).token);
    await Deno.rename(bench.path(".token"), bench.path("token"));
  };
  await fresh();
  const timer = setInterval(() => fresh().catch(() => {}), LIFETIME_SECONDS * 400);
  try {
    const args = ["--token-file", "token", "--no-ambient-credentials", "--cache-dir", "none", "--prefetch", "none"];
    const { log } = await bench.mount(reference, "by-file", [...args, "--checkpoint-mib", "1", "--progress", "none"]);
    await readOn(bench.path("by-file/large"), { seconds: LIFETIME_SECONDS * 1.5 });
    assert.doesNotMatch(log(), /cannot read/);
  } finally {
    clearInterval(timer);
  }
  await Deno.remove(bench.path("auth.json"));
  await Deno.remove(`${bin}/docker-credential-cliptest`);
  await assertNowhere(bench, REFRESH_TOKEN);
  assert.ok(await until(() => !commandLines().includes(REFRESH_TOKEN), 1));
});
