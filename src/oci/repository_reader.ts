import { LRUCache } from "lru-cache";
import { ClipError, isDigest, type Logger, messageOf } from "../base/mod.ts";
import { ClientLife } from "./client_life.ts";
import { RegistryError } from "./errors.ts";
import type { HttpResponse } from "./http_exchange.ts";
import type { Endpoint } from "./hosts/endpoint.ts";
import { findEndpoints } from "./find_endpoints.ts";
import { MirrorRest } from "./mirror_rest.ts";
import type { DockerReference } from "./reference.ts";
import { RegistryClient, type RepositoryRequest } from "./registry_client.ts";
import type { SourceOptions } from "./source.ts";

/** A mirror has this part of the time that the registry has: another is to be asked within the reader's deadline. */
const MIRROR_TIME = 1 / 3;
const MAX_REMEMBERED = 1024;
const DEFAULT_TIMEOUT_MS = 30_000;

/** A place that may be asked, and what it was like so far. */
interface Place {
  readonly endpoint: Endpoint;
  readonly client: RegistryClient;
  /** Undefined for the last resort, which never rests. */
  readonly rest: MirrorRest | undefined;
}

/**
 * Reads one repository wherever it can be had, from its mirrors in order and from the registry itself, and writes it
 * where it is. A mirror that fails rests while the next one is asked, at once and in the same request; so does one that
 * breaks off in the middle of a blob, of which the next one sends the rest. Bytes are compared with their digests by
 * whoever asked for them.
 */
export class RepositoryReader {
  /** `registry/repository`. */
  readonly name: string;
  readonly log: Logger;
  readonly #reference: DockerReference;
  readonly #tagsFrom: "anywhere" | "registry";
  readonly #options: SourceOptions;
  readonly #life: ClientLife;
  /** Who gave an answer. */
  readonly #givers = new WeakMap<HttpResponse, Place>();
  /** Who gave an answer for a path last. */
  readonly #lastGivers = new LRUCache<string, Place>({ max: MAX_REMEMBERED });
  #places: Promise<Place[]> | undefined;

  /**
   * Sends nothing.
   * @param rules `tagsFrom`: whether mirrors are asked what tags mean. Default: they are.
   */
  constructor(
    reference: DockerReference,
    options: SourceOptions,
    { tagsFrom = "anywhere" }: { readonly tagsFrom?: "anywhere" | "registry" } = {},
  ) {
    this.#tagsFrom = tagsFrom;
    this.name = `${reference.registry}/${reference.repository}`;
    this.log = options.log;
    this.#reference = reference;
    this.#options = options;
    this.#life = new ClientLife(this.name, options);
  }

  /** Ends all requests; later ones fail. */
  close(): void {
    this.#life.close();
  }

  /** The result of `work`, tried again after failures that may pass. */
  retry<Value>(work: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    return this.#life.retry(work, signal);
  }

  /**
   * The answer to one request, with one of the `expected` statuses, of the first place that gives one; the caller reads
   * and closes it. @throws {ClipError} what the last place said. @throws the reason of a signal.
   */
  async open(request: RepositoryRequest): Promise<HttpResponse> {
    const all = await this.#findPlaces();
    const { path } = request;
    // What writes, and what goes on elsewhere, is the registry's own.
    if (typeof path !== "string" || (request.access ?? "pull") !== "pull") {
      return await all.at(-1)!.client.open(request);
    }
    const places = all.filter(({ endpoint }) => this.#maySay(endpoint, path));
    for (const [number, place] of places.entries()) {
      const isLast = number === places.length - 1;
      if (!isLast && place.rest?.isResting(path)) continue;
      try {
        // That a mirror has nothing is no answer.
        const expected = isLast ? request.expected : request.expected.filter((status) => status !== 404);
        const response = await place.client.open({ ...request, expected, impatient: !isLast });
        this.#givers.set(response, place);
        place.rest?.succeeded();
        this.#lastGivers.set(path, place);
        return response;
      } catch (error) {
        if (isLast || place.rest === undefined || !(error instanceof ClipError)) throw error;
        request.signal?.throwIfAborted();
        this.#life.signal.throwIfAborted();
        this.#noteFailure(place, place.rest, error, path);
      }
    }
    throw new ClipError("not_found", `${this.name}: no host may be asked for ${path}`);
  }

  /**
   * Takes note that what `response` gave for `path` was wrong or incomplete: the next request goes elsewhere, where there
   * is an elsewhere; tells whether.
   */
  passOver(response: HttpResponse, path: string, error: unknown): boolean {
    const place = this.#givers.get(response);
    if (place?.rest === undefined || this.#life.signal.aborted) return false;
    if (!(error instanceof ClipError) || error.code === "aborted") return false;
    // Once for each answer.
    this.#givers.delete(response);
    this.#noteFailure(place, place.rest, error, path);
    return true;
  }

  /** As `passOver`; what is to be thrown for it: where there is an elsewhere, what is tried again. */
  passedOver(response: HttpResponse, path: string, error: unknown): unknown {
    const isElsewhere = this.passOver(response, path, error);
    if (!isElsewhere || !(error instanceof ClipError) || error.retryable) return error;
    return new ClipError(error.code, error.message, { cause: error, retryable: true });
  }

  /** Takes note that what was given for `path` last was wrong, which its digest has shown only later. */
  mistrust(path: string): void {
    const place = this.#lastGivers.get(path);
    if (place?.rest === undefined || place.rest.isResting(path)) return;
    this.#noteFailure(
      place,
      place.rest,
      new ClipError("digest_mismatch", `${this.name}: wrong bytes of ${path}`),
      path,
    );
  }

  /** Whether a place may be asked for a path below the repository. */
  #maySay(endpoint: Endpoint, path: string): boolean {
    // What belongs to an image may have been added since a mirror has looked.
    if (path.startsWith("referrers/")) return !endpoint.isMirror;
    if (isDigest(path.slice(path.indexOf("/") + 1))) return endpoint.servesDigests;
    return this.#tagsFrom === "registry" ? !endpoint.isMirror : endpoint.resolvesTags;
  }

  #noteFailure({ endpoint }: Place, rest: MirrorRest, error: ClipError, path: string): void {
    const isMissing = error.code === "not_found" || error.code === "unsupported" || error.code === "digest_mismatch";
    const restMs = isMissing ? rest.lacks(path) : rest.failed(error instanceof RegistryError ? error : undefined);
    const fields = { mirror: endpoint.host, error: messageOf(error), restMs: Math.round(restMs) };
    if (isMissing && error.code !== "digest_mismatch") {
      this.log.info("a mirror lacks something: the next host is asked", fields);
    } else this.log.warn("a mirror fails: the next host is asked", fields);
  }

  #findPlaces(): Promise<Place[]> {
    this.#places ??= this.#openPlaces().catch((error) => {
      this.#places = undefined;
      throw error;
    });
    return this.#places;
  }

  async #openPlaces(): Promise<Place[]> {
    const { endpoints, network } = await findEndpoints(this.#reference, this.#options);
    // Before anything is sent: a login that was given is for the first registry, and not for the first that wants one.
    this.#options.logins?.name(endpoints.at(-1)!.registry);
    const timeoutMs = this.#options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    return endpoints.map((endpoint, number) => {
      const isLast = number === endpoints.length - 1;
      const client = new RegistryClient(endpoint, {
        ...this.#options,
        network,
        signal: this.#life.signal,
        requestTimeoutMs: isLast ? timeoutMs : timeoutMs * MIRROR_TIME,
      });
      return { endpoint, client, rest: isLast ? undefined : new MirrorRest() };
    });
  }
}
