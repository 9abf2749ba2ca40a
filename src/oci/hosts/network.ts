import { ClipError, type Logger, messageOf } from "../../base/mod.ts";
import { HostGates } from "../host_gates.ts";
import type { DockerReference } from "../reference.ts";
import { type Endpoint, isHere, NO_TLS_FILES, registryEndpoint, type TlsFiles } from "./endpoint.ts";
import { readHostsToml } from "./hosts_toml.ts";
import { Proxies, type Proxy, PROXY_VARIABLES } from "./proxies.ts";
import { RegistriesConf, registriesConfFiles } from "./registries_conf.ts";
import { certificateFolders, findTlsFiles, readTlsFiles, type TlsMaterial } from "./tls_files.ts";

/** In place of a file or folder: none is read. */
const NONE = "none";
/** containerd's. */
const HOSTS_FOLDER = "/etc/containerd/certs.d";

/** How the network is used. All of it may be left out. */
export interface NetworkOptions {
  /** containers' registries.conf; `none`: no file. Default: those of containers-registries.conf(5). */
  readonly registriesConf?: string | undefined;
  /** A folder of folders with containerd's hosts.toml; `none`: no folder. Default `/etc/containerd/certs.d`. */
  readonly hostsDir?: string | undefined;
  /** Authorities to trust besides those that are known. PEM. */
  readonly caFiles?: readonly string[];
  /** A folder with `*.crt`, `*.cert` and `*.key` for every registry. */
  readonly certDir?: string | undefined;
  /** Requests to one host at once. Default 32. */
  readonly maxRequestsPerHost?: number | undefined;
  /** Bytes a second from each host. Default without limit. */
  readonly maxBytesPerSecond?: number | undefined;
  /** Variables: proxies, places of files. Default: none is set. */
  readonly env?: (name: string) => string | undefined;
}

/**
 * The way to registries, shared by all sources of images of a process: which hosts stand for a registry, whom to trust,
 * through which proxy, and how much at once. Files are read when they are needed first.
 */
export class Network {
  /** Where requests wait for their turn. */
  readonly gates: HostGates;
  readonly #options: NetworkOptions;
  readonly #env: (name: string) => string | undefined;
  readonly #clients = new Map<string, Promise<Deno.HttpClient | undefined>>();
  /** What was said of the hosts of endpoints. */
  readonly #tlsOf = new Map<string, TlsFiles>();
  #conf: Promise<RegistriesConf> | undefined;
  #proxies: Proxies | undefined;

