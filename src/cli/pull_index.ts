import { formatBytes } from "../base/mod.ts";
import { pullArchive, type PulledArchive, verifyIndex, verifySignature, type Wanted } from "../distribution/mod.ts";
import type { BlobStore, Image } from "../oci/mod.ts";
import { type IndexChoices, indexWithProgress } from "./index_with_progress.ts";
import { scanOptions } from "./indexing_options.ts";
import type { CommandContext } from "./io.ts";
import { type PullingChoices, readSigningKey } from "./pulling_options.ts";
import { type RegistryChoices, sourceOptions } from "./registry_choices.ts";

/** How the index of an image is pulled. */
export interface PullIndexChoices extends Pick<IndexChoices, "indexing" | "reuse" | "inflate"> {
  readonly pulling: Pick<PullingChoices, "verifyIndex" | "requireSignature">;
  readonly registry: RegistryChoices;
  /** A tag or digest. */
  readonly artifact?: string | undefined;
}

/**
 * The index of an image from its registry, checked as was asked for; undefined where there is none. With
 * `--checkpoints`, one of that strategy; else one with the options that this machine would use comes first.
 * @throws {ClipError} as `pullArchive` and `verifyIndex`.
 */
export async function pullIndex(
  image: Image,
  blobs: BlobStore,
  choices: PullIndexChoices,
  { io, log }: Pick<CommandContext, "io" | "log">,
): Promise<PulledArchive | undefined> {
  const { indexing, reuse, inflate, registry, artifact, pulling } = choices;
  const wanted: Wanted = { strategy: indexing.checkpoints, options: scanOptions(indexing, inflate) };
  const key = await readSigningKey(pulling.requireSignature);
  const pulled = await pullArchive(image, {
    ...sourceOptions(registry, { io, log }),
    signal: io.signal,
    ...wanted,
    artifact,
    approve: key && ((found, repository) => verifySignature(found, repository, key)),
  });
  if (pulled === undefined) return undefined;
  if (pulling.verifyIndex) {
    await verifyIndex(pulled.archive, async (derivation) => {
      const options = { indexing, reuse, inflate, ...derivation };
      return (await indexWithProgress(image, blobs, options, { io, log })).archive;
    });
  }
  const { digest, foundBy, bytes } = pulled;
  const how = `${key === undefined ? "" : ", signed"}${pulling.verifyIndex ? ", verified" : ""}`;
  log.info(`the index was pulled${how}`, { artifact: digest, foundBy, size: formatBytes(bytes.length) });
  return pulled;
}
