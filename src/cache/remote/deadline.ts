import { ClipError, formatDuration } from "../../base/mod.ts";

/** How long work may take. */
export interface Deadline {
  /** From now on. */
  readonly timeoutMs: number;
  /** Ends it sooner. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The result of `work`, which is given up once the time is over, or the signal aborted: nobody waits longer, whatever
 * `work` does. @throws {ClipError} `network` when the time is over. @throws the reason of the signal.
 */
export async function withinDeadline<Value>(
  work: (signal: AbortSignal) => Promise<Value>,
  { timeoutMs, signal }: Deadline,
): Promise<Value> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new ClipError("network", `no answer for ${formatDuration(timeoutMs)}`, { retryable: true }));
  }, timeoutMs);
  const onAbort = () => controller.abort(signal!.reason);
  // Not AbortSignal.any: listeners on a signal that lives long must go when the work ends.
  signal?.addEventListener("abort", onAbort);
  try {
    return await orAborted(work(controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** The result of `work`, unless `signal` is aborted first. @throws the reason of the signal. */
export function orAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
