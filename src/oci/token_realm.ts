import { isIP } from "node:net";
import { ClipError } from "../base/mod.ts";
import { show } from "./errors.ts";
import { apiHost } from "./hosts/endpoint.ts";
import { isLoopback } from "./loopback.ts";

/** Who names a token server, and what is to go there. */
export interface RealmRules {
  /** `host` or `host:port`, as references name it. */
  readonly registry: string;
  /** Whether it is asked in plain http. */
  readonly plainHttp: boolean;
  /** Whether a login is to be sent. */
  readonly withLogin: boolean;
  /** Hosts that somebody vouches for. */
  readonly tokenHosts: readonly string[];
}

/**
 * The token server that a registry's challenge names, if it may be asked. Registries may say anything, be it that they
 * are hostile, or that somebody is on the line or in front of them who passes other registries' challenges on:
 *
 * - https; plain http only of a registry that is itself asked in plain http, or is on this machine together with it;
 * - no address in place of a name, and nothing on this machine, unless it is the registry's own;
 * - a login goes to the registry's own host; in https also to hosts below its parent domain (auth.docker.io for
 *   registry-1.docker.io, gitlab.com for registry.gitlab.com); and to those of `tokenHosts`.
 *
 * @throws {ClipError} of code `denied`, without the registry's name.
 */
export function checkRealm(realm: string | undefined, rules: RealmRules): URL {
  const refuse = (problem: string) => new ClipError("denied", `names the token server ${problem}`);
  const url = URL.canParse(realm ?? "") ? new URL(realm!) : undefined;
  if (url === undefined) throw new ClipError("denied", "names a token server that is not a URL");
  url.username = "";
  url.password = "";
  url.hash = "";
  const registry = new URL(`https://${apiHost(rules.registry)}/`).hostname;
  const named = `${show(url.protocol, 20)}//${show(url.host, 100)}`;
  const isOwn = url.hostname === registry;
  const isVouchedFor = rules.tokenHosts.some((host) => host === url.hostname || host === url.host);
  if (url.protocol !== "https:") {
    const bothHere = isLoopback(registry) && isLoopback(url.hostname);
    if (url.protocol !== "http:" || !(rules.plainHttp || bothHere)) throw refuse(`${named}, but only https is allowed`);
    if (rules.withLogin && !isOwn) {
      throw refuse(`${named}: a login is not sent to another host in plain http`);
    }
  }
  if (isOwn || isVouchedFor) return url;
  const advice = `--token-host ${url.host} allows it`;
  if (isAddress(url.hostname) && !(isLoopback(registry) && isLoopback(url.hostname))) {
    throw refuse(`${named}, an address; ${advice}`);
  }
  if (rules.withLogin && !isBelow(url.hostname, parentDomain(registry))) {
    throw refuse(`${named}: a login is not sent to another domain; ${advice}`);
  }
  return url;
}

function isAddress(hostname: string): boolean {
  return hostname.startsWith("[") || isIP(hostname) !== 0 || hostname === "localhost" ||
    hostname.endsWith(".localhost");
}

function isBelow(hostname: string, domain: string | undefined): boolean {
  return domain !== undefined && (hostname === domain || hostname.endsWith(`.${domain}`));
}

/** The host without its first name where two are left; else itself. Undefined of an address. */
function parentDomain(hostname: string): string | undefined {
  if (isAddress(hostname)) return undefined;
  const parent = hostname.slice(hostname.indexOf(".") + 1);
  return parent.includes(".") ? parent : hostname;
}
