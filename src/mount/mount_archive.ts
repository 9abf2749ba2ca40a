import { ClipError, type Logger, messageOf } from "../base/mod.ts";
import type { Content } from "../content/mod.ts";
import {
  adoptMount,
  type DeferredRead,
  DeferredReplies,
  errnoOf,
  mountFuse,
  REPLY_HEADER_BYTES,
  setReadahead,
  unmountFuse,
} from "../fuse/mod.ts";
import type { MountMetrics } from "./mount_metrics.ts";
import type { FromServeWorker, ServeStart } from "./serve_messages.ts";

/** The mount has to answer within this time of being made. */
const READY_TIMEOUT_MS = 10_000;
/** How far the kernel is asked to read ahead, where that may be set. */
const READAHEAD_BYTES = 1024 * 1024;

/** Buffers of replies that are kept for the next ones. */
const MAX_IDLE_BUFFERS = 4;

/** A mount that was served before, or is to be, by a process that a supervisor starts. */
export interface AdoptedMount {
  /** Its connection, which the supervisor holds as well. */
  readonly fd: number;
  /** Whether to have the kernel send again what the server before this one did not answer. */
  readonly resend: boolean;
  /** An open file: who has its lock serves, and others stand by. undefined: nobody else serves. */
  readonly turnFd?: number | undefined;
  /** Called where another has the turn, once all is prepared for this one's. */
  readonly onStanding?: () => void;
  /** Aborted, before or meanwhile: as long as another has the turn, it is not waited for. */
  readonly signal?: AbortSignal;
}

/** How to mount. */
export interface MountArchiveOptions {
  /** Serve a mount that is there, instead of making one. */
  readonly adopt?: AdoptedMount | undefined;
  /** Whether users other than the one who mounts may enter; default for root only. */
  readonly allowOther?: boolean;
  /** Takes what this thread has to tell. */
  readonly log: Logger;
  /** Whether the serving thread's lines are to be JSON. */
  readonly logJson: boolean;
  /** Takes lines that the serving thread has already formatted. */
  readonly writeLog: (line: string) => void;
  /** Called while the serving thread comes up, which takes its time: what readers will need can be got ready. */
  readonly meanwhile?: (() => void) | undefined;
  /** Counts what the serving thread does; an observer of the content as well, if what that does is to be counted. */
  readonly metrics?: MountMetrics | undefined;
}

/** A live mount. */
export interface ArchiveMount {
  /** Absolute, without symlinks. */
  readonly mountpoint: string;
  /** Resolves when the mount is gone, by whomever; rejects when serving failed. */
  readonly ended: Promise<void>;
  /** Unmounts; of a busy mount, every read under way or to come fails. */
  unmount(): Promise<void>;
}

/**
 * Mounts an archive and serves it: a Worker answers what needs no waiting, this thread the rest. Returns once the
 * kernel has been answered, so that the first look at the mount succeeds.
 * @throws {ClipError} when mounting fails; nothing stays mounted then.
 */
