import { type Logger, retry, type RetryPolicy } from "../base/mod.ts";

/**
 * The result of `work`, tried again after failures that may pass, until one of `signals` is aborted, also during a wait
 * between two tries. @throws the last error; the reason of a signal.
 */
export async function retryRequest<Value>(
  work: () => Promise<Value>,
  { policy, signals, log }: {
    policy: RetryPolicy | undefined;
    signals: readonly (AbortSignal | undefined)[];
    log: Logger;
  },
): Promise<Value> {
  const either = new AbortController();
  const onAbort = (event: Event) => either.abort((event.target as AbortSignal).reason);
  try {
    for (const source of signals) {
      source?.throwIfAborted();
      source?.addEventListener("abort", onAbort);
    }
    return await retry(work, {
      ...(policy === undefined ? {} : { policy }),
      signal: either.signal,
      onRetry: ({ message }, delayMs) => log.info("trying again", { error: message, delayMs: Math.round(delayMs) }),
    });
  } finally {
    for (const source of signals) source?.removeEventListener("abort", onAbort);
  }
}
