import { ClipError, formatBytes, formatDuration, type Logger, messageOf, sleep } from "../base/mod.ts";
import { type Content, planAll, planProfile, type SpanRange } from "../content/mod.ts";

/** What a mount fetches before anybody asks for it. */
export const PREFETCH_MODES = ["none", "profile", "all"] as const;

/** One of {@linkcode PREFETCH_MODES}. */
export type PrefetchMode = (typeof PREFETCH_MODES)[number];

/** A prefetch that fails is tried again after so long, and then after twice as long each. */
const FIRST_PAUSE_MS = 5000;
const MAX_TRIES = 6;

/**
 * Fetches the archive's profile, and for `all` everything else after it, as long as the signal lets it. What goes wrong
 * is a line in the log: readers fetch for themselves what is not there.
 */
export async function prefetch(
  content: Content,
  { mode, signal, log }: { mode: PrefetchMode; signal: AbortSignal; log: Logger },
): Promise<void> {
  const { layers, profile } = content.archive;
  if (mode === "none") return;
  await fetchAhead(content, planProfile(layers, profile), { what: "the profile", signal, log });
  if (mode === "all") await fetchAhead(content, planAll(layers), { what: "the image", signal, log });
}

async function fetchAhead(
  content: Content,
  plan: readonly SpanRange[],
  { what, signal, log }: { what: string; signal: AbortSignal; log: Logger },
): Promise<void> {
  if (plan.length === 0) return;
  const started = performance.now();
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await content.prefetch(plan, { signal });
      const duration = formatDuration(performance.now() - started);
      const fetched = formatBytes(content.counters.fetchedBytes);
      return log.info(`prefetched ${what} in ${duration}; fetched since the mount: ${fetched}`);
    } catch (error) {
      if (signal.aborted) return;
      const mayPass = error instanceof ClipError && (error.code === "network" || error.code === "registry");
      if (!mayPass || attempt === MAX_TRIES) return log.warn(`prefetching ${what} failed: ${messageOf(error)}`);
      log.info(`prefetching ${what} failed and is tried again: ${messageOf(error)}`);
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal).catch(() => {});
    }
  }
}
