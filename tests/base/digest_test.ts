import assert from "node:assert/strict";
import {
  CorruptError,
  digestAlgorithm,
  Digester,
  digestHex,
  DigestMismatchError,
  isDigest,
  parseDigest,
  sha256,
  sha256Bytes,
  verifyDigest,
} from "../../src/base/mod.ts";

const EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC = new TextEncoder().encode("abc");
// Source: FIPS 180-4, the examples of one block.
const ABC_256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const ABC_512 = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
const PLACE = { subject: "manifest", field: "layers[0].digest", source: "some.json" };

Deno.test("digests of known bytes", () => {
  assert.equal(sha256(new Uint8Array(0)), EMPTY);
  assert.equal(sha256(ABC), ABC_256);
  assert.equal(`sha256:${[...sha256Bytes(ABC)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`, ABC_256);
  assert.equal(sha256Bytes(ABC).length, 32);
});

Deno.test("a running digest is that of the pieces joined", () => {
  for (const [algorithm, expected] of [[undefined, ABC_256], ["sha256", ABC_256], ["sha512", ABC_512]] as const) {
    const digester = new Digester(algorithm);
    const piece = new Uint8Array(1);
    for (const byte of ABC) {
      piece[0] = byte; // the same array again: it was not kept
      digester.update(piece);
    }
    digester.update(new Uint8Array(0));
    assert.equal(digester.digest(), expected);
  }
});

Deno.test("well-formed digests are taken apart", () => {
  for (const text of [ABC_256, ABC_512]) {
    assert.ok(isDigest(text));
    const digest = parseDigest(text, PLACE);
    assert.equal(`${digestAlgorithm(digest)}:${digestHex(digest)}`, text);
  }
});

Deno.test("anything else is refused, with where it was and what it was", () => {
  const hex = ABC_256.slice("sha256:".length);
  const wrong: unknown[] = [
    undefined,
    null,
    7,
    {},
    [ABC_256],
    "",
    "sha256",
    "sha256:",
    hex,
    `sha256:${hex.slice(1)}`,
    `sha256:${hex}0`,
    `sha256:${hex.toUpperCase()}`,
    `sha512:${hex}`,
    `SHA256:${hex}`,
    `md5:${hex.slice(32)}`,
    `sha256:${hex}\n`,
    ` sha256:${hex}`,
    `sha256:../../etc/passwd`,
    `constructor:${hex}`,
    `sha256:${"g".repeat(64)}`,
  ];
  for (const value of wrong) {
    assert.ok(!isDigest(value), String(value));
    assert.throws(() => parseDigest(value, PLACE), (error) => {
      assert.ok(error instanceof CorruptError);
      assert.match(error.message, /^manifest some\.json: bad layers\[0\]\.digest: found .+, expected sha256:<64 hex/);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
  assert.throws(
    () => parseDigest("x".repeat(1e6), PLACE),
    (error) => error instanceof Error && error.message.length < 400,
  );
});

Deno.test("verifyDigest accepts the bytes promised and no others", () => {
  for (const text of [ABC_256, ABC_512]) {
    const digest = parseDigest(text, PLACE);
    verifyDigest(ABC, digest, "layer 3");
    assert.throws(() => verifyDigest(new Uint8Array(3), digest, "layer 3"), (error) => {
      assert.ok(error instanceof DigestMismatchError);
      assert.equal(error.code, "digest_mismatch");
      assert.equal(error.digest, text);
      assert.equal(error.message, `layer 3: digest mismatch: found ${error.actual}, expected ${text}`);
      return true;
    });
  }
});
