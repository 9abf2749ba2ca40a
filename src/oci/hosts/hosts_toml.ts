import type { ClipError } from "../../base/mod.ts";
import type { DockerReference } from "../reference.ts";
import { apiHost, type Endpoint, registryEndpoint, type TlsFiles } from "./endpoint.ts";
import { findTlsFiles } from "./tls_files.ts";
import { readTomlFile, type TomlTable } from "./toml_file.ts";

const FILE_NAME = "hosts.toml";
const CAPABILITIES: readonly string[] = ["pull", "resolve", "push"];
/** By what a header may not be replaced. */
const OWN_HEADERS: readonly string[] = ["range", "host", "accept-encoding", "content-length", "transfer-encoding"];

/**
 * Where the repository of `reference` can be read, by containerd's `FOLDER/HOST/hosts.toml`, or `FOLDER/_default` where
 * there is no folder of the host; undefined where there is neither. A folder without the file holds certificates.
 * Source: containerd, docs/hosts.md.
 * @throws {ClipError} naming file and key.
 */
export async function readHostsToml(folder: string, reference: DockerReference): Promise<Endpoint[] | undefined> {
  const { registry } = reference;
  for (const name of folderNames(registry)) {
    const path = `${folder}/${name}`;
    if (!await isFolder(path)) continue;
    const file = await readTomlFile(`${path}/${FILE_NAME}`, { mustExist: false });
    if (file !== undefined) return parseHosts(file, path, reference);
    return [{ ...registryEndpoint(reference), tls: await findTlsFiles([path]) }];
  }
  return undefined;
}

/** `registry:5000` may be written `registry_5000_`, where a colon cannot be in a name. */
function folderNames(registry: string): string[] {
  const colon = registry.lastIndexOf(":");
  const written = colon > 0 && !registry.endsWith("]")
    ? [`${registry.slice(0, colon)}_${registry.slice(colon + 1)}_`]
    : [];
  return [...written, registry, "_default"];
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

function parseHosts(file: TomlTable, folder: string, reference: DockerReference): Endpoint[] {
  const hosts = file.table("host");
  const mirrors = (hosts?.keys() ?? []).map((key) => {
    const table = hosts!.table(key)!;
    const url = parseServer(key, () => hosts!.wrong(key, "a URL"));
    return endpointOf(url, table, folder, reference);
  });
  const server = file.string("server") ?? "";
  if (server === "") {
    const itself = { ...registryEndpoint(reference), headers: parseHeaders(file), tls: parseTls(file, folder) };
    return [...mirrors, withRights(itself, file)];
  }
  const url = parseServer(server, () => file.wrong("server", "a URL"));
  const last = endpointOf(url, file, folder, reference);
  return [...mirrors, { ...last, isMirror: false }];
}

/** Without a scheme it is https. */
function parseServer(text: string, wrong: () => ClipError): URL {
  let url: URL;
  try {
    url = new URL(/^https?:\/\//i.test(text) ? text : `https://${text}`);
  } catch {
    throw wrong();
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") throw wrong();
  return url;
}

function endpointOf(url: URL, table: TomlTable, folder: string, reference: DockerReference): Endpoint {
  const isServer = url.host === apiHost(reference.registry) || url.host === reference.registry;
  const registry = isServer ? reference.registry : url.host === "registry-1.docker.io" ? "docker.io" : url.host;
  const path = url.pathname.replace(/\/+$/, "");
  const isWhole = (table.boolean("override_path") ?? false) || path.endsWith("/v2");
  return withRights({
    registry,
    host: url.host,
    scheme: url.protocol === "http:" ? "http" : "https",
    apiPath: isWhole ? path : `${path}/v2`,
    repository: reference.repository,
    namespace: isServer ? undefined : reference.registry,
    headers: parseHeaders(table),
    tls: parseTls(table, folder),
    isMirror: true,
  }, table);
}

type Rights = "resolvesTags" | "servesDigests" | "skipsVerification";

function withRights(endpoint: Omit<Endpoint, Rights>, table: TomlTable): Endpoint {
  const stated = table.strings("capabilities").map((each) => each.toLowerCase());
  if (!stated.every((each) => CAPABILITIES.includes(each))) {
    throw table.wrong("capabilities", `of ${CAPABILITIES.join(", ")}`);
  }
  const has = (capability: string) => stated.length === 0 || stated.includes(capability);
  return {
    ...endpoint,
    resolvesTags: has("resolve"),
    servesDigests: has("pull"),
    skipsVerification: table.boolean("skip_verify") ?? false,
  };
}

function parseHeaders(table: TomlTable): Record<string, string> {
  const header = table.table("header");
  const headers: Record<string, string> = {};
  for (const name of header?.keys() ?? []) {
    const value = header!.strings(name).join(", ");
    const isField = /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
    if (!isField || OWN_HEADERS.includes(name.toLowerCase())) throw header!.wrong(name, "a header that may be set");
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

/** `ca`: a file or several. `client`: a file with certificate and key, several, or pairs of files. */
function parseTls(table: TomlTable, folder: string): TlsFiles {
  const absolute = (path: string) => path.startsWith("/") ? path : `${folder}/${path}`;
  const client = table.value("client") ?? [];
  const pairs = typeof client === "string" ? [client] : client;
  if (!Array.isArray(pairs)) throw table.wrong("client", "a file, files or pairs of files");
  const clients = pairs.map((pair) => {
    const [certificate, key, ...more] = typeof pair === "string" ? [pair, pair] : Array.isArray(pair) ? pair : [];
    if (typeof certificate !== "string" || typeof key !== "string" || more.length > 0) {
      throw table.wrong("client", "a file, files or pairs of files");
    }
    return { certificate: absolute(certificate), key: absolute(key) };
  });
  return { authorities: table.strings("ca").map(absolute), clients };
}
