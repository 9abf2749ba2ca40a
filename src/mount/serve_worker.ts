/** Worker: blocks in read(2) on /dev/fuse and answers what can be answered without waiting. */
import { createLogger, LocalReaders, type Logger, messageOf } from "../base/mod.ts";
import { Tree } from "../archive/mod.ts";
import { Errno, errnoName, FuseServer, libc, LockOperation, OpenFlag, requestResend, serve } from "../fuse/mod.ts";
import { ReadRing } from "../metrics/mod.ts";
import { ArchiveFileSystem } from "./archive_file_system.ts";
import { ServingMetrics } from "./serving_metrics.ts";
import type { FromServeWorker, ServeStart } from "./serve_messages.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<ServeStart>) => void;
  postMessage(message: FromServeWorker): void;
};

port.onmessage = ({ data }) => {
  try {
    serveArchive(data);
    port.postMessage({ type: "ended", error: undefined });
  } catch (error) {
    port.postMessage({ type: "ended", error: messageOf(error) });
  }
};

function serveArchive(start: ServeStart): void {
  const log = createLogger({
    level: start.logLevel,
    json: start.logJson,
    write: (line) => port.postMessage({ type: "log", line }),
  });
  const files = new LayerFiles(start.dataPaths, log);
  const { firstSpan, spanOffsets } = start;
  const tree = new Tree(start.treeBytes);
  const ring = start.trace === undefined ? undefined : new ReadRing(start.trace);
  const fileSystem = new ArchiveFileSystem(tree, {
    firstSpan,
    spanOffsets,
    readers: new LocalReaders(start.readers),
    onTouched: (inode, layer, span) => port.postMessage({ type: "touched", inode, layer, span }),
    read: (layer, plainOffset, bytes, target, at) => files.read(layer, plainOffset, bytes, target, at),
  });
  const server = new FuseServer(fileSystem, {
    log,
    pageBytes: libc().pageBytes(),
    ...(start.metrics === undefined
      ? {}
      : { observer: new ServingMetrics(start.metrics, start.dataPaths.length, tree, ring) }),
    onInit: () => port.postMessage({ type: "ready" }),
    onDeferred: (read) => port.postMessage({ type: "deferred", read }),
    onInterrupt: (uniqueLow, uniqueHigh) => port.postMessage({ type: "interrupt", uniqueLow, uniqueHigh }),
  });
  if (start.turnFd !== undefined) takeTurn(start.turnFd);
  if (start.resend) {
    if (!requestResend(start.fd)) throw new Error("the kernel cannot send requests again (Linux before 6.9)");
    port.postMessage({ type: "ready" });
  }
  serve(start.fd, server, { log });
}

/** Waits for the end of the process that serves; the kernel lets go of its lock then, however it ends. */
function takeTurn(fd: number): void {
  const { LOCK_EX, LOCK_NB } = LockOperation;
  let failure = libc().flock(fd, LOCK_EX | LOCK_NB);
  if (-failure === Errno.EAGAIN) {
    port.postMessage({ type: "standing" });
    do failure = libc().flock(fd, LOCK_EX); while (-failure === Errno.EINTR);
  }
  if (failure < 0) throw new Error(`cannot wait for the turn to serve: ${errnoName(-failure)}`);
  port.postMessage({ type: "turn" });
}

/** The layers' cache files. They are opened at once: later their names, or paths, may lead to other files. */
class LayerFiles {
  #descriptors: Int32Array;

  constructor(paths: readonly (string | undefined)[], log: Logger) {
    this.#descriptors = new Int32Array(paths.length);
    paths.forEach((path, layer) => this.#descriptors[layer] = openLayer(path, layer, log));
  }

  read(layer: number, plainOffset: number, bytes: number, target: Uint8Array, at: number): number {
    const descriptor = this.#descriptors[layer]!;
    return descriptor < 0 ? descriptor : libc().pread(descriptor, target, at, bytes, plainOffset);
  }
}

function openLayer(path: string | undefined, layer: number, log: Logger): number {
  // Of layers without a file the main thread has told.
  if (path === undefined) return -Errno.ENOENT;
  const descriptor = libc().open(path, OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC);
  if (descriptor < 0) {
    const reason = `cannot open its cache file: ${errnoName(-descriptor)}`;
    log.warn(`layer ${layer} is read through the main thread, which is slower: ${reason}`);
  }
  return descriptor;
}
