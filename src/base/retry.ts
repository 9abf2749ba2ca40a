import { ClipError } from "./errors.ts";

/** How often and how patiently to try again. */
export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly attempts: number;
  /** Wait before the second try, before jitter; doubles with each further one. */
  readonly firstDelayMs: number;
  /** The longest wait between two tries. */
  readonly maxDelayMs: number;
  /** As long as the other side says that it has too much to do, it is asked again for so long. Default two minutes. */
  readonly patienceMs?: number;
}

/** Four tries with waits of about 0.2, 0.4 and 0.8 s. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 4, firstDelayMs: 200, maxDelayMs: 10_000 };

const DEFAULT_PATIENCE_MS = 120_000;

/** Options of {@linkcode retry}. */
export interface RetryOptions {
  /** Default {@linkcode DEFAULT_RETRY}. */
  readonly policy?: RetryPolicy;
  /** Ends the waiting, and keeps `work` from being started again. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each failure that will be tried again, with the wait that follows. */
  readonly onRetry?: (error: ClipError, delayMs: number) => void;
  /** 0 ≤ value < 1; replaceable for tests. */
  readonly random?: () => number;
}

/** An error may carry the wait that the other side asked for (Retry-After). */
export interface HasRetryAfter {
  /** Milliseconds from the answer on. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the other side is there, and says that it has too much to do. */
  readonly isThrottled?: boolean | undefined;
}

/**
 * The result of `work`, tried again after each ClipError whose `retryable` is true. The waits double and are jittered
 * ("full jitter" over the upper half, so that a fleet does not come back in step); a Retry-After is honoured up to
 * `maxDelayMs` × 6. Who is only told to come later has not failed: such tries are not counted, but have a time.
 * @throws the last error, or that of `signal`.
 */
export async function retry<Value>(
  work: (attempt: number) => Promise<Value>,
  options: RetryOptions = {},
): Promise<Value> {
  const policy = options.policy ?? DEFAULT_RETRY;
  const random = options.random ?? Math.random;
  let failures = 0;
  let throttledSinceMs: number | undefined;
  for (let attempt = 1;; attempt++) {
    options.signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      if (!(error instanceof ClipError) || !error.retryable) throw error;
      const { retryAfterMs = 0, isThrottled = false } = error as HasRetryAfter;
      if (isThrottled) throttledSinceMs ??= Date.now();
      else failures++;
      const isPatient = isThrottled && Date.now() - throttledSinceMs! < (policy.patienceMs ?? DEFAULT_PATIENCE_MS);
      if (isThrottled ? !isPatient : failures >= policy.attempts) throw error;
      const backoffMs = Math.min(policy.firstDelayMs * 2 ** (attempt - 1), policy.maxDelayMs);
      const askedMs = Math.min(retryAfterMs, policy.maxDelayMs * 6);
      const delayMs = Math.max(askedMs, backoffMs / 2) + random() * backoffMs / 2;
      options.onRetry?.(error, delayMs);
      await sleep(delayMs, options.signal);
    }
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it is aborted. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
