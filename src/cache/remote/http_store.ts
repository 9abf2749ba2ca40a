import { Buffer } from "node:buffer";
import { decodeCredential, describeStorageUrl, refuseParts } from "../../storage/mod.ts";
import { boundedFetch, type BoundedRequest, statusError } from "./bounded_fetch.ts";
import type { ContentStore } from "./content_store.ts";

/**
 * Values as files of a web server, GET, HEAD and PUT of `<URL>/<key>`, as nginx serves them with its DAV module. A user
 * and password in the URL are sent as Basic authorization. Redirects are not followed.
 * @throws {UsageError} for a URL with a query or a fragment.
 */
export function openHttpStore(url: URL): ContentStore {
  refuseParts(url, "remote cache", { query: true });
  const user = decodeCredential(url, "remote cache", "username") ?? "";
  const password = decodeCredential(url, "remote cache", "password") ?? "";
  const headers: Record<string, string> = {};
  if (`${user}${password}` !== "") {
    headers["authorization"] = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }
  const base = new URL(url);
  base.username = base.password = "";
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return new HttpStore(base, headers);
}

class HttpStore implements ContentStore {
  readonly description: string;
  #base: URL;
  #headers: Record<string, string>;

  constructor(base: URL, headers: Record<string, string>) {
    this.#base = base;
    this.#headers = headers;
    this.description = describeStorageUrl(base);
  }

  async get(key: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const request = this.#request("GET", key, { maxBytes, signal });
    const { status, body } = await boundedFetch(request);
    if (status === 200) return body;
    if (isAbsent(status)) return undefined;
    throw statusError(request, status);
  }

  async has(key: string, signal: AbortSignal): Promise<boolean> {
    const request = this.#request("HEAD", key, { maxBytes: 0, signal });
    const { status } = await boundedFetch(request);
    if (status === 200 || isAbsent(status)) return status === 200;
    throw statusError(request, status);
  }

  async put(key: string, value: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    const request = this.#request("PUT", key, { maxBytes: 1024, signal, body: value });
    const { status } = await boundedFetch(request);
    if (status === 200 || status === 201 || status === 204) return;
    // A server that knows no PUT takes no writes, and serves reads all the same.
    throw statusError(request, status === 405 || status === 501 ? 403 : status, status === 405 ? "no PUT" : "");
  }

  #request(
    method: BoundedRequest["method"],
    key: string,
    rest: Pick<BoundedRequest, "maxBytes" | "signal"> & { body?: Uint8Array<ArrayBuffer> },
  ): BoundedRequest {
    const url = new URL(key, this.#base);
    return { method, url, description: describeStorageUrl(url), headers: this.#headers, ...rest };
  }

  async close(): Promise<void> {}
}

function isAbsent(status: number): boolean {
  return status === 404 || status === 410;
}
