import { isLoopback } from "../loopback.ts";
import type { DockerReference } from "../reference.ts";

/** Files that say whom to trust, and who we are, in TLS. PEM. */
export interface TlsFiles {
  /** Authorities, besides those that are known anyway. */
  readonly authorities: readonly string[];
  /** Our certificate and its key, in one file or two; at most one pair is used: the first. */
  readonly clients: readonly { readonly certificate: string; readonly key: string }[];
}

/** No files. */
export const NO_TLS_FILES: TlsFiles = { authorities: [], clients: [] };

/** One place where a repository can be read: a mirror of it, or its registry. */
export interface Endpoint {
  /** `host` or `host:port` as logins are kept by; `docker.io` for Docker Hub. */
  readonly registry: string;
  /** Of its URLs: `registry-1.docker.io`. */
  readonly host: string;
  /** `either`: https, or else plain http. */
  readonly scheme: "https" | "http" | "either";
  /** Of the API, without a slash at its end: `/v2`. */
  readonly apiPath: string;
  /** As this place names it. */
  readonly repository: string;
  /** The registry that a pull-through cache is to ask (`?ns=`); undefined where it is not told. */
  readonly namespace?: string | undefined;
  /** Whether it may be asked what a tag means. */
  readonly resolvesTags: boolean;
  /** Whether it may be asked for what has a digest. */
  readonly servesDigests: boolean;
  /** Sent with each request. May hold secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whom to trust there, and who we are. */
  readonly tls: TlsFiles;
  /** Whether it was asked for that certificates are not verified; they are. */
  readonly skipsVerification: boolean;
  /** Whether it stands for another. */
  readonly isMirror: boolean;
}

/** A registry itself, as it is where nothing else is said. */
export function registryEndpoint({ registry, repository }: DockerReference): Endpoint {
  return {
    registry,
    host: apiHost(registry),
    scheme: "https",
    apiPath: "/v2",
    repository,
    resolvesTags: true,
    servesDigests: true,
    headers: {},
    tls: NO_TLS_FILES,
    skipsVerification: false,
    isMirror: false,
  };
}

/** The host of the URLs of `registry`. */
export function apiHost(registry: string): string {
  return registry === "docker.io" ? "registry-1.docker.io" : registry;
}

/** Whether `host` (`host` or `host:port`) is this machine. */
export function isHere(host: string): boolean {
  return isLoopback(new URL(`https://${host}/`).hostname);
}

/** Whether it was said that a place may be without TLS, and so its token server; that it is here says no such thing. */
export function allowsPlainHttp({ scheme, host }: Pick<Endpoint, "scheme" | "host">): boolean {
  return scheme === "http" || (scheme === "either" && !isHere(host));
}
