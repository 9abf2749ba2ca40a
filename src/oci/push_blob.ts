import { ClipError, type Digest, MIB, sha256 } from "../base/mod.ts";
import { RegistryError } from "./errors.ts";
import type { HttpResponse } from "./http_exchange.ts";
import type { RepositoryClient } from "./registry_client.ts";

/** Sent at one go; more in pieces of this. Proxies before registries mostly take so much, and it arrives in time. */
const PIECE_BYTES = 16 * MIB;
/** A registry may want larger pieces, but not ones that could not be held. */
const MAX_PIECE_BYTES = 256 * MIB;
const OCTETS = "application/octet-stream";

/**
 * Has the repository hold `bytes`; false where it did so before. What was sent is digested by the registry.
 * @throws {RegistryError} @throws the reason of the signal.
 * Source: OCI distribution-spec, "Pushing blobs".
 */
export async function pushBlob(
  client: RepositoryClient,
  bytes: Uint8Array<ArrayBuffer>,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  const digest = sha256(bytes);
  return await client.retry(async () => {
    if (await hasBlob(client, digest, bytes.length, signal)) return false;
    await new Upload(client, bytes, digest, signal).run();
    return true;
  }, signal);
}

async function hasBlob(
  client: RepositoryClient,
  digest: Digest,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const path = `blobs/${digest}`;
  const response = await client.open({
    method: "HEAD",
    path,
    access: "push",
    headers: {},
    expected: [200, 404],
    signal,
  });
  response.close();
  if (response.status === 404) return false;
  // Some servers in between say 0 of every answer without a body.
  const stated = Number(response.headers.get("content-length") ?? 0);
  if (stated === 0 || stated === sizeBytes) return true;
  throw response.error(`a blob of ${stated} bytes, expected ${sizeBytes}`);
}

/** One upload session. */
class Upload {
  readonly #client: RepositoryClient;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #digest: Digest;
  readonly #signal: AbortSignal | undefined;

  constructor(
    client: RepositoryClient,
    bytes: Uint8Array<ArrayBuffer>,
    digest: Digest,
    signal: AbortSignal | undefined,
  ) {
    this.#client = client;
    this.#bytes = bytes;
    this.#digest = digest;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const begun = await this.#send("POST", "blobs/uploads/", {}, new Uint8Array(0), [202]);
    let location = uploadLocation(begun);
    const asked = Number(begun.headers.get("oci-chunk-min-length") ?? 0);
    const pieceBytes = Math.max(PIECE_BYTES, Number.isSafeInteger(asked) ? asked : 0);
    if (pieceBytes > MAX_PIECE_BYTES) throw begun.error(`asks for pieces of ${asked} bytes`);
    let sentBytes = 0;
    while (this.#bytes.length - sentBytes > pieceBytes) {
      const piece = this.#bytes.subarray(sentBytes, sentBytes + pieceBytes);
      const range = `${sentBytes}-${sentBytes + piece.length - 1}`;
      const taken = await this.#send("PATCH", location, { "content-range": range }, piece, [202]);
      sentBytes += piece.length;
      const held = taken.headers.get("range");
      if (held !== null && !new RegExp(`^(bytes=)?0-${sentBytes - 1}$`).test(held.trim())) {
        throw taken.error("holds another part of an upload than was sent", { retryable: true });
      }
      location = uploadLocation(taken);
    }
    const rest = this.#bytes.subarray(sentBytes);
    const headers: Record<string, string> = sentBytes === 0
      ? {}
      : { "content-range": `${sentBytes}-${this.#bytes.length - 1}` };
    const stored = await this.#send("PUT", withDigest(location, this.#digest), headers, rest, [201]);
    const stated = stored.headers.get("docker-content-digest");
    if (stated !== null && stated !== this.#digest) {
      throw stored.error("stored other bytes than were sent", { retryable: true });
    }
  }

  async #send(
    method: "POST" | "PATCH" | "PUT",
    path: string | URL,
    headers: Record<string, string>,
    body: Uint8Array<ArrayBuffer>,
    expected: readonly number[],
  ): Promise<HttpResponse> {
    const all = { "content-type": OCTETS, ...headers };
    try {
      const signal = this.#signal;
      const response = await this.#client.open({ method, path, access: "push", headers: all, body, expected, signal });
      response.close();
      return response;
    } catch (error) {
      // A session may be lost with the server that held it: the next try begins another.
      if (!(error instanceof RegistryError) || error.status !== 404 || method === "POST") throw error;
      const { redactedUrl, status } = error;
      const problem = "the upload is not known any more";
      throw new RegistryError({ code: "registry", problem, method, redactedUrl, status, retryable: true });
    }
  }
}

/**
 * Where an upload goes on. A registry behind a proxy that ends TLS may say http of its own host; that is taken as said
 * by somebody who does not know. Any other way from https to http is refused.
 */
function uploadLocation(response: HttpResponse): URL {
  const base = new URL(response.redactedUrl.replace(/\?.*$/, ""));
  let location: URL;
  try {
    location = new URL(response.headers.get("location") ?? "", base);
  } catch {
    throw response.error("an upload that goes on at something that is not a URL");
  }
  if (!response.headers.has("location")) throw response.error("an upload without saying where it goes on");
  location.username = "";
  location.password = "";
  location.hash = "";
  if (base.protocol === "https:" && location.protocol === "http:" && location.hostname === base.hostname) {
    location.protocol = "https:";
    location.port = base.port;
  }
  const isDowngrade = base.protocol === "https:" && location.protocol !== "https:";
  if (isDowngrade || !/^https?:$/.test(location.protocol)) {
    throw new ClipError(
      "registry",
      `${response.method} ${response.redactedUrl}: an upload that would go on at ${location.protocol}//${location.host}`,
    );
  }
  return location;
}

/** As text: a signature is of the query as it is written. */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}
