import { createHash } from "node:crypto";
import { UsageError } from "../../base/mod.ts";
import { boundedFetch, type BoundedRequest, statusError } from "./bounded_fetch.ts";
import type { ContentStore, Environment } from "./content_store.ts";
import { nonEmpty, readS3Credentials, type S3Credentials } from "./s3_credentials.ts";
import { describeStoreUrl, parseStoreUrl, refuseParts } from "./store_url.ts";

const EMPTY_SHA256 = createHash("sha256").digest("hex");

/**
 * Values as objects `<prefix>/<key>` of a bucket, in S3 or anything that speaks its protocol with signatures of version
 * 4: `s3://bucket/prefix?region=…&endpoint=…`. What the URL does not say comes from the environment, as for AWS's own
 * tools: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_DEFAULT_REGION`, and the credentials. With an
 * endpoint the bucket is a part of the path, else of the host name.
 * @throws {UsageError} for a URL with credentials, which would be seen, or with other queries.
 */
export function openS3Store(url: URL, env: Environment): ContentStore {
  refuseParts(url, { credentials: "credentials are not taken from here; set AWS_ACCESS_KEY_ID and so on" });
  for (const name of url.searchParams.keys()) {
    if (name === "region" || name === "endpoint") continue;
    throw new UsageError(`remote cache ${describeStoreUrl(url)}: of a query, only region and endpoint are known`);
  }
  const asked = (name: string) => nonEmpty(url.searchParams.get(name) ?? undefined);
  const region = asked("region") ?? nonEmpty(env("AWS_REGION")) ?? nonEmpty(env("AWS_DEFAULT_REGION")) ?? "us-east-1";
  const endpoint = asked("endpoint") ?? nonEmpty(env("AWS_ENDPOINT_URL_S3")) ?? nonEmpty(env("AWS_ENDPOINT_URL"));
  const bucket = url.hostname;
  const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
  const base = bucketUrl({ bucket, region, endpoint });
  base.pathname += prefix === "" ? "" : `${prefix}/`;
  const place = endpoint === undefined ? "" : ` at ${base.host}`;
  const description = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}${place}`;
  return new S3Store({ base, region, env, description });
}

/** Where a bucket's objects are; ends in a slash. @throws {UsageError} for an endpoint that is not http. */
function bucketUrl(
  { bucket, region, endpoint }: { bucket: string; region: string; endpoint: string | undefined },
): URL {
  if (endpoint === undefined) {
    const host = `s3.${region}.amazonaws.com`;
    // A certificate for *.s3… covers no further dots.
    return new URL(bucket.includes(".") ? `https://${host}/${bucket}/` : `https://${bucket}.${host}/`);
  }
  const base = parseStoreUrl(endpoint);
  if (!/^https?:$/.test(base.protocol) || base.hostname === "" || base.username !== "" || base.password !== "") {
    throw new UsageError(`the S3 endpoint ${describeStoreUrl(base)} is not an http:// or https:// URL without a user`);
  }
  return new URL(`${base.origin}${base.pathname.replace(/\/*$/, "")}/${bucket}/`);
}

class S3Store implements ContentStore {
  readonly description: string;
  #base: URL;
  #region: string;
  #env: Environment;
  #credentials: Promise<S3Credentials> | undefined;

  constructor(options: { base: URL; region: string; env: Environment; description: string }) {
    this.#base = options.base;
    this.#region = options.region;
    this.#env = options.env;
    this.description = options.description;
  }

  async get(key: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { status, body, request } = await this.#send("GET", key, { maxBytes, signal });
    if (status === 200) return body;
    if (status === 404) {
      if (errorCode(body) === "NoSuchBucket") throw statusError(request, status, "NoSuchBucket");
      return undefined;
    }
    // Who may not list a bucket is not told that an object is absent, but that access is denied.
    if (status === 403 && errorCode(body) === "AccessDenied") return undefined;
    throw this.#error(request, status, errorCode(body));
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
    if (status !== 200) throw this.#error(request, status, errorCode(body));
  }

  async #send(
    method: BoundedRequest["method"],
    key: string,
    rest: Pick<BoundedRequest, "maxBytes" | "signal"> & { body?: Uint8Array<ArrayBuffer> },
  ): Promise<{ status: number; body: Uint8Array<ArrayBuffer>; request: BoundedRequest }> {
    const url = new URL(key, this.#base);
    const headers = await this.#sign(method, url, rest.body);
    const request = { method, url, description: describeStoreUrl(url), headers, ...rest };
    return { ...await boundedFetch(request), request };
  }

  async #sign(method: string, url: URL, body: Uint8Array<ArrayBuffer> | undefined): Promise<Headers> {
    this.#credentials ??= readS3Credentials(this.#env);
    this.#credentials.catch(() => this.#credentials = undefined);
    const [credentials, { AwsV4Signer }] = await Promise.all([this.#credentials, import("aws4fetch")]);
    const sha256 = body === undefined ? EMPTY_SHA256 : hex(await crypto.subtle.digest("SHA-256", body));
    const headers = { "x-amz-content-sha256": sha256 };
    const signing = { service: "s3", region: this.#region, ...credentials };
    return (await new AwsV4Signer({ method, url: url.href, headers, ...signing }).sign()).headers;
  }

  #error(request: BoundedRequest, status: number, code: string): Error {
    // Temporary credentials expire, and whoever made them writes new ones to the file.
    if (status === 400 || status === 403) this.#credentials = undefined;
    return statusError(request, /^(InvalidAccessKeyId|ExpiredToken|InvalidToken)$/.test(code) ? 403 : status, code);
  }

  async close(): Promise<void> {}
}

/** The `<Code>` of an error document; empty where there is none. */
function errorCode(body: Uint8Array): string {
  return /<Code>([A-Za-z.]{1,100})<\/Code>/.exec(new TextDecoder().decode(body))?.[1] ?? "";
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
