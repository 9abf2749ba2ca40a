/** Things kept on web servers and in buckets of S3: their URLs, logins and signatures, and reading them by range. */
export type { Environment } from "./environment.ts";
export { type ObjectOptions, ObjectSource, openObject } from "./object_source.ts";
export { S3Bucket, s3ErrorCode } from "./s3_bucket.ts";
export { nonEmpty, readS3Credentials, type S3Credentials } from "./s3_credentials.ts";
export { decodeCredential, describeStorageUrl, parseStorageUrl, refuseParts, type UrlSubject } from "./storage_url.ts";
