import { isImageEntry } from "./choose_platform.ts";
import { openSource } from "./open_blob_store.ts";
import { formatPlatform, type Platform } from "./platform.ts";
import type { ImageReference } from "./reference.ts";
import type { SourceOptions } from "./source.ts";

/**
 * The platforms that the index states which `reference` names, those of Linux, each once; none where it names a single
 * image. Indexes in indexes are not looked into. @throws {ClipError} as `resolveImage`.
 */
export async function listPlatforms(
  reference: ImageReference,
  options: SourceOptions,
): Promise<readonly Platform[]> {
  if (reference.transport === "docker-archive") return [];
  const source = await openSource(reference, options);
  try {
    const { parsed } = await source.root();
    const entries = parsed.kind === "index" ? parsed.entries.filter(isImageEntry) : [];
    const platforms = entries.flatMap(({ platform }) => platform?.os === "linux" ? [platform] : []);
    return [...new Map(platforms.map((platform) => [formatPlatform(platform), platform])).values()];
  } finally {
    source.blobs.close();
  }
}
