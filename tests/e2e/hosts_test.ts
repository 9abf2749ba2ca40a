/** A mount whose registry is behind a mirror that dies, a private authority, client certificates and redirects. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { FaultProxy } from "../fault_proxy.ts";
import { ServerProcess } from "../cache/remote/server_process.ts";
import { AUTHORITY, CLIENT_CERTIFICATE, CLIENT_KEY, SERVER_CERTIFICATE, SERVER_KEY } from "../oci/test_certificates.ts";
import { ARCHITECTURE, writeImage, writeLayer } from "./oci_layout.ts";
import { runProgram } from "./programs.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { type DaemonMount, e2eTest, until, type Workbench } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", "nginx", ...REGISTRY_NEEDS];
const FILES = 10;
const FILE_BYTES = 540_000;
const SOONER = [0, 1, 2, 3];
const LATER = [5, 6, 7, 8, 9];

/** Writes an image of files of noise; the sums that sha256sum has to tell. */
function writeNoise(bench: Workbench): string[] {
  const members = Array.from({ length: FILES }, (_, number) => {
    let text = "";
    for (let at = 0; text.length < FILE_BYTES; at++) text += createHash("md5").update(`${number} ${at}`).digest("hex");
    return { path: `file-${number}`, data: new TextEncoder().encode(text) };
  });
  writeImage(bench.path("layout"), [writeLayer(bench.path("layout"), members)], ARCHITECTURE);
  return members.map(({ data }) => createHash("sha256").update(data).digest("hex"));
}

/** Files at once, each in a process of its own: none may fail. How long it took. */
async function readFiles(
  { directory, log }: DaemonMount,
  sums: readonly string[],
  numbers: readonly number[] = [...sums.keys()],
): Promise<number> {
  const startedMs = performance.now();
  const results = await Promise.all(numbers.map((number) => runProgram(["sha256sum", `${directory}/file-${number}`])));
  const wanted = numbers.map((number) => sums[number]);
  assert.deepEqual(results.map(({ stdout, stderr }) => stderr + stdout.slice(0, 64)), wanted, log());
  return performance.now() - startedMs;
}

/**
 * https on localhost for whoever has the certificate; blobs are redirected to https on 127.0.0.1, which anybody may ask.
 * @returns The port of the former.
 */
async function startTls(bench: Workbench, upstream: string): Promise<number> {
  const folder = bench.directory("nginx");
  const files = { "ca.pem": AUTHORITY, "server.pem": SERVER_CERTIFICATE, "server.key": SERVER_KEY };
  for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${folder}/${name}`, text);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const tls = `ssl_certificate ${folder}/server.pem; ssl_certificate_key ${folder}/server.key;`;
  const storage = new ServerProcess({ program: "true", args: () => [] }).port;
  const process = new ServerProcess({
    program: "nginx",
    args: (port) => {
      Deno.writeTextFileSync(
        `${folder}/nginx.conf`,
        `daemon off; master_process off; user root; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off; proxy_buffering off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
  server {
    listen 127.0.0.1:${port} ssl http2; ${tls}
    ssl_client_certificate ${folder}/ca.pem; ssl_verify_client on;
    location / { proxy_pass http://${upstream}; }
    location ~ /blobs/ { return 307 https://127.0.0.1:${storage}$request_uri; }
  }
  server {
    listen 127.0.0.1:${storage} ssl; ${tls}
    location / { proxy_pass http://${upstream}; }
  }
}
`,
      );
      return ["-p", folder, "-c", `${folder}/nginx.conf`, "-e", `${folder}/error.log`];
    },
  });
  bench.defer(() => process.kill());
  await process.start();
  return process.port;
}

e2eTest(
  "a mirror that dies under a mount, before a registry with client certificates and redirects",
  NEEDS,
  async (bench) => {
    const sums = writeNoise(bench);
    const { proxy: upstream } = await publish(bench, `oci:${bench.path("layout")}:latest`);
    const mirror = new FaultProxy(upstream.host);
    bench.defer(() => mirror.stop());
    const port = await startTls(bench, upstream.host);
    const certificates = bench.directory("certs");
    const files = { "own.crt": AUTHORITY, "me.cert": CLIENT_CERTIFICATE, "me.key": CLIENT_KEY };
    for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${certificates}/${name}`, text);
    Deno.writeTextFileSync(
      bench.path("registries.conf"),
      `[[registry]]\nlocation = "localhost:${port}"\n[[registry.mirror]]\nlocation = "${mirror.host}"\ninsecure = true\n`,
    );
    const name = `localhost:${port}/test/image:v1`;
    // Without a certificate there is nothing to be had.
    const refused = await bench.clip(["index", "--ca-file", "certs/own.crt", name]);
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(refused.stderr, /^clip: error: GET https:\/\/localhost:\d+\/v2\/[^\n]*status 400[^\n]*\n$/);
    const args = ["--cert-dir", "certs", "--registries-conf", "registries.conf"];
    await bench.mustClip(["index", "--cert-dir", "certs", name, "-o", "direct.clip"]);
    assert.equal(mirror.seen.length, 0);
    await bench.mustClip(["index", ...args, name, "-o", "hosts.clip", "--index-cache", "none"]);
    assert.ok(mirror.blobBytes > FILES * FILE_BYTES / 4, "the mirror was to give the layers");
    const mount = await bench.mount(bench.path("hosts.clip"), "mnt", [...args, "--prefetch", "none"]);
    // The mirror breaks off in the middle of the blobs that it sends, and is gone.
    mirror.bytesPerSecond = 2_000_000;
    mirror.seen.length = 0;
    const reading = readFiles(mount, sums, SOONER);
    assert.ok(await until(() => mirror.blobRequests.length > 0, 10_000));
    await mirror.stop();
    await reading;
    assert.match(mount.log(), /a mirror fails: the next host is asked/);
    // Nothing of it is in what a command line tells everybody, nor did the settings get lost with the server.
    assert.doesNotMatch(mount.log(), /PRIVATE KEY/);
    // The next server has the same settings.
    Deno.kill(mount.pid, "SIGKILL");
    mirror.bytesPerSecond = Infinity;
    mirror.start();
    const before = [mirror.seen.length, upstream.seen.length];
    await readFiles(mount, sums, LATER);
    assert.ok(mirror.seen.length > before[0]! || upstream.seen.length > before[1]!, "all was in the cache before");
  },
);

e2eTest("a registry that answers 429 to half of all requests: slower, no failed read", NEEDS, async (bench) => {
  const sums = writeNoise(bench);
  const { proxy, reference } = await publish(bench, `oci:${bench.path("layout")}:latest`);
  await bench.mustClip(["index", reference, "-o", "busy.clip"]);
  const quick = await bench.mount(bench.path("busy.clip"), "quick", ["--cache-dir", bench.path("cache-1")]);
  const quickMs = await readFiles(quick, sums);
  const before = proxy.seen.length;
  // By chance, as a limit does, and the same each time.
  let state = 1;
  proxy.fault = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 31 === 0 ? undefined : { kind: "status", status: 429 };
  };
  const slow = await bench.mount(bench.path("busy.clip"), "slow", ["--cache-dir", bench.path("cache-2")]);
  const slowMs = await readFiles(slow, sums);
  const refused = proxy.seen.slice(before).filter(({ status }) => status === 429).length;
  assert.ok(refused > 3, `${refused} requests were refused`);
  // deno-lint-ignore no-console -- a figure to be known
  console.log(`read in ${Math.round(quickMs)} ms, and in ${Math.round(slowMs)} ms with ${refused} refusals`);
});
