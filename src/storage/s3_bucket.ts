import { createHash } from "node:crypto";
import { UsageError } from "../base/mod.ts";
import type { Environment } from "./environment.ts";
import { nonEmpty, readS3Credentials, type S3Credentials } from "./s3_credentials.ts";
import { describeStorageUrl, parseStorageUrl, refuseParts, type UrlSubject } from "./storage_url.ts";

const EMPTY_SHA256 = createHash("sha256").digest("hex");

/**
 * A bucket of S3, or of anything that speaks its protocol with signatures of version 4, and what is in it under a path:
 * `s3://bucket/path?region=…&endpoint=…`. What the URL does not say comes from the environment, as for AWS's own tools:
 * `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_DEFAULT_REGION`, and the credentials. With an endpoint
 * the bucket is a part of the path, else of the host name.
 */
export class S3Bucket {
  /** Without credentials, for messages. */
  readonly description: string;
  /** What the URL says after the bucket, decoded, without slashes at its ends. */
  readonly path: string;
  readonly #base: URL;
  readonly #region: string;
  readonly #env: Environment;
  #credentials: Promise<S3Credentials> | undefined;

  /**
   * Sends nothing.
   * @throws {UsageError} for a URL with credentials, which would be seen, or with other queries.
   */
  constructor(url: URL, env: Environment, subject: UrlSubject) {
    refuseParts(url, subject, { credentials: "credentials are not taken from here; set AWS_ACCESS_KEY_ID and so on" });
    for (const name of url.searchParams.keys()) {
      if (name === "region" || name === "endpoint") continue;
      throw new UsageError(`${subject} ${describeStorageUrl(url)}: of a query, only region and endpoint are known`);
    }
    const asked = (name: string) => nonEmpty(url.searchParams.get(name) ?? undefined);
    const region = asked("region") ?? nonEmpty(env("AWS_REGION")) ?? nonEmpty(env("AWS_DEFAULT_REGION")) ?? "us-east-1";
    const endpoint = asked("endpoint") ?? nonEmpty(env("AWS_ENDPOINT_URL_S3")) ?? nonEmpty(env("AWS_ENDPOINT_URL"));
    const bucket = url.hostname;
    const encoded = url.pathname.replace(/^\/+|\/+$/g, "");
    try {
      this.path = decodeURIComponent(encoded);
    } catch {
      throw new UsageError(`${subject} ${describeStorageUrl(url)}: its path is not percent-encoded as it should be`);
    }
    this.#base = bucketUrl({ bucket, region, endpoint, subject });
    this.#region = region;
    this.#env = env;
    const place = endpoint === undefined ? "" : ` at ${this.#base.host}`;
    this.description = `s3://${bucket}${encoded === "" ? "" : `/${encoded}`}${place}`;
  }

  /** Where an object is. `key`: its name in the bucket, decoded. */
  objectUrl(key: string): URL {
    const url = new URL(this.#base);
    url.pathname += key.split("/").map(encodeURIComponent).join("/");
    return url;
  }

  /**
   * The headers of a request, signed. @param headers What else it has.
   * @throws {ClipError} `denied` where there are no credentials.
   */
  async sign(
    method: string,
    url: URL,
    { body, headers = {} }: { body?: Uint8Array<ArrayBuffer> | undefined; headers?: Record<string, string> } = {},
  ): Promise<Headers> {
    this.#credentials ??= readS3Credentials(this.#env);
    this.#credentials.catch(() => this.#credentials = undefined);
    const [credentials, { AwsV4Signer }] = await Promise.all([this.#credentials, import("aws4fetch")]);
    const sha256 = body === undefined ? EMPTY_SHA256 : createHash("sha256").update(body).digest("hex");
    const all = { ...headers, "x-amz-content-sha256": sha256 };
    const signing = { service: "s3", region: this.#region, ...credentials };
    return (await new AwsV4Signer({ method, url: url.href, headers: all, ...signing }).sign()).headers;
  }

  /** Has the credentials read again: temporary ones expire, and whoever made them writes new ones to the file. */
  forgetCredentials(): void {
    this.#credentials = undefined;
  }
}

/** The `<Code>` of an error document of S3; empty where there is none. */
export function s3ErrorCode(body: Uint8Array): string {
  return /<Code>([A-Za-z.]{1,100})<\/Code>/.exec(new TextDecoder().decode(body))?.[1] ?? "";
}

/** Where a bucket's objects are; ends in a slash. @throws {UsageError} for an endpoint that is not http. */
function bucketUrl(
  { bucket, region, endpoint, subject }: {
    bucket: string;
    region: string;
    endpoint: string | undefined;
    subject: UrlSubject;
  },
): URL {
  if (endpoint === undefined) {
    const host = `s3.${region}.amazonaws.com`;
    // A certificate for *.s3… covers no further dots.
    return new URL(bucket.includes(".") ? `https://${host}/${bucket}/` : `https://${bucket}.${host}/`);
  }
  const base = parseStorageUrl(endpoint, subject);
  if (!/^https?:$/.test(base.protocol) || base.hostname === "" || base.username !== "" || base.password !== "") {
    throw new UsageError(
      `the S3 endpoint ${describeStorageUrl(base)} is not an http:// or https:// URL without a user`,
    );
  }
  return new URL(`${base.origin}${base.pathname.replace(/\/*$/, "")}/${bucket}/`);
}
