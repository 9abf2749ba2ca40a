/** Caches that many machines share, as the command line describes them. */
import { type Logger, UsageError } from "../base/mod.ts";
import { checkStoreUrl, openRemoteCache, type RemoteCache, type RemoteCacheObserver } from "../cache/mod.ts";
import type { Io } from "./io.ts";

/** The variable that names remote caches where no option does. Others cannot see it, as they can a command line. */
export const REMOTE_CACHE_VARIABLE = "CLIP_REMOTE_CACHE";
/** In place of URLs: no remote cache. */
const NONE = "none";

/** `text` where it can be a `--remote-cache`. @throws {UsageError} if not; the message holds no credentials. */
export function parseRemoteCache(text: string): string {
  if (text !== NONE) checkStoreUrl(text);
  return text;
}

/** The values of `remoteCacheOptionFields`. */
export interface RemoteCacheChoices {
  readonly remoteCaches: readonly string[];
  readonly remoteCacheTimeoutMs: number;
}

/**
 * The URLs of the remote caches that are asked for, by options or else by the environment.
 * @throws {UsageError} for what is no such URL; the message holds no credentials.
 */
export function remoteCacheUrls({ remoteCaches }: RemoteCacheChoices, io: Pick<Io, "env">): string[] {
  const urls = remoteCaches.length > 0
    ? [...remoteCaches]
    : (io.env(REMOTE_CACHE_VARIABLE) ?? "").split(/[\s,]+/).filter((part) => part !== "");
  if (!urls.includes(NONE)) {
    for (const url of urls) checkStoreUrl(url);
    return urls;
  }
  if (urls.length > 1) throw new UsageError("remote caches: either none, or URLs");
  return [];
}

/** `urls` as the value of {@linkcode REMOTE_CACHE_VARIABLE}. */
export function asVariable(urls: readonly string[]): string {
  return urls.length === 0 ? NONE : urls.map((url) => url.replaceAll(",", "%2C")).join(" ");
}

/** The remote cache that is asked for; undefined where none is. @throws {UsageError} as {@linkcode remoteCacheUrls}. */
export function openRemoteCaches(
  choices: RemoteCacheChoices,
  { io, log, observer }: { io: Pick<Io, "env">; log: Logger; observer?: RemoteCacheObserver | undefined },
): RemoteCache | undefined {
  const urls = remoteCacheUrls(choices, io);
  if (urls.length === 0) return undefined;
  return openRemoteCache(urls, {
    timeoutMs: choices.remoteCacheTimeoutMs,
    log,
    env: (name) => io.env(name),
    ...(observer === undefined ? {} : { observer }),
  });
}
