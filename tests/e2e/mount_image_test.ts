/** `clip mount IMAGE`: what it asks a registry for, the first time, again, and never with --offline. */
import assert from "node:assert/strict";
import { writeSmallImage } from "./oci_layout.ts";
import { mustRun, runProgram } from "./programs.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { e2eTest } from "./workbench.ts";

const NEEDS = ["/dev/fuse", "root", ...REGISTRY_NEEDS];

e2eTest("an image is mounted by name: indexed once, then one request; offline none", NEEDS, async (bench) => {
  writeSmallImage(bench.path("layout"));
  const { proxy, reference } = await publish(bench, `oci:${bench.path("layout")}:latest`);
  const unmount = (directory: string) => bench.mustClip(["unmount", directory]);
  const requests = () => proxy.seen.splice(0).map(({ path }) => path.replace("/v2/test/image/", ""));

  // Two at once: one of them indexes.
  const [mount, twin] = await Promise.all(
    ["mnt", "twin"].map((name) => bench.mount(reference, name, ["--plain-http"])),
  );
  assert.match(mount!.line, new RegExp(`^mounted ${reference} on ${mount!.directory} `));
  const [archive] = [...Deno.readDirSync(`${bench.cacheDir}/archives`)].filter(({ name }) => name.endsWith(".clip"));
  const { layers } = JSON.parse(
    await bench.mustClip(["inspect", "--json", `${bench.cacheDir}/archives/${archive!.name}`]),
  );
  const asked = requests();
  for (const { digest } of layers as { digest: string }[]) {
    assert.equal(asked.filter((path) => path === `blobs/${digest}`).length, 1, "a layer is read once");
  }
  assert.equal(await mustRun(["cat", `${mount!.directory}/etc/motd`]), "hello\n");
  await unmount(mount!.directory);
  await unmount(twin!.directory);
  requests();

  const again = await bench.mount(reference, "mnt", ["--plain-http"]);
  assert.deepEqual(requests(), ["manifests/v1"]);
  assert.equal(await mustRun(["cat", `${again.directory}/etc/motd`]), "hello\n");
  assert.deepEqual(requests(), [], "it is in the cache");
  await unmount(again.directory);

  // Who asks for the same at the same time asks once; a process may be slow to begin.
  await Promise.all(Array.from({ length: 8 }, () => bench.mustClip(["warm", "--plain-http", reference, "/etc/motd"])));
  const lookups = requests();
  assert.ok(lookups.length <= 3, `eight processes asked for ${lookups}`);

  await proxy.stop();
  const { code, stderr } = await bench.clip(["mount", "--plain-http", reference, again.directory]);
  assert.equal(code, 1);
  assert.match(stderr, /^clip: error: .*refused.*\nclip: --offline opens what \S+ meant when it was last looked up\n$/);
  proxy.start();

  const offline = await bench.mount(reference, "mnt", ["--plain-http", "--offline"]);
  assert.equal(await mustRun(["cat", `${offline.directory}/etc/motd`]), "hello\n");
  const { code: status, stderr: said } = await runProgram(["cat", `${offline.directory}/numbers`], {
    env: { LC_ALL: "C" },
  });
  assert.equal(status, 1);
  assert.match(said, /Input\/output error/);
  assert.match(offline.log(), /clip: error: cannot read \/numbers: [^\n]*--offline[^\n]* layer=0 span=0/);
  assert.deepEqual(requests(), [], "with --offline nobody is asked");
});

e2eTest("an image that cannot be indexed is told of before the daemon", NEEDS, async (bench) => {
  writeSmallImage(bench.path("layout"));
  const { proxy, reference } = await publish(bench, `oci:${bench.path("layout")}:latest`);
  proxy.fault = () => ({ kind: "corrupt" });
  const directory = bench.directory("mnt");
  const { code, stdout, stderr } = await bench.clip(["mount", "--daemon", "--plain-http", reference, directory]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /clip: error: .*(digest|corrupt|gzip)/);
  assert.deepEqual(bench.mounts(), []);
});
