/** What belongs to a manifest. Source: OCI distribution-spec, "Listing Referrers", "Referrers Tag Schema". */
import { ClipError, type Digest, digestAlgorithm, digestHex, sha256 } from "../base/mod.ts";
import type { Descriptor } from "./descriptor.ts";
import type { HttpResponse } from "./http_exchange.ts";
import { type Index, MAX_MANIFEST_BYTES, parseLayoutIndex } from "./manifest.ts";
import { bareMediaType, MediaType } from "./media_types.ts";
import type { RepositoryClient } from "./registry_client.ts";

const MAX_PAGES = 32;
const MAX_REFERRERS = 4096;
/** By these a registry says that it has no such list. */
const NO_LIST: readonly number[] = [400, 404, 405, 501];

/** What a registry knows of what belongs to a manifest. */
export interface Referrers {
  /** Those of the type that was asked for, in the registry's order. */
  readonly entries: readonly Descriptor[];
  /** `api`: the registry keeps the list; `tag`: those who push do, in an index with a tag of its own. */
  readonly kept: "api" | "tag";
}

/** The tag under which the list is kept where the registry does not. */
export function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject).slice(0, 32)}-${digestHex(subject).slice(0, 64)}`;
}

/**
 * The artifacts of one type that belong to a manifest. What the list says of them is only looked at, not believed.
 * @throws {ClipError} `limit` for a list beyond 8 MiB a page, 32 pages or 4096 entries; `corrupt`; {RegistryError}.
 */
export async function listReferrers(
  client: RepositoryClient,
  subject: Digest,
  artifactType: string,
  signal?: AbortSignal,
): Promise<Referrers> {
  const ofType = (entries: readonly Descriptor[]) => entries.filter((entry) => entry.artifactType === artifactType);
  const listed = await readList(client, subject, artifactType, signal);
  if (listed !== undefined) return { entries: ofType(listed), kept: "api" };
  const { index } = await readReferrersTag(client, subject, { signal });
  return { entries: ofType(index?.entries ?? []), kept: "tag" };
}

/** All pages of the registry's list; undefined where it keeps none. */
async function readList(
  client: RepositoryClient,
  subject: Digest,
  artifactType: string,
  signal: AbortSignal | undefined,
): Promise<readonly Descriptor[] | undefined> {
  const first = `referrers/${subject}?artifactType=${encodeURIComponent(artifactType)}`;
  const entries: Descriptor[] = [];
  let path: string | URL | undefined = first;
  for (let pages = 0; path !== undefined; pages++) {
    const at: string | URL = path;
    if (pages === MAX_PAGES) throw tooMany(client, subject, `${MAX_PAGES} pages`);
    const page: ListPage | undefined = await client.retry(() => readPage(client, at, pages === 0, signal), signal);
    if (page === undefined) return undefined;
    entries.push(...page.index.entries);
    if (entries.length > MAX_REFERRERS) throw tooMany(client, subject, `${MAX_REFERRERS} artifacts`);
    path = page.next;
  }
  return entries;
}

interface ListPage {
  readonly index: Index;
  readonly next: URL | undefined;
}

async function readPage(
  client: RepositoryClient,
  path: string | URL,
  isFirst: boolean,
  signal: AbortSignal | undefined,
): Promise<ListPage | undefined> {
  const expected = isFirst ? [200, ...NO_LIST] : [200];
  const response = await client.open({ path, headers: { accept: MediaType.ociIndex }, expected, signal });
  try {
    // Some answer everything with a page for people.
    const isIndex = bareMediaType(response.headers.get("content-type")) === MediaType.ociIndex;
    if (isFirst && (response.status !== 200 || !isIndex)) return undefined;
    const bytes = await response.readAll(MAX_MANIFEST_BYTES);
    return { index: parseLayoutIndex(bytes, response.redactedUrl), next: nextPage(response) };
  } finally {
    response.close();
  }
}

/** Where the next page is, by a Link header. Source: RFC 8288; distribution-spec, "Listing Referrers". */
function nextPage(response: HttpResponse): URL | undefined {
  const match = /^\s*<([^>]{1,4096})>\s*;\s*rel="?next"?/i.exec(response.headers.get("link") ?? "");
  if (match === null) return undefined;
  const here = new URL(response.redactedUrl.replace(/\?.*$/, ""));
  const next = URL.canParse(match[1]!, here.href) ? new URL(match[1]!, here) : undefined;
  if (next?.origin === here.origin && next.pathname === here.pathname) return next;
  throw response.error("a list that goes on somewhere else");
}

/** The index that is kept under the tag. */
export interface TaggedReferrers {
  /** Undefined where there is none. */
  readonly index: Index | undefined;
  /** As it is stored; empty where there is none. */
  readonly bytes: Uint8Array;
  /** By which the registry can tell whether it was changed since; undefined where there is none. */
  readonly etag: string | undefined;
}

/**
 * The list that those who push keep. @throws as {@linkcode listReferrers}.
 * @param access `push` for who is going to change it: then the registry itself is asked, as who may push.
 */
export async function readReferrersTag(
  client: RepositoryClient,
  subject: Digest,
  { signal, access = "pull" }: { signal?: AbortSignal | undefined; access?: "pull" | "push" } = {},
): Promise<TaggedReferrers> {
  const path = `manifests/${referrersTag(subject)}`;
  return await client.retry(async () => {
    const headers = { accept: MediaType.ociIndex };
    const response = await client.open({ path, access, headers, expected: [200, 404], signal });
    try {
      if (response.status === 404) return { index: undefined, bytes: new Uint8Array(0), etag: undefined };
      const bytes = await response.readAll(MAX_MANIFEST_BYTES);
      const etag = response.headers.get("etag") ?? `"${sha256(bytes)}"`;
      return { index: parseLayoutIndex(bytes, response.redactedUrl), bytes, etag };
    } finally {
      response.close();
    }
  }, signal);
}

function tooMany(client: RepositoryClient, subject: Digest, most: string): ClipError {
  return new ClipError("limit", `${client.name}: the list of what belongs to ${subject} has more than ${most}`);
}
