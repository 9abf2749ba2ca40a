/** Whether an image can be had from where it is. */
import { ClipError, messageOf } from "../../base/mod.ts";
import {
  formatImageReference,
  parseImageReference,
  pingRegistry,
  RegistryError,
  resolveDigest,
  type SourceOptions,
} from "../../oci/mod.ts";
import { fail, type Finding, ok } from "./finding.ts";

/** What can be nothing but a registry: as an image, a name without a slash is one of Docker Hub's. */
const REGISTRY = /^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|\[[0-9a-f:]+\])(:\d{1,5})?\/?$|^[^/]+\/$/i;

/** Whether `text` names a registry and no image: `ghcr.io`, `localhost:5000`, `mirror/`. */
export function isRegistry(text: string): boolean {
  return REGISTRY.test(text);
}

/** Whether a registry answers; and, of a reference, whether it has the image. */
export async function checkRegistry(text: string, options: SourceOptions): Promise<Finding[]> {
  if (isRegistry(text)) {
    const registry = text.replace(/\/$/, "");
    // Its grammar is checked where references are.
    parseImageReference(`docker://${registry}/name`);
    return [await ping(registry, undefined, options)];
  }
  const reference = parseImageReference(text);
  const findings = reference.transport === "docker"
    ? [await ping(reference.registry, reference.repository, options)]
    : [];
  if (findings.some(({ state }) => state === "fail")) return findings;
  return [...findings, await lookUp(reference, options)];
}

async function ping(registry: string, repository: string | undefined, options: SourceOptions): Promise<Finding> {
  const check = `registry ${registry}`;
  try {
    const { origin, loginOrigin, asksForLogin } = await pingRegistry({ registry, repository }, options);
    const login = loginOrigin === undefined
      ? "there is no login for it, and none is needed so far"
      : `the login of ${loginOrigin} is ${asksForLogin ? "taken" : "not asked for"}`;
    return ok(check, `${origin} answers; ${login}`);
  } catch (error) {
    const isNone = error instanceof ClipError && error.code === "not_found";
    return fail(check, messageOf(error), isNone ? "is it an OCI registry?" : adviceFor(error));
  }
}

async function lookUp(reference: ReturnType<typeof parseImageReference>, options: SourceOptions): Promise<Finding> {
  const check = `image ${formatImageReference(reference)}`;
  try {
    return ok(
      check,
      `it is there${await resolveDigest(reference, options).then((digest) => digest ? `, ${digest}` : "")}`,
    );
  } catch (error) {
    return fail(check, messageOf(error), adviceFor(error));
  }
}

/** What to do about it. The texts are those of the operating system, and of the TLS library inside Deno. */
function adviceFor(error: unknown): string {
  const text = messageOf(error);
  if (/not ?valid ?for ?name/i.test(text)) return "another host has answered: check the name, and proxies in between";
  if (/dns error|failed to lookup|resolve host|name or service/i.test(text)) {
    return "check the name, and the name servers of this machine";
  }
  if (/plain http/.test(text)) return "give --plain-http";
  if (/certificate|UnknownIssuer|tls handshake/i.test(text)) {
    return "name the registry's authority by --ca-file, or put it into /etc/containers/certs.d/HOST (docs/registries.md)";
  }
  if (/refused/i.test(text)) return "nobody listens there: check host and port";
  if (error instanceof RegistryError && error.status === 401) return "log in (docker login), or renew the login";
  if (error instanceof ClipError && error.code === "denied") {
    return "log in (docker login) as somebody who may read it";
  }
  if (error instanceof ClipError && error.code === "not_found") return "check the name and the tag";
  if (error instanceof ClipError && error.code === "network") {
    return "check the network, proxies ($HTTPS_PROXY) and firewalls";
  }
  return "is it an OCI registry?";
}
