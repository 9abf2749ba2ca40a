/** Mutated documents: each parses or fails with a ClipError of one printable line. */
import assert from "node:assert/strict";
import { ClipError, type Digest, sha256 } from "../../src/base/mod.ts";
import { parseArtifact } from "../../src/oci/artifact.ts";
import { parseImageConfig } from "../../src/oci/image_config.ts";
import { parseDocument, parseLayoutIndex } from "../../src/oci/manifest.ts";
import type { SeededRandom } from "../codec/seeded_random.ts";
import type { FuzzTarget } from "../fuzz/fuzz_target.ts";

const DIGEST = sha256(new Uint8Array()) as Digest;
const DESCRIPTOR = {
  mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
  digest: DIGEST,
  size: 5,
  annotations: { "org.opencontainers.image.ref.name": "x" },
};
/** A manifest with nothing wrong. */
export const MANIFEST = {
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: { ...DESCRIPTOR, mediaType: "application/vnd.oci.image.config.v1+json" },
  layers: [DESCRIPTOR, DESCRIPTOR],
};
const INDEX = {
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.index.v1+json",
  manifests: [{
    ...DESCRIPTOR,
    mediaType: MANIFEST.mediaType,
    platform: { os: "linux", architecture: "arm", variant: "v7" },
  }],
};
const CONFIG = {
  os: "linux",
  architecture: "amd64",
  config: { Env: ["A=b"], Cmd: ["x"], Labels: { a: "b" }, ExposedPorts: { "80/tcp": {} }, User: "0" },
  rootfs: { type: "layers", diff_ids: [DIGEST] },
};

const ARTIFACT = {
  schemaVersion: 2,
  mediaType: MANIFEST.mediaType,
  artifactType: "application/vnd.clip.archive.v1",
  config: { ...DESCRIPTOR, mediaType: "application/vnd.oci.empty.v1+json", data: "e30=" },
  layers: [DESCRIPTOR],
  subject: { ...DESCRIPTOR, mediaType: MANIFEST.mediaType },
  annotations: { "vnd.clip.format-version": "1" },
};

const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  "",
  "x",
  "\u0000\u001b[31m",
  "__proto__",
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  "sha256:",
  DIGEST,
  "application/json",
  { __proto__: null },
];

/** A deep copy of `value` in which one node in about `rarity` is something else. */
function mutate(value: unknown, random: SeededRandom, rarity: number): unknown {
  if (random.below(rarity) === 0) return STRANGE[random.below(STRANGE.length)];
  if (Array.isArray(value)) return value.map((item) => mutate(item, random, rarity));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(() => random.below(rarity) !== 0);
  return Object.fromEntries(entries.map(([key, item]) => {
    return [random.below(rarity * 2) === 0 ? "__proto__" : key, mutate(item, random, rarity)];
  }));
}

const KINDS: readonly (readonly [unknown, (bytes: Uint8Array) => unknown])[] = [
  [MANIFEST, (bytes) => parseDocument(bytes, "", "fuzz")],
  [INDEX, (bytes) => parseDocument(bytes, INDEX.mediaType, "fuzz")],
  [INDEX, (bytes) => parseLayoutIndex(bytes, "fuzz")],
  [CONFIG, (bytes) => parseImageConfig(bytes, "fuzz")],
  [ARTIFACT, (bytes) => parseArtifact(bytes, DIGEST, "fuzz")],
];

/** Mutated manifests, indexes, layout indexes, configs and artifacts. */
export const documentsFuzz: FuzzTarget = {
  name: "documents",
  prepare: () => (random) => {
    const [template, parse] = KINDS[random.below(KINDS.length)]!;
    const bytes = new TextEncoder().encode(JSON.stringify(mutate(template, random, 30)) ?? "");
    if (random.below(4) === 0 && bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    try {
      parse(bytes);
      return { accepted: true };
    } catch (error) {
      assert(error instanceof ClipError, `${error}\n${new TextDecoder().decode(bytes)}`);
      assert(!/\p{Cc}|\p{Cf}/u.test(error.message), JSON.stringify(error.message));
      return { accepted: false };
    }
  },
};