  /** Reads nothing yet. */
  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#env = options.env ?? (() => undefined);
    const { maxRequestsPerHost: maxRequests, maxBytesPerSecond } = options;
    this.gates = new HostGates({
      ...(maxRequests === undefined ? {} : { maxRequests }),
      ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
    });
  }

  /**
   * Where a repository can be read: mirrors in order, the registry itself last. containerd's file of the registry's host
   * goes before containers'. @throws {ClipError} `denied` for a registry that is blocked; for files that are wrong.
   */
  async endpoints(
    reference: DockerReference,
    { plainHttp, insecure, log }: { plainHttp: boolean; insecure: boolean; log: Logger },
  ): Promise<Endpoint[]> {
    const { registriesConf, hostsDir = HOSTS_FOLDER } = this.#options;
    const stated = hostsDir === NONE ? undefined : await readHostsToml(hostsDir, reference);
    // Even where containerd's file decides, what is blocked is blocked.
    const others = registriesConf === NONE ? undefined : (await this.#registriesConf()).endpoints(reference);
    const found = stated ?? others ?? [registryEndpoint(reference)];
    const endpoints = found.map((each) => {
      if (!each.isMirror && plainHttp) return { ...each, scheme: "http" as const };
      const mayBeWithoutTls = isHere(each.host) || (!each.isMirror && insecure);
      return mayBeWithoutTls && each.scheme === "https" ? { ...each, scheme: "either" as const } : each;
    });
    for (const { host, tls, skipsVerification, isMirror } of endpoints) {
      this.#tlsOf.set(host, tls);
      if (skipsVerification) log.info("certificates are verified all the same, which cannot be left out", { host });
      if (isMirror) log.debug("a mirror is asked first", { registry: reference.registry, host });
    }
    return endpoints;
  }

  /** fetch, with the certificates that are meant for the host, and through its proxy. @throws {ClipError} */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = input instanceof URL ? input : new URL(input instanceof Request ? input.url : input);
    const client = await this.#client(url);
    // A field of Deno's, which older types of RequestInit lack.
    const withClient: RequestInit & { client?: Deno.HttpClient } = {
      ...init,
      ...(client === undefined ? {} : { client }),
    };
    return await fetch(input, withClient);
  };

  /** Closes connections. Requests under way fail. */
  close(): void {
    for (const client of this.#clients.values()) client.then((each) => each?.close(), () => {});
    this.#clients.clear();
  }

  #registriesConf(): Promise<RegistriesConf> {
    const { registriesConf } = this.#options;
    this.#conf ??= (async () =>
      await RegistriesConf.read(
        registriesConf === undefined ? await registriesConfFiles(this.#env) : [registriesConf],
      ))();
    return this.#conf;
  }

  #client(url: URL): Promise<Deno.HttpClient | undefined> {
    this.#proxies ??= new Proxies(this.#env);
    const proxy = this.#proxies.find(url);
    // A host has its own, and with it its own connections; without a host's own certificates, all share one.
    const key = `${url.protocol === "https:" ? url.host : ""} ${proxy?.url ?? ""}`;
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = this.#makeClient(url, proxy);
      this.#clients.set(key, client);
      client.catch(() => this.#clients.delete(key));
    }
    return client;
  }

  async #makeClient(url: URL, proxy: Proxy | undefined): Promise<Deno.HttpClient | undefined> {
    const material: TlsMaterial = url.protocol === "https:" ? await this.#material(url.host) : { caCerts: [] };
    const hasProxies = this.#proxies?.isEmpty === false;
    if (material.caCerts.length === 0 && material.cert === undefined && !hasProxies) return undefined;
    try {
      return withoutVariables(PROXY_VARIABLES, () => {
        const { caCerts, cert, key } = material;
        const options = { caCerts, ...(proxy === undefined ? {} : { proxy: proxyOption(proxy) }) };
        return Deno.createHttpClient(cert === undefined ? options : { ...options, cert, key: key! });
      });
    } catch (error) {
      throw new ClipError("io", `the certificates for ${url.host} cannot be used: ${messageOf(error)}`);
    }
  }

  async #material(host: string): Promise<TlsMaterial> {
    const { caFiles = [] } = this.#options;
    const own = await this.#filesOf(host);
    if (this.#tlsOf.has(host)) return await readTlsFiles({ ...own, authorities: [...caFiles, ...own.authorities] });
    // Where a registry redirects to is trusted by the same authorities, but is not told who we are.
    const others = await Promise.all([...this.#tlsOf.keys()].map((endpoint) => this.#filesOf(endpoint)));
    const authorities = [own, ...others].flatMap((files) => files.authorities);
    return await readTlsFiles({ ...own, authorities: [...caFiles, ...authorities] });
  }

  /** The files for one host: of its endpoint, and of folders. */
  async #filesOf(host: string): Promise<TlsFiles> {
    const { certDir } = this.#options;
    const stated = this.#tlsOf.get(host);
    const folders = certificateFolders(host, this.#env);
    if (certDir !== undefined && stated !== undefined) folders.unshift(certDir);
    const found = await findTlsFiles(folders);
    const { authorities, clients } = stated ?? NO_TLS_FILES;
    return { authorities: [...authorities, ...found.authorities], clients: [...clients, ...found.clients] };
  }
}

function proxyOption(proxy: Proxy): { url: string; basicAuth?: { username: string; password: string } } {
  return { url: proxy.url, ...(proxy.basicAuth === undefined ? {} : { basicAuth: proxy.basicAuth }) };
}

/**
 * The result of `work`, done while some variables are not set: a client takes proxies from there when it is made, and
 * cannot be told not to.
 */
function withoutVariables<Value>(names: readonly string[], work: () => Value): Value {
  const values = names.map((name) => [name, Deno.env.get(name)] as const);
  for (const name of names) Deno.env.delete(name);
  try {
    return work();
  } finally {
    for (const [name, value] of values) if (value !== undefined) Deno.env.set(name, value);
  }
}
