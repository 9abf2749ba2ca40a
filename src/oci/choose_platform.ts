import type { Descriptor } from "./descriptor.ts";
import { documentKind } from "./media_types.ts";
import { type Platform, platformDistance } from "./platform.ts";

/**
 * The entries of an index in which an image for `wanted` may be found, best first: those that state a platform that
 * suits (the same before older variants), then those that state none. Attestations and artifacts are left out, and so
 * are entries that are neither a manifest nor an index. The order of the index decides between equals.
 */
export function choosePlatform(entries: readonly Descriptor[], wanted: Platform): readonly Descriptor[] {
  const candidates: { entry: Descriptor; rank: number }[] = [];
  for (const entry of entries) {
    if (!isImageEntry(entry)) continue;
    const rank = entry.platform === undefined ? Infinity : platformDistance(wanted, entry.platform);
    if (rank !== undefined) candidates.push({ entry, rank });
  }
  return candidates.sort((a, b) => a.rank === b.rank ? 0 : a.rank - b.rank).map(({ entry }) => entry);
}

/** Whether an entry of an index is, or may lead to, an image. */
export function isImageEntry(entry: Descriptor): boolean {
  return !entry.isAttachment && documentKind(entry.mediaType) !== undefined;
}
