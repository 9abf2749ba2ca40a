import { readFile } from "node:fs/promises";
import { ClipError, messageOf } from "../base/mod.ts";
import type { Environment } from "./environment.ts";

/** What requests to S3 are signed with. */
export interface S3Credentials {
  /** Names the key. */
  readonly accessKeyId: string;
  /** The key. */
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

/** A credentials file is a few lines. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The credentials of the environment, or of a profile in the shared credentials file: `AWS_ACCESS_KEY_ID`,
 * `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; `AWS_PROFILE`, `AWS_SHARED_CREDENTIALS_FILE`, `~/.aws/credentials`.
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 * @throws {ClipError} `denied` when there are none; it names no secret.
 */
export async function readS3Credentials(env: Environment): Promise<S3Credentials> {
  const own = toCredentials(env);
  if (own !== undefined) return own;
  const path = nonEmpty(env("AWS_SHARED_CREDENTIALS_FILE")) ?? `${env("HOME") ?? ""}/.aws/credentials`;
  const profile = nonEmpty(env("AWS_PROFILE")) ?? "default";
  let text: string;
  try {
    text = (await readFile(path)).subarray(0, MAX_FILE_BYTES).toString();
  } catch (error) {
    throw new ClipError(
      "denied",
      `no S3 credentials: neither AWS_ACCESS_KEY_ID nor a credentials file (${messageOf(error)})`,
    );
  }
  const fields = profileFields(text, profile);
  const found = toCredentials((name) => fields.get(name.toLowerCase()));
  if (found === undefined) {
    throw new ClipError("denied", `no S3 credentials: no profile ${profile} with keys in ${path}`);
  }
  return found;
}

function toCredentials(field: Environment): S3Credentials | undefined {
  const accessKeyId = nonEmpty(field("AWS_ACCESS_KEY_ID"));
  const secretAccessKey = nonEmpty(field("AWS_SECRET_ACCESS_KEY"));
  const sessionToken = nonEmpty(field("AWS_SESSION_TOKEN"));
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function profileFields(text: string, profile: string): Map<string, string> {
  const fields = new Map<string, string>();
  let isOurs = false;
  for (const line of text.split("\n").map((each) => each.trim())) {
    const section = /^\[\s*(.*?)\s*\]$/.exec(line);
    const field = /^([a-z_]+)\s*=\s*(.*)$/i.exec(line);
    if (section !== null) isOurs = section[1] === profile;
    else if (isOurs && field !== null) fields.set(field[1]!.toLowerCase(), field[2]!);
  }
  return fields;
}

/** `text`, or undefined where it is empty, which in the environment means the same as unset. */
export function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
