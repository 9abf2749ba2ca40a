import { LRUCache } from "lru-cache";

/** Where a request was redirected to, while that may be asked directly. */
export interface RememberedRedirect {
  readonly url: URL;
  /** Whether every redirect stayed on the origin of the request, so that the login goes with it. */
  readonly carriesLogin: boolean;
  /** Milliseconds since 1970. */
  readonly untilMs: number;
}

/** Where nothing says how long a target may be used. It is given up as soon as it is refused. */
const DEFAULT_LIFETIME_MS = 5 * 60_000;
const MAX_LIFETIME_MS = 60 * 60_000;
/** A request must be answered before the target's signature ends. */
const MAX_MARGIN_MS = 30_000;
const MAX_REMEMBERED = 1024;

/**
 * Where the registry redirected requests for blobs to. Asking the target again saves a round trip a read: registries
 * redirect each request for one blob to the same storage, with a signature that holds for minutes.
 *
 * A target is used as long as the redirect's Cache-Control and the signature in the URL allow. RFC 9110, section 15.4.8,
 * has a redirect without either asked for each time; all lazy readers of images use it until it is refused, as here,
 * and what comes back is verified against digests like everything else.
 */
export class RedirectMemory {
  readonly #known = new LRUCache<string, RememberedRedirect>({ max: MAX_REMEMBERED });

  /** The target for requests of `url`; undefined where there is none that may be used at `nowMs`. */
  find(url: URL, nowMs: number): RememberedRedirect | undefined {
    const known = this.#known.get(url.href);
    if (known === undefined || nowMs < known.untilMs) return known;
    this.#known.delete(url.href);
    return undefined;
  }

  /** Keeps a target, unless its time is over already. */
  remember(url: URL, redirect: RememberedRedirect, nowMs: number): void {
    if (redirect.untilMs <= nowMs) return;
    this.#known.set(url.href, redirect);
  }

  /** Has the registry asked again. */
  forget(url: URL): void {
    this.#known.delete(url.href);
  }
}

/**
 * Until when `target` may be used, in milliseconds since 1970; at most `nowMs` where not at all. `cacheControl` is the
 * header of the redirect to it.
 */
export function redirectUsableUntil(cacheControl: string | null, target: URL, nowMs: number): number {
  const directives = (cacheControl ?? "").toLowerCase().split(",").map((each) => each.trim());
  if (directives.includes("no-store") || directives.includes("no-cache")) return nowMs;
  const maxAge = directives.map((each) => /^max-age="?(\d{1,9})"?$/.exec(each)?.[1]).find((each) => each !== undefined);
  const ends = [nowMs + (maxAge === undefined ? DEFAULT_LIFETIME_MS : Number(maxAge) * 1000), nowMs + MAX_LIFETIME_MS];
  const signatureEndMs = signatureEnd(target.searchParams);
  if (signatureEndMs !== undefined) {
    if (maxAge === undefined) ends[0] = signatureEndMs;
    ends.push(signatureEndMs - Math.min(Math.max(signatureEndMs - nowMs, 0) / 4, MAX_MARGIN_MS));
  }
  return Math.min(...ends);
}

/**
 * When the signature in a URL's query ends, in milliseconds since 1970; undefined where that cannot be told.
 * Source: AWS, "Signature Version 4 query parameters"; CloudFront, "canned policy"; Google Cloud Storage, "V4 signing";
 * Azure Storage, "service SAS" (`se`).
 */
function signatureEnd(query: URLSearchParams): number | undefined {
  const parameters = new Map([...query].map(([name, value]) => [name.toLowerCase(), value]));
  for (const vendor of ["amz", "goog"]) {
    const signedAt = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(parameters.get(`x-${vendor}-date`) ?? "");
    const seconds = Number(parameters.get(`x-${vendor}-expires`) ?? NaN);
    if (signedAt === null || !(seconds >= 0)) continue;
    const [year, month, day, hour, minute, second] = signedAt.slice(1).map(Number);
    return Date.UTC(year!, month! - 1, day, hour, minute, second) + seconds * 1000;
  }
  const epoch = /^\d{10}$/.exec(parameters.get("expires") ?? parameters.get("exp") ?? "")?.[0];
  if (epoch !== undefined) return Number(epoch) * 1000;
  const azure = Date.parse(parameters.get("se") ?? "");
  return Number.isNaN(azure) ? undefined : azure;
}
