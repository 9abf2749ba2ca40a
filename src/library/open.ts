import { ClipError, FileRangeSource, isArchiveUrl, LazyFile, type RangeSource, SILENT } from "../base/mod.ts";
import { openArchive } from "../archive/mod.ts";
import { defaultLimits, diskSpanCache, openRemoteCache, type RemoteCache, type SpanCache } from "../cache/mod.ts";
import type { InflateName } from "../codec/mod.ts";
import type { ContentObserver } from "../content/mod.ts";
import type { ObjectOptions } from "../storage/mod.ts";
import { ImageFiles } from "./image_files.ts";
import { type SourceChoices, sourceOptions } from "./source_choices.ts";
import { wireContent } from "./wire_content.ts";

/** How to open an archive. All of it is about reading files' contents: names and attributes are in the archive. */
export interface OpenOptions extends SourceChoices {
  /** Fetch layers from here instead of where the image was indexed: a mirror, a copy. */
  readonly source?: string;
  /**
   * Where verified spans are kept: a folder, which may be that of `clip mount` and of other processes, within the
   * default limits; or a cache of one's own. Default: in memory alone.
   */
  readonly cache?: string | SpanCache;
  /**
   * Caches that machines share: URLs as `--remote-cache` takes them, or an open one, which stays the
   * caller's to close. S3's credentials are looked for in the environment. Default none.
   */
  readonly remoteCache?: readonly string[] | RemoteCache;
  /** Never ask a registry: what is not in a cache fails. */
  readonly offline?: boolean;
  /** A read for which the registry takes longer fails; default 30,000. */
  readonly deadlineMs?: number;
  /** Spans kept in memory, at most; default 128 MiB, or 32 with a cache. */
  readonly memoryBytes?: number;
  /** Threads that decode, at most: default as many as there are processors, but 4; 0: none. */
  readonly decodeWorkers?: number;
  /** Who inflates gzip; default `kernel`. */
  readonly inflate?: InflateName;
  /** Told of each read, fetch and span. */
  readonly observer?: ContentObserver;
}

/**
 * Opens an archive, and checks all of it that is read at once; the caller closes what it gets. Fetches nothing.
 * @param archive A file; a URL (`https://`, `http://`, `s3://BUCKET/KEY`), which is read by range; or any other source.
 * @throws {ClipError} where it cannot be read or is damaged.
 */
export async function open(archive: string | RangeSource, options: OpenOptions = {}): Promise<ImageFiles> {
  const { log = SILENT, cache, remoteCache, source, ...rest } = options;
  const { offline, deadlineMs, memoryBytes, decodeWorkers, inflate, observer, ...reach } = rest;
  const isUrl = typeof archive === "string" && isArchiveUrl(archive);
  const file = typeof archive === "string" && !isUrl ? new LazyFile(archive) : undefined;
  const env = (name: string) => Deno.env.get(name);
  const ownRemote = Array.isArray(remoteCache) ? openRemoteCache(remoteCache, { log, env }) : undefined;
  const release = async () => {
    await ownRemote?.close();
    file?.close();
  };
  try {
    const opened = await openArchive(
      file !== undefined
        ? FileRangeSource.whole(file)
        : isUrl
        ? await openUrl(archive, { env, log, ...(reach.fetch && { fetch: reach.fetch }) }, options)
        : archive as RangeSource,
    );
    const { content, close } = wireContent(opened, {
      source,
      reach: sourceOptions({ ...reach, log }),
      cache: typeof cache === "string" ? diskSpanCache(cache, { limits: defaultLimits(cache), log }) : cache,
      remote: ownRemote ?? (remoteCache as RemoteCache | undefined),
      useCheckpoints: true,
      ...{ offline, deadlineMs, memoryBytes, decodeWorkers, inflate, observer, log },
    });
    return new ImageFiles({ archive: opened, content, log }, async () => {
      await close();
      await release();
    });
  } catch (error) {
    await release();
    throw error;
  }
}

async function openUrl(url: string, object: ObjectOptions, { offline, signal }: OpenOptions): Promise<RangeSource> {
  if (offline === true) throw new ClipError("not_found", "cannot open an archive at a URL offline: copy it to a disk");
  // Loaded here: most archives are files.
  const { openObject } = await import("../storage/mod.ts");
  return await openObject(url, object, signal);
}
