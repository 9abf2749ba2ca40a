import { type Archive, compareArchives, openArchive } from "../archive/mod.ts";
import { bytesSource, ClipError, concatenate } from "../base/mod.ts";
import { STRATEGY_NAMES, type StrategyName } from "../codec/mod.ts";
import type { ScanLayerOptions } from "../indexer/mod.ts";

/** Makes an archive of the image from its layers, with these options, of the lowest so many layers. */
export type DeriveArchive = (options: ScanLayerOptions, layerCount: number) => Promise<readonly Uint8Array[]>;

/**
 * Makes the archive's index anew from the image's layers, and compares: all that the archive says of the image then
 * follows from the manifest's digest. Not compared are the profile and where layers are fetched.
 * @throws {ClipError} `corrupt` naming the first difference; what `derive` throws.
 */
export async function verifyIndex(archive: Archive, derive: DeriveArchive): Promise<void> {
  const { options, layers } = archive.image;
  const derived = await derive({ ...options, strategy: strategyOf(archive) }, layers.length);
  const own = await openArchive(bytesSource(concatenate(derived), `the index made anew of ${archive.description}`));
  const difference = await compareArchives(archive, own);
  if (difference === undefined) return;
  // The tree follows from the layers alone; where places to start at are chosen, versions may have chosen otherwise.
  const hint = /^(?:span|checkpoint|the window)/.test(difference) ? ", unless another version of clip made it" : "";
  throw new ClipError("corrupt", `${archive.description} is not what its layers say: ${difference} differs${hint}`);
}

function strategyOf({ image, description }: Archive): StrategyName {
  const strategy = STRATEGY_NAMES.find((name) => name === image.options.strategy);
  if (strategy !== undefined) return strategy;
  throw new ClipError("unsupported", `${description}: made with a strategy that this clip does not know`);
}
