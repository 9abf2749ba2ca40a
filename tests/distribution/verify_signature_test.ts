import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { type Digest, sha256, UsageError } from "../../src/base/mod.ts";
import { parseSigningKey, verifySignature } from "../../src/distribution/mod.ts";
import { ArtifactRepository } from "../../src/oci/mod.ts";
import { type FakeRegistry, startFakeRegistry } from "../oci/fake_registry.ts";
import { failure, quickOptions } from "../oci/test_support.ts";

const { test } = Deno;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json";

/** What cosign 2.4.1 made: `cosign generate-key-pair` and `cosign sign --key cosign.key --tlog-upload=false`. */
const COSIGN = {
  key: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEv29/qYuIQiu4PZfOR9NoxKlPHcIA
XFiwam4pmAKvLjLeYfIP63WS0MF9t1xqG9zjIkOQ94EmktKbvSI7l97H0w==
-----END PUBLIC KEY-----
`,
  digest: "sha256:db846212d40adbb2b66ddc456a7389d0a5200e0f10c341689452667bcb6f1ca9" as Digest,
  payload:
    '{"critical":{"identity":{"docker-reference":"127.0.0.1:5791/test/image"},"image":{"docker-manifest-digest":' +
    '"sha256:db846212d40adbb2b66ddc456a7389d0a5200e0f10c341689452667bcb6f1ca9"},' +
    '"type":"cosign container image signature"},"optional":null}',
  signature: "MEYCIQD9m37mBmPav6EF/JFyXygg0IB8ywqvToLXhwoBac4d+AIhAMvzo+Ru8nNcbylZFbS+pcQyK/wCAiR4bkDDHyU1cG8t",
};

interface Statement {
  readonly payload: string;
  readonly signature: string;
  readonly mediaType?: string;
}

/** Puts statements beside the artifact of this digest. */
function plant(registry: FakeRegistry, digest: Digest, statements: readonly Statement[]): void {
  const layers = statements.map(({ payload, signature, mediaType = PAYLOAD }) => {
    const bytes = new Uint8Array(new TextEncoder().encode(payload));
    const annotations = { "dev.cosignproject.cosign/signature": signature };
    return { mediaType, digest: registry.addBlob(bytes), size: bytes.length, annotations };
  });
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha256(new Uint8Array(1)), size: 1 };
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers };
  registry.addManifest(manifest, MANIFEST, `${digest.replace(":", "-")}.sig`);
}

async function withRegistry(
  work: (registry: FakeRegistry, check: (digest: Digest, pem: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const registry = startFakeRegistry();
  const repository = new ArtifactRepository({ registry: registry.host, repository: "test/image" }, quickOptions());
  try {
    await work(registry, (digest, pem) => verifySignature({ digest }, repository, parseSigningKey(pem, "key.pub")));
  } finally {
    repository.close();
    await registry.stop();
  }
}

function newKey(namedCurve = "prime256v1") {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
  const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
  return { pem, sign: (text: string) => sign("sha256", new TextEncoder().encode(text), privateKey).toString("base64") };
}

test("a signature that cosign made, and everything that is none", () =>
  withRegistry(async (registry, check) => {
    const { key, digest, payload, signature } = COSIGN;
    const own = newKey();
    const mine = { payload, signature: own.sign(payload) };
    const refused = async (statements: readonly Statement[], pem = key) => {
      plant(registry, digest, statements);
      return (await failure(() => check(digest, pem), "denied")).message;
    };
    assert.match(
      (await failure(() => check(digest, key), "denied")).message,
      /the key sha256:\w+, but it is not signed$/,
    );
    plant(registry, digest, [COSIGN]);
    await check(digest, key);
    assert.match(await refused([COSIGN], own.pem), /no signature of it is by that key$/);
    await refused([]);
    await refused([mine]);
    await refused([{ payload, signature: "" }]);
    await refused([{ payload, signature: "bm90IGEgc2lnbmF0dXJl" }]);
    await refused([{ payload: `${payload} `, signature }]);
    await refused([{ payload, signature, mediaType: "text/plain" }]);
    plant(registry, digest, [mine, COSIGN]);
    await check(digest, key);
    await check(digest, own.pem);
    // Signed, but another artifact: as if the tag of one had been set on another.
    const other = sha256(new Uint8Array([7]));
    plant(registry, other, [COSIGN]);
    assert.match((await failure(() => check(other, key), "denied")).message, /no signature of it/);
    const odd = "{}";
    plant(registry, other, [{ payload: odd, signature: own.sign(odd) }]);
    assert.match((await failure(() => check(other, own.pem), "corrupt")).message, /signed statement .*critical\.image/);
  }));

test("keys: the text around them does not count; others than cosign's are refused", () => {
  const { pem } = newKey();
  const { fingerprint } = parseSigningKey(pem, "key.pub");
  assert.equal(parseSigningKey(`a note\n${pem.replaceAll("\n", "\r\n")}`, "key.pub").fingerprint, fingerprint);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "pem" });
  const wrong = [
    "",
    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    rsa as string,
    newKey("secp384r1").pem,
    `${pem}${" ".repeat(70_000)}`,
  ];
  for (const text of wrong) assert.throws(() => parseSigningKey(text, "key.pub"), UsageError);
});
