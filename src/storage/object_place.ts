import { Buffer } from "node:buffer";
import type { Environment } from "./environment.ts";
import { S3Bucket } from "./s3_bucket.ts";
import { decodeCredential, describeStorageUrl, parseStorageUrl, refuseParts } from "./storage_url.ts";
import { UsageError } from "../base/mod.ts";

/** Where an object is, and how it is asked for. */
export interface ObjectPlace {
  /** For messages; without credentials, and without a query, which may be a signature. */
  readonly description: string;
  /** Where requests go. */
  readonly url: URL;
  /** What a request has besides `headers`. @throws {ClipError} `denied` where there are no credentials. */
  sign(headers: Record<string, string>): Promise<Headers>;
  /** The credentials have been refused: whether they may have become others by now. */
  onRefused(): boolean;
}

/**
 * The object that `s3://bucket/key`, `https://…` or `http://…` names. A user and password in the latter are sent as Basic
 * authorization. @throws {UsageError} for what is no such URL; the message holds no credentials.
 */
export function objectPlace(text: string, env: Environment): ObjectPlace {
  const url = parseStorageUrl(text, "archive");
  return url.protocol === "s3:" ? s3Place(url, env) : webPlace(url);
}

function s3Place(url: URL, env: Environment): ObjectPlace {
  const bucket = new S3Bucket(url, env, "archive");
  if (bucket.path === "") throw new UsageError(`archive ${bucket.description}: names no object of the bucket`);
  const object = bucket.objectUrl(bucket.path);
  return {
    description: bucket.description,
    url: object,
    sign: (headers) => bucket.sign("GET", object, { headers }),
    onRefused: () => {
      bucket.forgetCredentials();
      return true;
    },
  };
}

function webPlace(whole: URL): ObjectPlace {
  refuseParts(whole, "archive", {});
  const user = decodeCredential(whole, "archive", "username") ?? "";
  const password = decodeCredential(whole, "archive", "password") ?? "";
  const url = new URL(whole);
  url.username = url.password = "";
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  return {
    description: describeStorageUrl(url),
    url,
    sign: (headers) =>
      Promise.resolve(new Headers(`${user}${password}` === "" ? headers : { ...headers, authorization })),
    onRefused: () => false,
  };
}
