import assert from "node:assert/strict";
import { verifyDigest } from "../../src/base/mod.ts";
import { openBlobStore, parseImageReference, resolveImage, type SourceOptions } from "../../src/oci/mod.ts";
import { type RealRegistry, startRegistry } from "../real_registry.ts";
import { LayoutWriter, makeUmociLayout, withFolder } from "./make_layout.ts";
import { assertBytes, collect, failure, haveOrSkip, quickOptions, runProgram, writeTemporary } from "./test_support.ts";

/** The password is "secret", in bcrypt. */
const HTPASSWD = "user:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
const PLATFORM = { os: "linux", architecture: "amd64" };

async function withRealRegistry(
  work: (context: { registry: RealRegistry; folder: string }) => Promise<void>,
  htpasswd?: string,
): Promise<void> {
  if (!haveOrSkip("the real registry", "docker-registry", "skopeo", "umoci")) return;
  const registry = await startRegistry(htpasswd === undefined ? {} : { htpasswd });
  try {
    await withFolder((folder) => work({ registry: registry!, folder }));
  } finally {
    await registry!.stop();
  }
}

/** Resolves `name`, reads all its layers by stream and in part by range, and verifies them. */
async function check(text: string, options: SourceOptions): Promise<string> {
  const reference = parseImageReference(text);
  const { image, blobs } = await resolveImage(reference, { ...options, platform: PLATFORM });
  blobs.close();
  const mounted = await openBlobStore(image.pinnedReference, options);
  try {
    for (const layer of image.layers) {
      const blob = mounted.layer(layer);
      const bytes = await collect(blob);
      verifyDigest(bytes, layer.digest, "layer");
      const ranges = [[0, 1], [1, bytes.length], [bytes.length >> 1, (bytes.length >> 1) + 10], [
        bytes.length - 1,
        bytes.length,
      ]];
      await Promise.all(ranges.map(async ([offset, endExclusive]) => {
        assertBytes(
          await blob.readRange({ offset: offset!, endExclusive: endExclusive! }),
          bytes.slice(offset, endExclusive),
        );
      }));
    }
  } finally {
    mounted.close();
  }
  return image.manifestDigest;
}

Deno.test("docker-registry: images that skopeo pushed, in both formats, by tag and by digest", () =>
  withRealRegistry(async ({ registry, folder }) => {
    const layout = await makeUmociLayout(folder);
    const push = (...args: string[]) => runProgram("skopeo", "copy", "--dest-tls-verify=false", ...args);
    await push(`oci:${layout}:v1`, `docker://${registry.host}/test/image:oci`);
    await push("--format=v2s2", `oci:${layout}:v1`, `docker://${registry.host}/test/image:docker`);
    for (const plainHttp of [true, false]) {
      const options = quickOptions({ plainHttp });
      const digest = await check(`${registry.host}/test/image:oci`, options);
      assert.equal(await check(`${registry.host}/test/image@${digest}`, options), digest);
      await check(`${registry.host}/test/image:docker`, options);
      assert(!options.log.lines.some((line) => /warn|trying again/.test(line)), `${options.log.lines}`);
    }
    const options = { ...quickOptions(), platform: PLATFORM };
    await failure(() => resolveImage(parseImageReference(`${registry.host}/test/image:none`), options), "not_found");
    await failure(() => resolveImage(parseImageReference(`${registry.host}/none`), options), "not_found");
  }));

Deno.test("docker-registry: an image for several platforms", () =>
  withRealRegistry(async ({ registry, folder }) => {
    const layout = new LayoutWriter(`${folder}/layout`);
    const platforms = [{ os: "linux", architecture: "arm64" }, PLATFORM];
    const manifests = platforms.map((platform, seed) => ({
      ...layout.addImage({ platform, seed: seed + 1 }),
      platform,
    }));
    const mediaType = "application/vnd.oci.image.index.v1+json";
    layout.addEntry(layout.addJson({ schemaVersion: 2, mediaType, manifests }, mediaType), "v1");
    await runProgram(
      "skopeo",
      "copy",
      "--all",
      "--preserve-digests",
      "--dest-tls-verify=false",
      `oci:${folder}/layout:v1`,
      `docker://${registry.host}/multi:v1`,
    );
    assert.equal(await check(`${registry.host}/multi:v1`, quickOptions()), manifests[1]!.digest);
    const options = { ...quickOptions(), platform: { os: "linux", architecture: "s390x" } };
    const error = await failure(
      () => resolveImage(parseImageReference(`${registry.host}/multi:v1`), options),
      "not_found",
    );
    assert.match(error.message, /it offers linux\/arm64, linux\/amd64$/);
  }));

Deno.test("docker-registry with a login", () =>
  withRealRegistry(async ({ registry, folder }) => {
    const layout = await makeUmociLayout(folder);
    await runProgram(
      "skopeo",
      "copy",
      "--dest-tls-verify=false",
      "--dest-creds=user:secret",
      `oci:${layout}:v1`,
      `docker://${registry.host}/x`,
    );
    const login = (password: string) => {
      const auths = { [registry.host]: { auth: btoa(`user:${password}`) } };
      return quickOptions({ dockerConfigPath: writeTemporary(JSON.stringify({ auths })) });
    };
    await check(`${registry.host}/x`, login("secret"));
    const wrong = await failure(() => check(`${registry.host}/x`, login("wrong")), "denied");
    assert.match(wrong.message, /: refuses the login of \/\S+ \(status 401, UNAUTHORIZED\)$/);
    const none = await failure(() => check(`${registry.host}/x`, quickOptions()), "denied");
    assert.match(none.message, /needs a user and password for "clip tests"; log in with docker login first$/);
  }, HTPASSWD));
