import { Buffer } from "node:buffer";
import { ClipError } from "../base/mod.ts";
import {
  fieldOf,
  isObject,
  type JsonObject,
  type JsonPlace,
  objectField,
  parseJsonObject,
  stringField,
  wrong,
} from "./json_fields.ts";

/** What Docker's config knows to log in to a registry with. Never to be printed. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged for access tokens. */
  | { readonly kind: "identity"; readonly refreshToken: string }
  /** An access token to be sent as it is. */
  | { readonly kind: "bearer"; readonly token: string };

/** What a config says about one registry. */
export interface LoginEntry {
  readonly credential?: Credential;
  /** Name of a program (`docker-credential-NAME`) that would know more; clip runs none. */
  readonly unusedHelper?: string;
}

const MAX_CONFIG_FILE_BYTES = 1024 * 1024;
const DOCKER_HUB_NAMES: readonly string[] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/**
 * What `config.json` says about `registry` (`host` or `host:port`). The file is `configPath`, else that in
 * `$DOCKER_CONFIG`, else `~/.docker/config.json`; only the first must exist.
 * It is read on each call: logins expire and are replaced under a mount that lives on.
 * @throws {ClipError} naming the file; the text of the file is in no message.
 */
export async function readLogin(registry: string, configPath?: string): Promise<LoginEntry> {
  const path = configPath ?? defaultConfigPath();
  if (path === undefined) return {};
  const bytes = await readConfigFile(path, configPath !== undefined);
  return bytes === undefined ? {} : findLogin(bytes, registry, path);
}

/** As {@linkcode readLogin}, from the file's bytes. */
export function findLogin(bytes: Uint8Array, registry: string, path: string): LoginEntry {
  const place: JsonPlace = { subject: "Docker config", source: path, isSecret: true };
  const config = parseJsonObject(bytes, place);
  const auths = objectField(config, "auths", place) ?? {};
  const helpers = objectField(config, "credHelpers", place) ?? {};
  const helper = pickEntry(helpers, registry) ?? fieldOf(config, "credsStore");
  const entry = pickEntry(auths, registry);
  const credential = isObject(entry) ? parseCredential(entry, place) : undefined;
  return {
    ...(credential === undefined ? {} : { credential }),
    ...(credential === undefined && typeof helper === "string" ? { unusedHelper: helper } : {}),
  };
}

function defaultConfigPath(): string | undefined {
  const folder = Deno.env.get("DOCKER_CONFIG");
  if (folder !== undefined && folder !== "") return `${folder}/config.json`;
  const home = Deno.env.get("HOME");
  return home === undefined || home === "" ? undefined : `${home}/.docker/config.json`;
}

async function readConfigFile(path: string, mustExist: boolean): Promise<Uint8Array | undefined> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_CONFIG_FILE_BYTES) {
      throw new ClipError(
        "limit",
        `Docker config ${path} has ${size} bytes, at most ${MAX_CONFIG_FILE_BYTES} are read`,
      );
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof ClipError) throw error;
    const missing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    if (missing && !mustExist) return undefined;
    const why = missing ? "it does not exist" : error instanceof Error ? error.name : "it cannot be opened";
    throw new ClipError(missing ? "not_found" : "io", `cannot read Docker config ${path}: ${why}`);
  }
}

/** The value whose key means `registry`: the exact one first, else one in an older form (`https://host/v1/`). */
function pickEntry(table: JsonObject, registry: string): unknown {
  const names = DOCKER_HUB_NAMES.includes(registry) ? DOCKER_HUB_NAMES : [registry];
  for (const name of names) if (fieldOf(table, name) !== undefined) return fieldOf(table, name);
  for (const [key, value] of Object.entries(table)) {
    const host = /^(?:https?:\/\/)?([^/]+)(?:\/(?:v[12]\/?)?)?$/i.exec(key)?.[1];
    if (host !== undefined && names.includes(host.toLowerCase())) return value;
  }
  return undefined;
}

function parseCredential(entry: JsonObject, place: JsonPlace): Credential | undefined {
  const token = stringField(entry, "registrytoken", place) ?? "";
  if (token !== "") return { kind: "bearer", token };
  const refreshToken = stringField(entry, "identitytoken", place) ?? "";
  if (refreshToken !== "") return { kind: "identity", refreshToken };
  const { username, password } = parseUser(entry, place);
  if (username === "<token>") return { kind: "identity", refreshToken: password };
  return username === "" ? undefined : { kind: "basic", username, password };
}

function parseUser(entry: JsonObject, place: JsonPlace): { username: string; password: string } {
  const auth = stringField(entry, "auth", place) ?? "";
  if (auth === "") {
    return {
      username: stringField(entry, "username", place) ?? "",
      password: stringField(entry, "password", place) ?? "",
    };
  }
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1) throw wrong(auth, "auth", "base64 of user:password", place);
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
}
