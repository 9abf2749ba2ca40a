import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Buffer } from "node:buffer";
import { ClipError, CorruptError, type Digest, digestAlgorithm, digestHex, sha256, UsageError } from "../base/mod.ts";
import type { Artifact, ArtifactRepository, Descriptor } from "../oci/mod.ts";

const PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE = "dev.cosignproject.cosign/signature";
const MAX_PAYLOAD_BYTES = 64 * 1024;
const MAX_KEY_BYTES = 64 * 1024;
/** OpenSSL's name of the curve, and the one that Deno 2.4 gives it. */
const P256_NAMES: readonly string[] = ["prime256v1", "p256"];

/** A public key that signatures are checked against. */
export interface SigningKey {
  /** sha256 of the key itself, whatever file it came in. */
  readonly fingerprint: Digest;
  /** The key. */
  readonly key: KeyObject;
}

/**
 * The public key in a PEM file: ECDSA on P-256, as `cosign generate-key-pair` makes them.
 * @param source What it is, for messages. @throws {UsageError}
 */
export function parseSigningKey(pem: string, source: string): SigningKey {
  const wrong = (what: string) => new UsageError(`${source} is ${what}; a cosign.pub is expected`);
  // createPublicKey takes a private key as well, which has no business here.
  if (pem.length > MAX_KEY_BYTES || !pem.includes("-----BEGIN PUBLIC KEY-----")) throw wrong("no public key in PEM");
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw wrong("no public key in PEM");
  }
  if (key.asymmetricKeyType !== "ec" || !P256_NAMES.includes(key.asymmetricKeyDetails?.namedCurve ?? "")) {
    throw wrong("a key of another kind than ECDSA on P-256");
  }
  return { fingerprint: sha256(key.export({ type: "spki", format: "der" })), key };
}

/**
 * Checks that an artifact was signed with a key, as `cosign sign --key` does: under the tag `sha256-<hex>.sig` lie
 * statements with the digest of the artifact's manifest, each with its signature. Transparency logs are not asked.
 * @throws {ClipError} `denied` where none of them is signed with the key. Source: cosign's SIGNATURE_SPEC.md.
 */
export async function verifySignature(
  { digest }: Pick<Artifact, "digest">,
  repository: ArtifactRepository,
  { key, fingerprint }: SigningKey,
): Promise<void> {
  const tag = `${digestAlgorithm(digest)}-${digestHex(digest)}.sig`;
  const signatures = await repository.read(tag);
  for (const blob of signatures?.blobs ?? []) {
    if (blob.mediaType !== PAYLOAD_TYPE || blob.sizeBytes > MAX_PAYLOAD_BYTES) continue;
    const payload = await repository.blob(blob, `signed statement ${blob.digest} of ${repository.name}`);
    if (isSignedWith(key, payload, blob) && statedDigest(payload, `${repository.name}:${tag}`) === digest) return;
  }
  const found = signatures === undefined ? "it is not signed" : "no signature of it is by that key";
  throw new ClipError("denied", `${repository.name}@${digest}: wanted is the key ${fingerprint}, but ${found}`);
}

function isSignedWith(key: KeyObject, payload: Uint8Array, { annotations }: Descriptor): boolean {
  const signature = Buffer.from(annotations[SIGNATURE] ?? "", "base64");
  try {
    return signature.length > 0 && verify("sha256", payload, key, signature);
  } catch {
    // What is no signature at all is one of nobody.
    return false;
  }
}

/** The digest that a signed statement is about. */
function statedDigest(payload: Uint8Array, source: string): unknown {
  try {
    const { critical } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    return critical.image["docker-manifest-digest"];
  } catch {
    throw new CorruptError({ subject: "signed statement", source, field: "critical.image" });
  }
}
