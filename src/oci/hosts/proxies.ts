import { BlockList, isIP } from "node:net";
import { ClipError } from "../../base/mod.ts";
import { isLoopback } from "../loopback.ts";

/** A proxy, as `Deno.createHttpClient` takes it. */
export interface Proxy {
  /** Without user and password. */
  readonly url: string;
  readonly basicAuth?: { readonly username: string; readonly password: string };
}

/** The variables that the runtime would act on by itself; which knows no ports in NO_PROXY, and takes no "none". */
export const PROXY_VARIABLES: readonly string[] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]
  .flatMap((name) => [name.toLowerCase(), name]);

const SCHEMES: readonly string[] = ["http:", "https:", "socks5:", "socks5h:"];

/**
 * The proxies that the environment names, as Go's programs (docker, skopeo, containerd) understand it: HTTP_PROXY and
 * HTTPS_PROXY by the scheme of the request, in lower case first, and NO_PROXY: `*`, a name with all below it, `.name`
 * for those below alone, addresses, networks (`10.0.0.0/8`), each but the last with a port if need be. This machine is
 * never asked for through a proxy. ALL_PROXY stands in for either, as for curl.
 * Source: golang.org/x/net/http/httpproxy; curl(1), "Environment".
 */
export class Proxies {
  readonly #byScheme: ReadonlyMap<string, Proxy>;
  readonly #exceptions: readonly ((host: string, port: string, family: "ipv4" | "ipv6" | undefined) => boolean)[];

  /** @throws {ClipError} naming a variable that holds no proxy's URL, but not its value. */
  constructor(env: (name: string) => string | undefined) {
    const byScheme = new Map<string, Proxy>();
    for (const scheme of ["http", "https"]) {
      const found = firstSet(env, [`${scheme}_proxy`, "all_proxy"]);
      // A server of ours that is called by CGI would take a header named Proxy for it.
      if (found === undefined || (found.name === "HTTP_PROXY" && (env("REQUEST_METHOD") ?? "") !== "")) continue;
      byScheme.set(`${scheme}:`, parseProxy(found.value, found.name));
    }
    this.#byScheme = byScheme;
    const noProxy = firstSet(env, ["no_proxy"])?.value ?? "";
    this.#exceptions = noProxy.split(/[\s,]+/).filter((each) => each !== "").map((each) =>
      exception(each.toLowerCase())
    );
  }

  /** Whether there is none for any request. */
  get isEmpty(): boolean {
    return this.#byScheme.size === 0;
  }

  /** The proxy for `url`; undefined: none. */
  find(url: URL): Proxy | undefined {
    const proxy = this.#byScheme.get(url.protocol);
    if (proxy === undefined) return undefined;
    const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "").toLowerCase();
    const version = isIP(host);
    const family = version === 4 ? "ipv4" : version === 6 ? "ipv6" : undefined;
    if (isLoopback(url.hostname)) return undefined;
    const port = url.port === "" ? url.protocol === "https:" ? "443" : "80" : url.port;
    return this.#exceptions.some((matches) => matches(host, port, family)) ? undefined : proxy;
  }
}

function firstSet(
  env: (name: string) => string | undefined,
  names: readonly string[],
): { name: string; value: string } | undefined {
  for (const name of names.flatMap((each) => [each, each.toUpperCase()])) {
    const value = env(name)?.trim() ?? "";
    if (value !== "") return { name, value };
  }
  return undefined;
}

function parseProxy(text: string, variable: string): Proxy {
  let url: URL;
  let username: string;
  let password: string;
  try {
    url = new URL(/^[a-z0-9+]+:\/\//i.test(text) ? text : `http://${text}`);
    username = decodeURIComponent(url.username);
    password = decodeURIComponent(url.password);
  } catch {
    throw new ClipError("usage", `$${variable} is not the URL of a proxy`);
  }
  if (!SCHEMES.includes(url.protocol) || url.hostname === "") {
    throw new ClipError("usage", `$${variable} is not the URL of a proxy (http, https or socks5)`);
  }
  const plain = `${url.protocol}//${url.host}`;
  return username === "" && password === "" ? { url: plain } : { url: plain, basicAuth: { username, password } };
}

/** Whether an entry of NO_PROXY means a host. What is no address, network or name means none. */
function exception(entry: string): (host: string, port: string, family: "ipv4" | "ipv6" | undefined) => boolean {
  if (entry === "*") return () => true;
  const network = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry);
  if (network !== null) {
    const version = isIP(network[1]!);
    const bits = Number(network[2]);
    if (version === 0 || bits > (version === 4 ? 32 : 128)) return () => false;
    const list = new BlockList();
    list.addSubnet(network[1]!, bits, version === 4 ? "ipv4" : "ipv6");
    return (host, _port, family) => family !== undefined && list.check(host, family);
  }
  const { name, port: onlyPort } = splitPort(entry);
  const version = isIP(name);
  if (version !== 0) {
    const list = new BlockList();
    list.addAddress(name, version === 4 ? "ipv4" : "ipv6");
    return (host, port, family) =>
      family !== undefined && list.check(host, family) && (onlyPort === undefined || onlyPort === port);
  }
  const suffix = name.replace(/^\*?\./, ".");
  if (suffix === "" || suffix === ".") return () => false;
  const isBelow = suffix.startsWith(".") ? suffix : `.${suffix}`;
  return (host, port, family) =>
    family === undefined && (host === suffix || host.endsWith(isBelow)) &&
    (onlyPort === undefined || onlyPort === port);
}

function splitPort(entry: string): { name: string; port: string | undefined } {
  if (isIP(entry) !== 0) return { name: entry, port: undefined };
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(entry);
  return match === null ? { name: "", port: undefined } : { name: match[1] ?? match[2] ?? "", port: match[3] };
}
