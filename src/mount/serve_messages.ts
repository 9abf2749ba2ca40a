/** What the main thread and the serving Worker of a mount say to each other. */
import type { LocalReaders, LogLevel } from "../base/mod.ts";
import type { TreeBytes } from "../archive/mod.ts";
import type { DeferredRead } from "../fuse/mod.ts";

/** To the Worker, once: all it needs to serve. It answers nothing afterwards: it is blocked in read(2). */
export interface ServeStart {
  readonly fd: number;
  /** Whether to have the kernel send again what a server before this one did not answer. */
  readonly resend: boolean;
  /** An open file whose lock is whose turn it is to serve: waited for first, and kept until the process ends. */
  readonly turnFd: number | undefined;
  /** Over SharedArrayBuffers: not copied. */
  readonly treeBytes: TreeBytes;
  readonly firstSpan: Uint32Array;
  readonly spanOffsets: Float64Array;
  readonly readers: Pick<LocalReaders, "spanStates" | "touched" | "sequence">;
  /** What opens the cache file of each layer; undefined where there is none. */
  readonly dataPaths: readonly (string | undefined)[];
  /** Memory of the mount's metrics, and of the trace where there is one. */
  readonly metrics: SharedArrayBuffer | undefined;
  readonly trace: SharedArrayBuffer | undefined;
  readonly logLevel: LogLevel;
  readonly logJson: boolean;
}

/** From the Worker. */
export type FromServeWorker =
  /** All is prepared; it is another's turn still. */
  | { readonly type: "standing" }
  /** It is this server's turn. */
  | { readonly type: "turn" }
  /** The kernel has said its first word: the mount is alive. */
  | { readonly type: "ready" }
  /** A read whose data is not at hand: the main thread is to answer it. */
  | { readonly type: "deferred"; readonly read: DeferredRead }
  /** A span that was to be told of was read. */
  | { readonly type: "touched"; readonly inode: number; readonly layer: number; readonly span: number }
  /** The caller of a request was sent a signal. */
  | { readonly type: "interrupt"; readonly uniqueLow: number; readonly uniqueHigh: number }
  /** A line for the log. */
  | { readonly type: "log"; readonly line: string }
  /** Serving is over: unmounted, or failed for the reason given. */
  | { readonly type: "ended"; readonly error: string | undefined };
