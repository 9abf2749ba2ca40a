import { sha256 } from "../base/mod.ts";
import type { RepositoryClient } from "./registry_client.ts";

/** What a registry said to a manifest. */
export interface PushedManifest {
  /** Whether it keeps the list of what belongs to the manifest's subject itself. */
  readonly keepsReferrers: boolean;
  /** False where it is another by now than `replaces` said. */
  readonly stored: boolean;
}

/** How a manifest is stored. */
export interface PushManifestOptions {
  /** Its media type. */
  readonly mediaType: string;
  /** A tag, or its digest; default its digest. */
  readonly name?: string | undefined;
  /** What is to be replaced by it, as an ETag; `null`: nothing may be there. Registries need not heed it. */
  readonly replaces?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Stores a manifest; all that it names has to be there. @throws {RegistryError} @throws the reason of the signal.
 * Source: OCI distribution-spec, "Pushing Manifests", "Pushing Manifests with Subject".
 */
export async function pushManifest(
  client: RepositoryClient,
  bytes: Uint8Array<ArrayBuffer>,
  { mediaType, name, replaces, signal }: PushManifestOptions,
): Promise<PushedManifest> {
  const digest = sha256(bytes);
  const condition: Record<string, string> = replaces === undefined
    ? {}
    : replaces === null
    ? { "if-none-match": "*" }
    : { "if-match": replaces };
  return await client.retry(async () => {
    const response = await client.open({
      method: "PUT",
      path: `manifests/${name ?? digest}`,
      access: "push",
      headers: { "content-type": mediaType, ...condition },
      body: bytes,
      expected: replaces === undefined ? [200, 201, 202] : [200, 201, 202, 412],
      signal,
    });
    response.close();
    if (response.status === 412) return { keepsReferrers: false, stored: false };
    const stated = response.headers.get("docker-content-digest");
    if (stated !== null && stated !== digest) throw response.error(`stored as another manifest than was sent`);
    return { keepsReferrers: response.headers.has("oci-subject"), stored: true };
  }, signal);
}
