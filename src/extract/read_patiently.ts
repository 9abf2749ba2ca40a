import { ClipError, type Logger, messageOf, sleep } from "../base/mod.ts";

/** A registry that does not answer is asked again after so long; by then, Content tries it again. */
const PAUSES_MS: readonly number[] = [2000, 5000];

/**
 * A read that goes through the whole of an image, and is not to end for a registry that is away for some seconds.
 * @throws what `read` throws in the end; the reason of the signal.
 */
export async function readPatiently(
  read: () => Promise<number>,
  { signal, log }: { signal: AbortSignal; log: Logger },
): Promise<number> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = error instanceof ClipError && (error.code === "network" || error.code === "registry");
      if (!mayPass) throw error;
      log.warn(`trying again in ${pauseMs / 1000} s: ${messageOf(error)}`);
      await sleep(pauseMs, signal);
    }
  }
  return await read();
}
