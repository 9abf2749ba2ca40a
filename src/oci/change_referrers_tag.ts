import { ClipError, type Digest, isDigest, sleep } from "../base/mod.ts";
import { storedDescriptor, type Subject } from "./artifact.ts";
import { RegistryError } from "./errors.ts";
import { MANIFEST_ACCEPT, MediaType } from "./media_types.ts";
import { pushManifest } from "./push_manifest.ts";
import { readReferrersTag, referrersTag } from "./referrers.ts";
import type { RepositoryClient } from "./registry_client.ts";

const MAX_TRIES = 16;
/** Who read the list before it was changed here writes it within this, mostly. */
const SETTLE_MS = 300;

/** An artifact as the list names it. */
export interface ListedArtifact extends Subject {
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A change to the list. */
export type ReferrersChange = { readonly add: ListedArtifact } | { readonly remove: Digest };

/**
 * Has the list that is kept under a tag name an artifact, or name it no more; what others put there stays as it is.
 *
 * Registries that keep no list have mostly no conditional writes either, so that who pushes at the same time can undo
 * the change with what he read before. Hence it is looked at again after a while, and made anew where it is gone.
 * @throws {ClipError} `registry` where others undo it again and again.
 */
export async function changeReferrersTag(
  client: RepositoryClient,
  subject: Digest,
  change: ReferrersChange,
  signal?: AbortSignal,
): Promise<void> {
  const name = referrersTag(subject);
  const digest = "add" in change ? change.add.digest : change.remove;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const { index, bytes, etag } = await readReferrersTag(client, subject, { signal, access: "push" });
    const isNamed = index?.entries.some((entry) => entry.digest === digest) ?? false;
    if (isNamed === ("add" in change)) return;
    const stored: readonly Entry[] = index === undefined ? [] : JSON.parse(new TextDecoder().decode(bytes)).manifests;
    const others = stored.filter((entry) => entry["digest"] !== digest);
    const added = "add" in change ? [storedDescriptor(change.add)] : [];
    const options = { mediaType: MediaType.ociIndex, name, replaces: etag ?? null, signal };
    try {
      await pushManifest(client, indexOf([...others, ...added]), options);
    } catch (error) {
      // What the list names may have been collected as garbage, and some registries take no index that names it then.
      if (!(error instanceof RegistryError) || (error.status !== 400 && error.status !== 404)) throw error;
      const present = await onlyPresent(client, others, signal);
      if (present.length === others.length) throw error;
      await pushManifest(client, indexOf([...present, ...added]), options);
    }
    await sleep(SETTLE_MS * (1 + Math.random()), signal);
  }
  const problem = `others change the list under the tag ${name} faster than it can be added to`;
  throw new ClipError("registry", `${client.name}: ${problem}`);
}

/** A descriptor as it was found. */
type Entry = Readonly<Record<string, unknown>>;

function indexOf(manifests: readonly Entry[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }),
  ) as Uint8Array<ArrayBuffer>;
}

async function onlyPresent(
  client: RepositoryClient,
  entries: readonly Entry[],
  signal: AbortSignal | undefined,
): Promise<Entry[]> {
  const present: Entry[] = [];
  for (const entry of entries) {
    if (isDigest(entry["digest"]) && await hasManifest(client, entry["digest"], signal)) present.push(entry);
  }
  return present;
}

/** Whether the repository holds a manifest. @throws {RegistryError} */
async function hasManifest(
  client: RepositoryClient,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const path = `manifests/${digest}`;
  const request = {
    method: "HEAD",
    path,
    access: "push",
    headers: { accept: MANIFEST_ACCEPT },
    expected: [200, 404],
    signal,
  } as const;
  return await client.retry(async () => {
    const response = await client.open(request);
    response.close();
    return response.status === 200;
  }, signal);
}
