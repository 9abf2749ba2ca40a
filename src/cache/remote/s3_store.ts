import { describeStorageUrl, type Environment, S3Bucket, s3ErrorCode } from "../../storage/mod.ts";
import { boundedFetch, type BoundedRequest, statusError } from "./bounded_fetch.ts";
import type { ContentStore } from "./content_store.ts";

/**
 * Values as objects `<path>/<key>` of a bucket.
 * @throws {UsageError} for a URL that {@linkcode S3Bucket} does not take.
 */
export function openS3Store(url: URL, env: Environment): ContentStore {
  return new S3Store(new S3Bucket(url, env, "remote cache"));
}

class S3Store implements ContentStore {
  readonly description: string;
  #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
    this.description = bucket.description;
  }

  async get(key: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { status, body, request } = await this.#send("GET", key, { maxBytes, signal });
    if (status === 200) return body;
    if (status === 404) {
      if (s3ErrorCode(body) === "NoSuchBucket") throw statusError(request, status, "NoSuchBucket");
      return undefined;
    }
    // Who may not list a bucket is not told that an object is absent, but that access is denied.
    if (status === 403 && s3ErrorCode(body) === "AccessDenied") return undefined;
    throw this.#error(request, status, s3ErrorCode(body));
  }

  async has(key: string, signal: AbortSignal): Promise<boolean> {
    const { status, request } = await this.#send("HEAD", key, { maxBytes: 0, signal });
    if (status === 200) return true;
    // As for GET; a HEAD has no code, and should the login be wrong, the PUT that follows says so.
    if (status === 404 || status === 403) return false;
    throw this.#error(request, status, "");
  }

  async put(key: string, value: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    const { status, body, request } = await this.#send("PUT", key, { maxBytes: 64 * 1024, signal, body: value });
    if (status !== 200) throw this.#error(request, status, s3ErrorCode(body));
  }

  async #send(
    method: BoundedRequest["method"],
    key: string,
    rest: Pick<BoundedRequest, "maxBytes" | "signal"> & { body?: Uint8Array<ArrayBuffer> },
  ): Promise<{ status: number; body: Uint8Array<ArrayBuffer>; request: BoundedRequest }> {
    const { path } = this.#bucket;
    const url = this.#bucket.objectUrl(path === "" ? key : `${path}/${key}`);
    const headers = await this.#bucket.sign(method, url, { body: rest.body });
    const request = { method, url, description: describeStorageUrl(url), headers, ...rest };
    return { ...await boundedFetch(request), request };
  }

  #error(request: BoundedRequest, status: number, code: string): Error {
    if (status === 400 || status === 403) this.#bucket.forgetCredentials();
    return statusError(request, /^(InvalidAccessKeyId|ExpiredToken|InvalidToken)$/.test(code) ? 403 : status, code);
  }

  async close(): Promise<void> {}
}
