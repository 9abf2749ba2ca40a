import { isLoopback } from "./loopback.ts";

/** Where a registry is asked. */
export interface RegistryHost {
  /** `host` or `host:port`. */
  readonly host: string;
  /** In the order in which they are tried; the second only where the first does not answer. */
  readonly schemes: readonly ["https:" | "http:"] | readonly ["https:", "http:"];
}

/**
 * Where the registry that references name `registry` is asked: Docker Hub has another host for that, and a registry on
 * this machine may be without TLS, which is Docker's rule.
 */
export function registryHost(registry: string, plainHttp: boolean): RegistryHost {
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
  if (plainHttp) return { host, schemes: ["http:"] };
  return { host, schemes: isLoopback(new URL(`https://${host}/`).hostname) ? ["https:", "http:"] : ["https:"] };
}
