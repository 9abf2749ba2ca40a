/** Content digests as OCI writes them: `sha256:` and 64 lower-case hex digits, or `sha512:` and 128. */
import { createHash, type Hash } from "node:crypto";
import { describeValue } from "./describe_value.ts";
import { CorruptError, DigestMismatchError } from "./errors.ts";

/** `algorithm:hex`, checked. Source: OCI image-spec descriptor.md, "Digests". */
export type Digest = string & { readonly __digest: unique symbol };

const HEX_LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/**
 * `text` as a digest.
 * @throws {CorruptError} when it is not one; `place` names the field it came from.
 */
export function parseDigest(text: unknown, place: { subject: string; field: string; source?: string }): Digest {
  if (!isDigest(text)) {
    const expected = "sha256:<64 hex digits> or sha512:<128 hex digits>";
    throw new CorruptError({ ...place, actual: describeValue(text), expected });
  }
  return text;
}

/** Whether `text` is a well-formed digest of an algorithm that clip knows. */
export function isDigest(text: unknown): text is Digest {
  if (typeof text !== "string") return false;
  const match = /^(sha256|sha512):([0-9a-f]+)$/.exec(text);
  return match !== null && match[2]!.length === HEX_LENGTHS[match[1]!];
}

/** The part before the colon: `sha256` or `sha512`. */
export function digestAlgorithm(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}

/** The part after the colon. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Enough of a digest for people: its first twelve hex digits. */
export function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

/** The sha256 digest of `bytes`. */
export function sha256(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** The 32 raw bytes of the sha256 of `bytes`. */
export function sha256Bytes(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** A running digest: `update` with each piece, then `digest` once. */
export class Digester {
  #algorithm: string;
  #hash: Hash;

  /** Nothing added yet. @param algorithm `"sha256"` or `"sha512"`. */
  constructor(algorithm = "sha256") {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Adds `bytes`, which may be reused by the caller afterwards. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** The digest of all the bytes added. To be called once. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}` as Digest;
  }
}

/** Returns if `bytes` have `digest`. @throws {DigestMismatchError} if not; `source` says what they are. */
export function verifyDigest(bytes: Uint8Array, digest: Digest, source: string): void {
  const digester = new Digester(digestAlgorithm(digest));
  digester.update(bytes);
  const actual = digester.digest();
  if (actual !== digest) throw new DigestMismatchError(source, { digest, actual });
}