export async function mountArchive(
  content: Content,
  mountpoint: string,
  options: MountArchiveOptions,
): Promise<ArchiveMount> {
  const { log } = options;
  const mount = options.adopt === undefined
    ? await mountFuse(mountpoint, {
      log,
      ...(options.allowOther === undefined ? {} : { allowOther: options.allowOther }),
    })
    : adoptMount(options.adopt.fd, mountpoint);
  // Without a server every access would fail for good: better no mount than a dead one. A supervisor has another.
  const abandon = () =>
    options.adopt === undefined ? unmountFuse(mount.mountpoint, { lazy: true }).catch(() => {}) : Promise.resolve();
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const replies = new MissReplies(content, mount.fd, options);
  const worker = new Worker(new URL("./serve_worker.ts", import.meta.url), { type: "module" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expectRequest = () => {
    const late = () => ready.reject(new ClipError("io", "the kernel did not ask anything"));
    timer = setTimeout(late, READY_TIMEOUT_MS);
  };
  const { signal, onStanding } = options.adopt ?? {};
  const stopStanding = () => timer === undefined ? ready.reject(signal!.reason) : undefined;
  const standBy = () => {
    if (signal?.aborted) return stopStanding();
    signal?.addEventListener("abort", stopStanding, { once: true });
    onStanding?.();
  };
  const fail = (message: string) => {
    const error = new ClipError("internal", `the mount at ${mount.mountpoint} failed: ${message}`);
    ready.reject(error);
    abandon().finally(() => ended.reject(error));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(event.message);
  };
  worker.onmessage = ({ data }: MessageEvent<FromServeWorker>) => {
    if (data.type === "ready") ready.resolve();
    else if (data.type === "standing") standBy();
    else if (data.type === "turn") expectRequest();
    else if (data.type === "deferred") replies.answer(data.read);
    else if (data.type === "touched") content.touched(data.inode, data.layer, data.span);
    else if (data.type === "interrupt") replies.interrupt(data.uniqueLow, data.uniqueHigh);
    else if (data.type === "log") options.writeLog(data.line);
    else if (data.error !== undefined) fail(data.error);
    else {
      ready.reject(new ClipError("io", `${mount.mountpoint} was unmounted before it was served`));
      ended.resolve();
    }
  };
  worker.postMessage(serveStart(content, mount.fd, options));
  options.meanwhile?.();
  ended.promise.catch(() => {}).finally(() => {
    clearTimeout(timer);
    worker.terminate();
    mount.close();
  });
  if (options.adopt?.turnFd === undefined) expectRequest();
  try {
    await ready.promise;
    await Deno.lstat(mount.mountpoint);
    await setReadahead(mount.mountpoint, READAHEAD_BYTES);
  } catch (error) {
    await abandon();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stopStanding);
  }
  return {
    mountpoint: mount.mountpoint,
    ended: ended.promise,
    unmount: () => unmountLive(mount.mountpoint, log),
  };
}

function serveStart(content: Content, fd: number, options: MountArchiveOptions): ServeStart {
  const { archive } = content;
  const { firstSpan, spanOffsets, layerCount } = archive.layers;
  return {
    fd,
    resend: options.adopt?.resend ?? false,
    turnFd: options.adopt?.turnFd,
    treeBytes: archive.treeBytes,
    firstSpan,
    spanOffsets,
    readers: content.localReaders,
    dataPaths: Array.from({ length: layerCount }, (_, layer) => content.layerCache(layer)?.openPath),
    metrics: options.metrics?.table.memory,
    trace: options.metrics?.trace?.ring.memory,
    logLevel: options.log.level,
    logJson: options.logJson,
  };
}

async function unmountLive(mountpoint: string, log: Logger): Promise<void> {
  try {
    await unmountFuse(mountpoint);
  } catch (error) {
    // Its server is about to end: who still reads gets an error now rather than a wait that nobody will end.
    log.warn(`${messageOf(error)}; ending it for those who use it`);
    await unmountFuse(mountpoint, { force: true });
  }
}

/** Answers the reads that had to wait. */
class MissReplies {
  #content: Content;
  #replies: DeferredReplies;
  #log: Logger;
  #metrics: MountMetrics | undefined;
  /** Of replies that have been written, for those to come: most are as long as the kernel's longest read. */
  #buffers: Uint8Array<ArrayBuffer>[] = [];
  /** By the number of the request. */
  #waiting = new Map<bigint, AbortController>();

  constructor(content: Content, fd: number, { log, metrics }: MountArchiveOptions) {
    this.#content = content;
    this.#replies = new DeferredReplies(fd, log);
    this.#log = log;
    this.#metrics = metrics;
  }

  async answer(read: DeferredRead): Promise<void> {
    const unique = uniqueOf(read.uniqueLow, read.uniqueHigh);
    const stop = new AbortController();
    this.#waiting.set(unique, stop);
    this.#metrics?.waiting(1);
    const buffer = this.#buffer(REPLY_HEADER_BYTES + read.lengthBytes);
    try {
      const { inode, offset, lengthBytes } = read;
      const options = { signal: stop.signal, pid: read.pid };
      const bytes = await this.#content.read(inode, offset, lengthBytes, buffer, REPLY_HEADER_BYTES, options);
      this.#replies.replyData(read, buffer, bytes);
    } catch (error) {
      // Content has logged what went wrong.
      this.#fail(read, errnoOf(error));
    } finally {
      this.#waiting.delete(unique);
      this.#metrics?.waiting(-1);
      this.#buffers.push(buffer);
      if (this.#buffers.length > MAX_IDLE_BUFFERS) this.#dropShortest();
    }
  }

  /** A reader was sent a signal: it gets EINTR. What is being fetched for it is cached; what is not yet, is not. */
  interrupt(uniqueLow: number, uniqueHigh: number): void {
    this.#waiting.get(uniqueOf(uniqueLow, uniqueHigh))?.abort(new ClipError("aborted", "the reader was interrupted"));
  }

  #buffer(bytes: number): Uint8Array<ArrayBuffer> {
    const at = this.#buffers.findIndex((buffer) => buffer.length >= bytes);
    return at < 0 ? new Uint8Array(bytes) : this.#buffers.splice(at, 1)[0]!;
  }

  /** Long ones serve every read. */
  #dropShortest(): void {
    this.#buffers.sort((a, b) => b.length - a.length).pop();
  }

  #fail(read: DeferredRead, errno: number): void {
    try {
      this.#replies.replyError(read, errno);
    } catch (error) {
      this.#log.error(messageOf(error));
    }
  }
}

function uniqueOf(low: number, high: number): bigint {
  return BigInt(high) << 32n | BigInt(low);
}
