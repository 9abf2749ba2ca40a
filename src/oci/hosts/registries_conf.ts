import { ClipError } from "../../base/mod.ts";
import type { DockerReference } from "../reference.ts";
import { isHost } from "../reference.ts";
import { apiHost, type Endpoint, NO_TLS_FILES } from "./endpoint.ts";
import { readTomlFile, type TomlTable } from "./toml_file.ts";

/** What a `[[registry]]` or `[[registry.mirror]]` says of one place. */
interface Place {
  /** `host[:port][/path]` in place of what was matched; empty: as it is. */
  readonly location: string;
  readonly insecure: boolean;
}

/** A `[[registry.mirror]]`. */
interface Mirror extends Place {
  readonly pulls: "all" | "digest-only" | "tag-only";
}

/** A `[[registry]]`. */
interface Registry extends Place {
  /** `host`, `host/path`, `host/path:tag` or `*.host`. */
  readonly prefix: string;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
  readonly path: string;
}

const SUFFIX = ".conf";
const MAX_MIRRORS = 64;

/**
 * The files that are read where none is named, in order: later ones replace registries of earlier ones.
 * Source: containers-registries.conf(5).
 */
export async function registriesConfFiles(env: (name: string) => string | undefined): Promise<string[]> {
  const named = env("CONTAINERS_REGISTRIES_CONF") ?? "";
  if (named !== "") return [named];
  const home = env("HOME") ?? "";
  const config = env("XDG_CONFIG_HOME") || (home === "" ? "" : `${home}/.config`);
  const folders = [...(config === "" ? [] : [config]), "/etc", "/usr/share"].map((folder) => `${folder}/containers`);
  const files: string[] = [];
  for (const folder of folders) {
    const path = `${folder}/registries.conf`;
    if (!await exists(path)) continue;
    files.push(path);
    break;
  }
  // Of files of one name, the first folder's.
  const dropIns = new Map<string, string>();
  for (const folder of folders) {
    for (const name of await namesIn(`${folder}/registries.conf.d`)) {
      if (name.endsWith(SUFFIX) && !dropIns.has(name)) dropIns.set(name, `${folder}/registries.conf.d/${name}`);
    }
  }
  return [...files, ...[...dropIns.keys()].sort().map((name) => dropIns.get(name)!)];
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch {
    // No folder, no files.
  }
  return names;
}

/** What containers' registries.conf says of registries, version 2. */
export class RegistriesConf {
  readonly #registries: readonly Registry[];

  private constructor(registries: readonly Registry[]) {
    this.#registries = registries;
  }

  /** Reads all of `files`, each of which has to be there. @throws {ClipError} naming file and key. */
  static async read(files: readonly string[]): Promise<RegistriesConf> {
    const registries = new Map<string, Registry>();
    for (const path of files) {
      const file = await readTomlFile(path, { mustExist: true });
      for (const registry of parseRegistries(file!)) registries.set(registry.prefix, registry);
    }
    return new RegistriesConf([...registries.values()]);
  }

  /**
   * Where the repository of `reference` can be read, mirrors first, by the registry with the longest prefix; undefined
   * where none has one. @throws {ClipError} `denied` for a registry that is blocked.
   */
  endpoints(reference: DockerReference): Endpoint[] | undefined {
    const name = `${reference.registry}/${reference.repository}`;
    const tail = reference.digest !== undefined ? `@${reference.digest}` : `:${reference.tag ?? "latest"}`;
    let best: { registry: Registry; matched: number } | undefined;
    for (const registry of this.#registries) {
      const matched = matchLength(name + tail, registry.prefix);
      if (matched >= 0 && matched > (best?.matched ?? -1)) best = { registry, matched };
    }
    if (best === undefined) return undefined;
    const { registry, matched } = best;
    if (registry.blocked) {
      throw new ClipError("denied", `${name}: ${registry.prefix} is blocked by ${registry.path}`);
    }
    const rest = name.slice(Math.min(matched, name.length));
    // A wildcard stands for a host that is not named: it can be replaced, but not written with a path behind.
    const rewrite = (location: string) => location === "" ? name : location + rest;
    const place = (at: Place, rights: Pick<Endpoint, "resolvesTags" | "servesDigests" | "isMirror">) =>
      endpointAt(rewrite(at.location), at.insecure, rights, registry.path);
    return [
      ...registry.mirrors.map((mirror) =>
        place(mirror, {
          resolvesTags: mirror.pulls !== "digest-only",
          servesDigests: mirror.pulls !== "tag-only",
          isMirror: true,
        })
      ),
      place(registry, { resolvesTags: true, servesDigests: true, isMirror: false }),
    ];
  }
}

