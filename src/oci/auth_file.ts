import { Buffer } from "node:buffer";
import { ClipError } from "../base/mod.ts";
import { type Credential, userCredential } from "./credential.ts";
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

/** Whose login is looked for. */
export interface LoginQuery {
  /** `host` or `host:port`, as references name it. */
  readonly registry: string;
  /** `library/ubuntu`: some logins are for a part of a registry. */
  readonly repository?: string | undefined;
}

/** What a file says about one registry. */
export interface AuthEntry {
  readonly credential?: Credential;
  /** Name of a program (`docker-credential-NAME`) that is to be asked first. */
  readonly helper?: string;
}

const MAX_FILE_BYTES = 1024 * 1024;
const DOCKER_HUB_NAMES: readonly string[] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
/** What Docker calls its own registry, in files and to helpers. */
const DOCKER_HUB_URL = "https://index.docker.io/v1/";

/**
 * The files with logins that Docker's and podman's tools would look into, in their order; they need not exist.
 * Source: containers-auth.json(5); go.podman.io/common, pkg/auth, `GetDefaultAuthFile`.
 */
export function authFilePaths(env: (name: string) => string | undefined, uid: number | null): string[] {
  const get = (name: string) => env(name) || undefined;
  const chosen = get("REGISTRY_AUTH_FILE");
  if (chosen !== undefined) return [chosen];
  const folder = get("DOCKER_CONFIG");
  if (folder !== undefined) return [`${folder}/config.json`];
  const home = get("HOME");
  const runtime = get("XDG_RUNTIME_DIR") ?? (uid === null ? undefined : `/run/containers/${uid}`);
  const config = get("XDG_CONFIG_HOME") ?? (home === undefined ? undefined : `${home}/.config`);
  return [
    runtime === undefined ? undefined : `${runtime}/containers/auth.json`,
    config === undefined ? undefined : `${config}/containers/auth.json`,
    home === undefined ? undefined : `${home}/.docker/config.json`,
  ].filter((path) => path !== undefined);
}

/**
 * What the file at `path` says about a registry; undefined where there is no such file. It is read on each call: logins
 * expire and are replaced under a mount that lives on.
 * @throws {ClipError} naming the file; the text of the file is in no message.
 */
export async function readAuthFile(path: string, query: LoginQuery): Promise<AuthEntry | undefined> {
  const bytes = await readFile(path);
  return bytes === undefined ? undefined : parseAuthFile(bytes, query, path);
}

/** As {@linkcode readAuthFile}, from the file's bytes. */
export function parseAuthFile(bytes: Uint8Array, query: LoginQuery, path: string): AuthEntry {
  const place: JsonPlace = { subject: "logins", source: path, isSecret: true };
  const file = parseJsonObject(bytes, place);
  const auths = objectField(file, "auths", place) ?? {};
  const helpers = objectField(file, "credHelpers", place) ?? {};
  const helper = pickEntry(helpers, { registry: query.registry }) ?? fieldOf(file, "credsStore");
  const entry = pickEntry(auths, query);
  const credential = isObject(entry) ? parseCredential(entry, place) : undefined;
  return {
    ...(credential === undefined ? {} : { credential }),
    ...(typeof helper === "string" && helper !== "" ? { helper } : {}),
  };
}

/** What a helper knows a registry by. */
export function helperServer(registry: string): string {
  return DOCKER_HUB_NAMES.includes(registry) ? DOCKER_HUB_URL : registry;
}

async function readFile(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new ClipError("limit", `logins in ${path}: ${size} bytes, at most ${MAX_FILE_BYTES} are read`);
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof ClipError) throw error;
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    const why = error instanceof Error ? error.name : "it cannot be opened";
    throw new ClipError("io", `cannot read the logins in ${path}: ${why}`);
  }
}

/**
 * The value whose key means the repository or what it is in, the longest first: `host/a/b`, `host/a`, `host`; then the
 * host in an older form (`https://host/v1/`).
 */
function pickEntry(table: JsonObject, { registry, repository }: LoginQuery): unknown {
  const names = DOCKER_HUB_NAMES.includes(registry) ? DOCKER_HUB_NAMES : [registry];
  const parts = repository === undefined ? [] : repository.split("/");
  for (let length = parts.length; length >= 0; length--) {
    for (const name of names) {
      const value = fieldOf(table, [name, ...parts.slice(0, length)].join("/"));
      if (value !== undefined) return value;
    }
  }
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
  const { username, password } = parseUser(entry, place);
  if (refreshToken !== "") return { kind: "identity", refreshToken, ...(username === "" ? {} : { username }) };
  return username === "" ? undefined : userCredential(username, password);
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
