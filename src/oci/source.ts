import type { Logger, RangeSource, RetryPolicy } from "../base/mod.ts";
import type { LayerDescriptor } from "./descriptor.ts";
import type { Logins } from "./logins.ts";
import type { Network } from "./hosts/network.ts";

/** How sources of images are opened. */
export interface SourceOptions {
  /** Use plain http for the registry. Without it, only a registry on this machine may fall back to it. */
  readonly plainHttp?: boolean;
  /** Let the registry fall back to plain http, wherever it is. */
  readonly insecure?: boolean;
  /** The way to registries: mirrors, certificates, proxies, limits. Default: straight, with the runtime's own means. */
  readonly network?: Network;
  /** Told of retries and oddities; never of a secret. */
  readonly log: Logger;
  /** Ends everything that the source does, for all its life. */
  readonly signal?: AbortSignal;
  /** Replaceable for tests, and for clients with their own certificates. */
  readonly fetch?: typeof fetch;
  /** Who to be; default whoever this process's environment and the files of Docker and podman say. */
  readonly logins?: Logins;
  /** How often and how patiently failed requests are sent again. */
  readonly retry?: RetryPolicy;
  /** The longest wait for an answer, and for each next piece of it. Default 30,000. */
  readonly requestTimeoutMs?: number;
}

/** Where the layers of an image can be read. */
export interface BlobStore {
  /** What it is, for messages; never holds a secret. */
  readonly description: string;
  /**
   * A layer's blob. Nothing is read before the first call of the result's; a blob that does not exist is found out then.
   * @throws {ClipError} `not_found` where the store knows all its layers and this is none of them.
   */
  layer(layer: Pick<LayerDescriptor, "digest" | "diffId" | "sizeBytes">): RangeSource;
  /** Ends requests and closes files; the sources that `layer` returned then fail. */
  close(): void;
}
