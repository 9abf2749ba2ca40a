/** What FILE.clip|IMAGE means: options of the commands that read an image's files, and what they open. */
import type { Archive } from "../archive/mod.ts";
import { findArchive, type FoundArchive } from "./find_archive.ts";
import { type IndexCacheChoices, indexCacheOptions } from "./index_cache_options.ts";
import { type IndexingChoices, indexingOptions } from "./indexing_options.ts";
import type { CommandContext } from "./io.ts";
import { type ContentChoices, type OpenContent, openContent } from "./open_content.ts";
import { contentOptions, registryOptions } from "./options.ts";
import { type PullingChoices, pullingOptions } from "./pulling_options.ts";
import type { RegistryChoices } from "./registry_choices.ts";

/** How an archive is found that may have to be made, and how its contents are read. */
export const imageOptionFields = {
  content: contentOptions,
  indexing: indexingOptions,
  reuse: indexCacheOptions,
  pulling: pullingOptions,
  registry: registryOptions,
};

/** The values of {@linkcode imageOptionFields}. */
export interface ImageChoices {
  readonly content: Omit<ContentChoices, "registry">;
  readonly indexing: IndexingChoices;
  readonly reuse: IndexCacheChoices;
  readonly pulling: PullingChoices;
  readonly registry: RegistryChoices;
}

/** The archive of FILE.clip|IMAGE. @throws {ClipError} as `findArchive`. */
export function findImage(
  file: string,
  { content: { inflate, cacheDir, offline, source }, indexing, reuse, pulling, registry }: ImageChoices,
  context: CommandContext,
): Promise<FoundArchive> {
  return findArchive(file, { indexing, reuse, pulling, inflate, cacheDir, offline, source, registry }, context);
}

/** The contents of an archive that was found, and opened. Nothing is fetched before the first read. @throws {ClipError} */
export function openFound(
  archive: Archive,
  { source }: FoundArchive,
  { content, registry }: Pick<ImageChoices, "content" | "registry">,
  context: Pick<CommandContext, "io" | "log">,
): OpenContent {
  return openContent(archive, { ...content, source, registry }, { io: context.io, log: context.log });
}
