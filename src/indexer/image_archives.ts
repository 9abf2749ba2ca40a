import {
  ClipError,
  type Digest,
  digestAlgorithm,
  digestHex,
  GIB,
  isDigest,
  type Logger,
  messageOf,
  sha256,
  writeFileAtomically,
} from "../base/mod.ts";
import { FORMAT_VERSION } from "../archive/mod.ts";
import { layerIndexKey } from "./index_cache.ts";
import type { ScanLayerOptions } from "./layer_scan.ts";
import { lockFile } from "./lock_file.ts";
import { trimFolder } from "./trim_folder.ts";

const ARCHIVE_SUFFIX = ".clip";
const RECORD_SUFFIX = ".image.json";
const RECORD_VERSION = 1;
const MAX_RECORD_BYTES = 64 * 1024;
/** Whoever waits for another's answer from the registry waits no longer. */
const MAX_TURN_WAIT_MS = 2000;
/** Archives are a few hundred KiB each: room for thousands. */
const MAX_BYTES = GIB;

/** What a name meant when it was last looked up. */
export interface KnownImage {
  /** The reference in full and the platform, as text. */
  readonly name: string;
  /** Of the manifest or index that the reference named. */
  readonly rootDigest: Digest;
  /** Of the image's manifest. */
  readonly manifestDigest: Digest;
  /** Of the image's config. */
  readonly configDigest: Digest;
  /** The pinned reference, as text: where its layers are. */
  readonly source: string;
}

/**
 * Archives of images that were asked for by name, in a folder, for all processes of the machine: `<algorithm>_<hex of
 * the manifest's digest>-<8 hex digits>.clip`, and beside them what the names meant, so that an image can be had without
 * its registry. The digits are of all else that an archive depends on. Files are replaced whole; archives used longest
 * ago go once there is more than 1 GiB.
 */
export class ImageArchives {
  #folder: string;
  #maxBytes: number;
  #log: Logger;

  /** Nothing is touched before the first use. @param options `maxBytes`: of all files together; default 1 GiB. */
  constructor(folder: string, { maxBytes = MAX_BYTES, log }: { maxBytes?: number; log: Logger }) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /** For messages. */
  get description(): string {
    return this.#folder;
  }

  /**
   * Where the archive of an image is, or would be. `origin` tells apart those that this machine did not make itself, or
   * not from the layers alone, by whose word they are.
   */
  path(
    image: Pick<KnownImage, "manifestDigest" | "configDigest">,
    options: ScanLayerOptions,
    origin?: string,
  ): string {
    const { manifestDigest, configDigest } = image;
    const { scanRevision } = layerIndexKey({ digest: manifestDigest }, options);
    const { strategy, spacingBytes, fileCheckpointBytes } = options;
    // In a docker archive the manifest is that of all its images: the config tells them apart.
    const made = [FORMAT_VERSION, scanRevision, strategy, spacingBytes, fileCheckpointBytes, configDigest];
    const rest = origin === undefined ? made : [...made, origin];
    const hash = digestHex(sha256(new TextEncoder().encode(JSON.stringify(rest)))).slice(0, 8);
    return `${this.#folder}/${digestAlgorithm(manifestDigest)}_${digestHex(manifestDigest)}-${hash}${ARCHIVE_SUFFIX}`;
  }

  /** Whether there is a file at `path`; counts as a use of it. */
  async has(path: string): Promise<boolean> {
    const now = new Date();
    return await Deno.utime(path, now, now).then(() => true, () => false);
  }

