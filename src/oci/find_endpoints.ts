import type { Endpoint } from "./hosts/endpoint.ts";
import { Network } from "./hosts/network.ts";
import type { DockerReference } from "./reference.ts";
import type { SourceOptions } from "./source.ts";

/** How a reference's places are found; the rest of {@linkcode SourceOptions} has no part in it. */
type FindOptions = Pick<SourceOptions, "plainHttp" | "insecure" | "network" | "log">;

/**
 * Where a repository can be read: its mirrors in order, and the registry itself last; and the way to all of them.
 * @throws {ClipError} `denied` for a registry that is blocked; for files that are wrong.
 */
export async function findEndpoints(
  reference: DockerReference,
  { plainHttp = false, insecure = false, network, log }: FindOptions,
): Promise<{ endpoints: Endpoint[]; network: Network }> {
  const way = network ?? new Network({ registriesConf: "none", hostsDir: "none" });
  return { endpoints: await way.endpoints(reference, { plainHttp, insecure, log }), network: way };
}

/** The registry itself, where a repository is written. @throws {ClipError} as {@linkcode findEndpoints}. */
export async function findRegistry(
  reference: DockerReference,
  options: FindOptions,
): Promise<{ endpoint: Endpoint; network: Network }> {
  const { endpoints, network } = await findEndpoints(reference, options);
  return { endpoint: endpoints.at(-1)!, network };
}