function endpointAt(
  name: string,
  insecure: boolean,
  rights: Pick<Endpoint, "resolvesTags" | "servesDigests" | "isMirror">,
  path: string,
): Endpoint {
  const slash = name.indexOf("/");
  const host = name.slice(0, Math.max(slash, 0));
  const repository = name.slice(slash + 1);
  if (!isHost(host) || !/^[a-z0-9._/-]+$/.test(repository)) {
    throw new ClipError("corrupt", `${path}: location: "${name}" is not host[:port]/repository`);
  }
  const registry = host === "index.docker.io" ? "docker.io" : host;
  return {
    registry,
    host: apiHost(registry),
    scheme: insecure ? "either" : "https",
    apiPath: "/v2",
    repository,
    headers: {},
    tls: NO_TLS_FILES,
    skipsVerification: insecure,
    ...rights,
  };
}

/** How much of `name` `prefix` stands for; −1 where it is not its prefix. */
function matchLength(name: string, prefix: string): number {
  if (prefix.startsWith("*.")) {
    const host = name.slice(0, name.search(/[/:@]/));
    const suffix = prefix.slice(1);
    return host.length > suffix.length && host.endsWith(suffix) ? host.length : -1;
  }
  if (!name.startsWith(prefix)) return -1;
  const next = name[prefix.length];
  // A colon behind a host would be its port: another host.
  const ends = prefix.includes("/") ? ["/", ":", "@", undefined] : ["/", undefined];
  return ends.includes(next) ? prefix.length : -1;
}

function parseRegistries(file: TomlTable): Registry[] {
  if (file.value("registries") !== undefined) {
    throw new ClipError(
      "unsupported",
      `${file.path}: version 1 is not read; write [[registry]], or give --registries-conf none`,
    );
  }
  return file.tables("registry").map((table) => {
    const location = parseLocation(table);
    const prefix = (table.string("prefix") ?? "") || location;
    if (prefix === "") throw table.wrong("location", "a registry");
    if (!/^(?:\*\.)?[A-Za-z0-9[\]:.@/_-]+$/.test(prefix)) throw table.wrong("prefix", "host[:port][/path] or *.host");
    const digestOnly = table.boolean("mirror-by-digest-only") ?? false;
    const mirrors = table.tables("mirror").map((mirror) => parseMirror(mirror, digestOnly));
    if (mirrors.length > MAX_MIRRORS) throw table.wrong("mirror", `at most ${MAX_MIRRORS} mirrors`);
    return {
      prefix: prefix.replace(/\/$/, ""),
      location: prefix.startsWith("*.") || location !== prefix ? location : "",
      insecure: table.boolean("insecure") ?? false,
      blocked: table.boolean("blocked") ?? false,
      mirrors,
      path: file.path,
    };
  });
}

function parseMirror(table: TomlTable, digestOnly: boolean): Mirror {
  const location = parseLocation(table);
  if (location === "") throw table.wrong("location", "a registry");
  const pulls = table.string("pull-from-mirror") ?? "";
  if (!["", "all", "digest-only", "tag-only"].includes(pulls)) {
    throw table.wrong("pull-from-mirror", "all, digest-only or tag-only");
  }
  if (digestOnly && pulls !== "") throw table.wrong("pull-from-mirror", "nothing, beside mirror-by-digest-only");
  return {
    location,
    insecure: table.boolean("insecure") ?? false,
    pulls: digestOnly ? "digest-only" : pulls === "" ? "all" : pulls as Mirror["pulls"],
  };
}

function parseLocation(table: TomlTable): string {
  const location = (table.string("location") ?? "").replace(/\/$/, "");
  if (/^[a-z]+:\/\//i.test(location)) throw table.wrong("location", "host[:port][/path], without a scheme");
  return location;
}
