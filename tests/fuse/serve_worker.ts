/** A Worker that serves a MemoryFileSystem; what it is told first is a ServeOrder, what it tells are ServeReports. */
import { messageOf } from "../../src/base/mod.ts";
import { type DeferredRead, FuseServer, type Negotiated, requestResend, serve } from "../../src/fuse/mod.ts";
import { MemoryFileSystem, type NodeSpec } from "./memory_file_system.ts";

/** What to serve, and where. */
export interface ServeOrder {
  readonly fd: number;
  readonly root: NodeSpec;
  /** Ask for unanswered requests again before serving. */
  readonly resend?: boolean;
  /** The loop ends when the first element is not 0. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/** What happened. */
export type ServeReport =
  | { readonly kind: "init"; readonly negotiated: Negotiated }
  | { readonly kind: "deferred"; readonly read: DeferredRead }
  | { readonly kind: "interrupt"; readonly uniqueLow: number; readonly uniqueHigh: number }
  | { readonly kind: "end"; readonly reason: string; readonly handled: number };

const scope = self as unknown as {
  postMessage(report: ServeReport): void;
  onmessage: (event: MessageEvent<ServeOrder>) => void;
  close(): void;
};

scope.onmessage = ({ data: { fd, root, resend, stop } }) => {
  const server = new FuseServer(new MemoryFileSystem(root), {
    onDeferred: (read) => scope.postMessage({ kind: "deferred", read }),
    onInterrupt: (uniqueLow, uniqueHigh) => scope.postMessage({ kind: "interrupt", uniqueLow, uniqueHigh }),
    onInit: (negotiated) => scope.postMessage({ kind: "init", negotiated }),
  });
  let handled = -1;
  const shouldStop = () => (handled++, Atomics.load(stop, 0) !== 0);
  try {
    if (resend === true) requestResend(fd);
    scope.postMessage({ kind: "end", reason: serve(fd, server, { shouldStop }), handled });
  } catch (error) {
    scope.postMessage({ kind: "end", reason: messageOf(error), handled });
  }
  scope.close();
};
