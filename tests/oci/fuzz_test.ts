import assert from "node:assert/strict";
import { ClipError, type Digest, sha256 } from "../../src/base/mod.ts";
import { parseImageConfig } from "../../src/oci/image_config.ts";
import { parseDocument, parseLayoutIndex } from "../../src/oci/manifest.ts";

/** mulberry32: the same numbers for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
  };
}

const DIGEST = sha256(new Uint8Array()) as Digest;
const DESCRIPTOR = {
  mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
  digest: DIGEST,
  size: 5,
  annotations: { "org.opencontainers.image.ref.name": "x" },
};
const MANIFEST = {
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
function mutate(value: unknown, random: (below: number) => number, rarity: number): unknown {
  if (random(rarity) === 0) return STRANGE[random(STRANGE.length)];
  if (Array.isArray(value)) return value.map((item) => mutate(item, random, rarity));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(() => random(rarity) !== 0);
  return Object.fromEntries(entries.map(([key, item]) => {
    return [random(rarity * 2) === 0 ? "__proto__" : key, mutate(item, random, rarity)];
  }));
}

Deno.test("values nested a million deep are refused in one line, wherever they are", () => {
  const deep = (before: string, after = "") => `${before}${"[".repeat(1e6)}${"]".repeat(1e6)}${after}`;
  const manifest = deep(`{"schemaVersion":2,"mediaType":"${MANIFEST.mediaType}","config":`, "}");
  for (const text of [deep(""), deep('{"schemaVersion":', "}"), manifest, manifest.replace('"config":', '"layers":')]) {
    assert.throws(() => parseDocument(new TextEncoder().encode(text), "", "fuzz"), (error) => {
      assert(error instanceof ClipError && error.code === "corrupt", String(error));
      return !error.message.includes("\n") && error.message.length < 1000;
    });
  }
});

const RUNS = 4000;

for (
  const [name, template, parse] of [
    ["manifests", MANIFEST, (bytes: Uint8Array) => parseDocument(bytes, "", "fuzz")],
    ["indexes", INDEX, (bytes: Uint8Array) => parseDocument(bytes, INDEX.mediaType, "fuzz")],
    ["layout indexes", INDEX, (bytes: Uint8Array) => parseLayoutIndex(bytes, "fuzz")],
    ["configs", CONFIG, (bytes: Uint8Array) => parseImageConfig(bytes, "fuzz")],
  ] as const
) {
  Deno.test(`mutated ${name} parse or fail with a ClipError of one printable line`, () => {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
    // deno-lint-ignore no-console -- so that a failure can be repeated
    console.log(`seed ${seed}`);
    const random = generator(seed);
    let failures = 0;
    for (let run = 0; run < RUNS; run++) {
      const bytes = new TextEncoder().encode(JSON.stringify(mutate(template, random, 30)) ?? "");
      if (random(4) === 0 && bytes.length > 0) bytes[random(bytes.length)] = random(256);
      try {
        parse(bytes);
      } catch (error) {
        failures++;
        assert(error instanceof ClipError, `seed ${seed}, run ${run}: ${error}\n${new TextDecoder().decode(bytes)}`);
        assert(
          !/\p{Cc}|\p{Cf}/u.test(error.message),
          `seed ${seed}, run ${run}: ${JSON.stringify(error.message)}`,
        );
      }
    }
    assert(failures > RUNS / 10 && failures < RUNS, `${failures} of ${RUNS} failed`);
  });
}