  /**
   * Has the archive at `path` made unless it is there, and tells whether it is there now. Of those who want it at once, one makes it and the others wait.
   * @param options `make`: its bytes; undefined where it cannot be made, and then it is not there. @throws what `make` throws; {ClipError} `io`; the reason of the signal.
   */
  async obtain(
    path: string,
    { make, signal }: { make: () => Promise<readonly Uint8Array[] | undefined>; signal?: AbortSignal },
  ): Promise<boolean> {
    try {
      await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new ClipError("io", `cannot keep archives in ${this.#folder}: ${messageOf(error)}`, { cause: error });
    }
    const onWait = () => this.#log.warn("another clip indexes this image: waiting for it");
    const lock = await lockFile(`${path}.lock`, { signal, onWait });
    try {
      if (await this.has(path)) return true;
      const pieces = await make();
      signal?.throwIfAborted();
      if (pieces === undefined) return false;
      await writeFileAtomically(path, pieces);
      await trimFolder(this.#folder, {
        suffixes: [ARCHIVE_SUFFIX, RECORD_SUFFIX],
        maxBytes: this.#maxBytes,
        kept: path,
      }).catch((error) => this.#log.warn(`cannot make room in ${this.#folder}: ${messageOf(error)}`));
      return true;
    } finally {
      await lock.release();
    }
  }

  /** What `name` meant when it was last looked up; undefined where that is not known, or cannot be read. */
  async known(name: string): Promise<KnownImage | undefined> {
    const path = this.#recordPath(name);
    try {
      const { size } = await Deno.stat(path);
      if (size > MAX_RECORD_BYTES) throw new Error(`${size} bytes`);
      const record: unknown = JSON.parse(await Deno.readTextFile(path));
      if (isRecord(record) && record.name === name) return record;
      throw new Error("not what clip writes");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) this.#log.warn(`cannot use ${path}: ${messageOf(error)}`);
      return undefined;
    }
  }

  /**
   * The result of `work`, which finds out what `name` means, done by one process of the machine at a time; the others
   * wait for it, as long as that takes no more than two seconds: where nobody answers, each is to find out by itself.
   */
  async inTurn<Value>(name: string, signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
    const ends = new AbortController();
    const onAbort = () => ends.abort();
    const timer = setTimeout(onAbort, MAX_TURN_WAIT_MS);
    signal.addEventListener("abort", onAbort);
    const lock = await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 })
      .then(() => lockFile(`${this.#recordPath(name)}.lock`, { signal: ends.signal, onWait: () => {} }))
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      });
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      await lock?.release();
    }
  }

  /** Notes that a name still means what it meant. */
  async confirm(name: string): Promise<void> {
    await Deno.utime(this.#recordPath(name), new Date(), new Date()).catch(() => {});
  }

  /** Whether it was seen after a time, in milliseconds since 1970, what a name means. */
  async wasSeenSince(name: string, sinceMs: number): Promise<boolean> {
    const stat = await Deno.stat(this.#recordPath(name)).catch(() => undefined);
    return stat?.mtime !== undefined && stat.mtime !== null && stat.mtime.getTime() > sinceMs;
  }

  /** Notes what a name means now. What cannot be written is a warning: the image can be mounted all the same. */
  async remember({ name, rootDigest, manifestDigest, configDigest, source }: KnownImage): Promise<void> {
    const path = this.#recordPath(name);
    const record = { version: RECORD_VERSION, name, rootDigest, manifestDigest, configDigest, source };
    try {
      await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFileAtomically(path, [new TextEncoder().encode(`${JSON.stringify(record)}\n`)]);
    } catch (error) {
      this.#log.warn(`cannot note what ${name} is, for --offline: ${messageOf(error)}`);
    }
  }

  #recordPath(name: string): string {
    return `${this.#folder}/${digestHex(sha256(new TextEncoder().encode(name))).slice(0, 32)}${RECORD_SUFFIX}`;
  }
}

function isRecord(value: unknown): value is KnownImage {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Record<string, unknown>;
  return record["version"] === RECORD_VERSION && typeof record["name"] === "string" &&
    typeof record["source"] === "string" && isDigest(record["rootDigest"]) && isDigest(record["manifestDigest"]) &&
    isDigest(record["configDigest"]);
}
