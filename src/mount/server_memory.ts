/** A server that has been busy, and is not any more, is to be small: a worker machine has one for each mount. */
import { setTimeout } from "node:timers";
import { libc } from "../fuse/mod.ts";

/** After this a Worker that was told to end has ended. */
const SETTLE_MS = 1000;

/** To be called before there are threads: keeps the C library from holding on to buffers of a megabyte. */
export function limitMemory(): void {
  libc().limitHeap();
}

/**
 * Gives back what a burst of reads has left behind: V8 would not look for garbage before there is more of it, and the C
 * library keeps what is freed. Takes some milliseconds. The collector can be called only where V8 was started with
 * --expose-gc, as the executable is.
 */
export function releaseMemory(): void {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  setTimeout(() => libc().trimHeap(), SETTLE_MS).unref();
}
