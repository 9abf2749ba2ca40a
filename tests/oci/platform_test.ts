import assert from "node:assert/strict";
import { UsageError } from "../../src/base/mod.ts";
import { choosePlatform } from "../../src/oci/choose_platform.ts";
import { type Descriptor, parseDescriptor } from "../../src/oci/descriptor.ts";
import { MediaType } from "../../src/oci/media_types.ts";
import { formatPlatform, machinePlatform, parsePlatform } from "../../src/oci/mod.ts";
import { platformDistance } from "../../src/oci/platform.ts";

Deno.test("platforms are put in their plain form", () => {
  const cases = {
    "linux/amd64": "linux/amd64",
    "linux/x86_64": "linux/amd64",
    "Linux/AMD64/v1": "linux/amd64",
    "linux/amd64/v3": "linux/amd64/v3",
    "linux/arm64/v8": "linux/arm64",
    "linux/aarch64/8": "linux/arm64",
    "linux/arm": "linux/arm/v7",
    "linux/armhf": "linux/arm/v7",
    "linux/armel": "linux/arm/v6",
    "linux/arm/6": "linux/arm/v6",
    "windows/amd64": "windows/amd64",
  };
  for (const [text, plain] of Object.entries(cases)) assert.equal(formatPlatform(parsePlatform(text)), plain);
  for (const text of ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/am d64", "linux/\u001b"]) {
    assert.throws(() => parsePlatform(text), UsageError);
  }
  assert.match(formatPlatform(machinePlatform()), /^linux\/(amd64|arm64)$/);
});

Deno.test("a machine runs its own variant and older ones", () => {
  const distance = (wanted: string, offered: string) => platformDistance(parsePlatform(wanted), parsePlatform(offered));
  assert.equal(distance("linux/arm64", "linux/arm64/v8"), 0);
  assert.equal(distance("linux/arm/v7", "linux/arm/v6"), 1);
  assert.equal(distance("linux/arm", "linux/arm/v5"), 2);
  assert.equal(distance("linux/arm/v6", "linux/arm/v7"), undefined);
  assert.equal(distance("linux/amd64/v3", "linux/amd64"), 2);
  assert.equal(distance("linux/amd64", "linux/amd64/v2"), undefined);
  assert.equal(distance("linux/arm64", "linux/arm/v7"), undefined);
  assert.equal(distance("linux/amd64", "windows/amd64"), undefined);
  assert.equal(distance("linux/ppc64le", "linux/ppc64le/power9"), undefined);
  assert.equal(distance("linux/ppc64le/power9", "linux/ppc64le/power9"), 0);
});

function entry(platform: string | undefined, rest: Record<string, unknown> = {}): Descriptor {
  const [os, architecture, variant] = platform?.split("/") ?? [];
  const hex = Array.from(JSON.stringify([platform, rest]), (char) => char.charCodeAt(0).toString(16)).join("");
  return parseDescriptor(
    {
      mediaType: MediaType.ociManifest,
      digest: `sha256:${hex.padEnd(64, "0").slice(-64)}`,
      size: 1,
      ...(platform === undefined ? {} : { platform: { os, architecture, variant } }),
      ...rest,
    },
    "entry",
    { subject: "index", source: "test" },
  );
}

function chosen(wanted: string, entries: Descriptor[]): string[] {
  return choosePlatform(entries, parsePlatform(wanted)).map(({ platform }) => {
    return platform === undefined ? "-" : formatPlatform(platform);
  });
}

Deno.test("candidates: the same platform, older variants, entries that do not say; never attestations", () => {
  const entries = [
    entry(undefined),
    entry("linux/arm/v5"),
    entry("unknown/unknown"),
    entry("linux/arm/v7", { annotations: { "vnd.docker.reference.type": "attestation-manifest" } }),
    entry("linux/arm/v8"),
    entry("linux/arm/v6"),
    entry("linux/arm/v7", { artifactType: "application/x" }),
    entry("linux/arm/v7", { mediaType: "application/x" }),
    entry("linux/arm/v7"),
    entry("linux/arm64/v8"),
    entry(undefined, { mediaType: MediaType.ociIndex }),
  ];
  assert.deepEqual(chosen("linux/arm/v7", entries), ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "-", "-"]);
  assert.deepEqual(chosen("linux/arm64", entries), ["linux/arm64/v8", "-", "-"]);
  assert.deepEqual(chosen("linux/s390x", entries.slice(1, 10)), []);
});
