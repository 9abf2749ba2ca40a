/** Images that cannot be indexed. */
import { gzipSync } from "node:zlib";
import { expectFailure } from "./expect_failure.ts";
import {
  ARCHITECTURE,
  blobPath,
  digestOf,
  GZIP_LAYER,
  type LayoutLayer,
  writeBlob,
  writeImage,
  writeSmallImage,
} from "./oci_layout.ts";
import { publish, REGISTRY_NEEDS } from "./published.ts";
import { e2eTest } from "./workbench.ts";

e2eTest("index: images that a registry does not have", REGISTRY_NEEDS, async (bench) => {
  writeSmallImage(bench.path("layout"));
  const { proxy, reference } = await publish(bench, `oci:${bench.path("layout")}:latest`);
  const index = (image: string, message: RegExp) =>
    expectFailure(bench, ["index", "--progress", "none", "--plain-http", image, "-o", "out.clip"], {
      code: 1,
      message,
    });
  await index(`${proxy.host}/no/such:v1`, /no\/such.*(not found|unknown|404)/i);
  await index(`${proxy.host}/test/image:v2`, /test\/image.*v2.*(not found|unknown|404)/i);
  await index(`${proxy.host}/test/image@sha256:${"1".repeat(64)}`, /1{64}.*(not found|unknown|404)/i);
  await proxy.stop();
  await index(reference, /127\.0\.0\.1:\d+.*refused/i);
});

e2eTest("index: layers that are not what the manifest says", [], async (bench) => {
  const index = (message: RegExp) =>
    expectFailure(bench, ["index", "--progress", "none", `oci:${bench.path("layout")}:latest`, "-o", "out.clip"], {
      code: 1,
      message,
    });
  const [lower] = writeSmallImage(bench.path("layout"));
  const file = blobPath(bench.path("layout"), lower!.digest);
  const good = Deno.readFileSync(file);

  // Every place of damage is found, by whichever check comes first.
  for (const at of [0, 5, 20, good.length >> 1, good.length - 6]) {
    const bad = good.slice();
    bad[at]! ^= 1;
    Deno.writeFileSync(file, bad);
    await index(new RegExp(lower!.digest));
  }
  Deno.writeFileSync(file, good.subarray(0, good.length - 100));
  await index(new RegExp(`${lower!.digest}.*(size|bytes|short|end)`, "i"));
  Deno.removeSync(file);
  await index(new RegExp(lower!.digest));
});

e2eTest("index: layers whose content is no gzip, no tar, or cut short", [], async (bench) => {
  const layout = bench.path("layout");
  const layer = (blob: Uint8Array, plain: Uint8Array): LayoutLayer => ({
    mediaType: GZIP_LAYER,
    digest: writeBlob(layout, blob),
    diffId: digestOf(plain),
    sizeBytes: blob.length,
  });
  const index = (message: RegExp) =>
    expectFailure(bench, ["index", "--progress", "none", `oci:${layout}:latest`, "-o", "out.clip"], {
      code: 1,
      message,
    });
  const text = new TextEncoder().encode("This is no archive of any kind. ".repeat(100));
  const whole = gzipSync(new Uint8Array(4096));

  writeImage(layout, [layer(text, text)], ARCHITECTURE);
  await index(/layer 0 .*(gzip|tar)/);
  writeImage(layout, [layer(gzipSync(text), text)], ARCHITECTURE);
  await index(/layer 0 .*tar/);
  writeImage(layout, [layer(whole.subarray(0, whole.length - 9), new Uint8Array(4096))], ARCHITECTURE);
  await index(/layer 0 .*gzip/);
  writeImage(layout, [layer(whole, new Uint8Array(512))], ARCHITECTURE);
  await index(/layer 0 .*digest mismatch/);
});

e2eTest("index: what is not there, and outputs that cannot be", [], async (bench) => {
  const layout = bench.path("layout");
  const layers = writeSmallImage(layout);
  const fails = (args: string[], message: RegExp) =>
    expectFailure(bench, ["index", "--progress", "none", ...args], { code: 1, message });
  await fails([`oci:${bench.path("nowhere")}:latest`, "-o", "out.clip"], /nowhere/);
  await fails([`oci:${layout}:other`, "-o", "out.clip"], /other/);
  await fails([`oci-archive:${bench.path("nowhere.tar")}`, "-o", "out.clip"], /nowhere\.tar/);
  await fails([`docker-archive:${layout}/index.json`, "-o", "out.clip"], /index\.json/);
  await fails([`oci:${layout}:latest`, "-o", "missing/out.clip"], /cannot write missing\/out\.clip/);
  await fails([`oci:${layout}:latest`, "-o", "layout"], /layout.*directory/);
  await fails([`oci:${layout}:latest`, "--platform", "linux/s390x", "-o", "out.clip"], /s390x/);
  writeImage(layout, layers, "riscv64");
  await fails([`oci:${layout}:latest`, "-o", "out.clip"], /riscv64/);
});
