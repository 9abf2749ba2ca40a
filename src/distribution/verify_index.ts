import { type Archive, compareArchives, openArchive } from "../archive/mod.ts";
import { bytesSource, ClipError, concatenate, type Digest } from "../base/mod.ts";
import { CheckpointKind, STRATEGY_NAMES, type StrategyName } from "../codec/mod.ts";
import type { LayerStarts, ScanLayerOptions } from "../indexer/mod.ts";

/** How an archive is made anew. */
export interface Derivation {
  /** The options that it was made with. */
  readonly scan: ScanLayerOptions;
  /** Of the lowest so many layers. */
  readonly layerCount: number;
  /** Places of checkpoints besides those of the strategy. */
  readonly starts?: LayerStarts;
}

/** Makes an archive of the image from its layers. */
export type DeriveArchive = (derivation: Derivation) => Promise<readonly Uint8Array[]>;

/** Differences that come from where checkpoints are, as `compareArchives` names them. */
const PLACES = /^(?:span|checkpoint|the window)/;

/**
 * Makes the archive's index anew from the image's layers, and compares: all that the archive says of the image then
 * follows from the manifest's digest. Not compared are the profile and where layers are fetched.
 * @throws {ClipError} `corrupt` naming the first difference; what `derive` throws.
 */
export async function verifyIndex(archive: Archive, derive: DeriveArchive): Promise<void> {
  const { options, layers } = archive.image;
  const derivation = { scan: { ...options, strategy: strategyOf(archive) }, layerCount: layers.length };
  let difference = await differenceTo(archive, await derive(derivation));
  if (difference === undefined) return;
  // The tree follows from the layers alone; places to start at may have been made for a profile, which is not held to.
  if (PLACES.test(difference)) {
    difference = await differenceTo(archive, await derive({ ...derivation, starts: fileStarts(archive) }));
    if (difference === undefined) return;
  }
  const hint = PLACES.test(difference) ? ", unless another version of clip made it" : "";
  throw new ClipError("corrupt", `${archive.description} is not what its layers say: ${difference} differs${hint}`);
}

async function differenceTo(archive: Archive, derived: readonly Uint8Array[]): Promise<string | undefined> {
  const own = await openArchive(bytesSource(concatenate(derived), `the index made anew of ${archive.description}`));
  return await compareArchives(archive, own);
}

/** Where the archive has checkpoints before files and for a profile: whoever is told of them makes the same ones. */
function fileStarts({ image, layers }: Archive): Map<Digest, number[]> {
  return new Map(image.layers.map(({ diffId }, layer) => {
    const starts: number[] = [];
    for (let at = layers.firstCheckpoint[layer]!; at < layers.firstCheckpoint[layer + 1]!; at++) {
      const { kind, plainOffset } = layers.checkpoint(at);
      if (kind === CheckpointKind.file) starts.push(plainOffset);
    }
    return [diffId, starts];
  }));
}

function strategyOf({ image, description }: Archive): StrategyName {
  const strategy = STRATEGY_NAMES.find((name) => name === image.options.strategy);
  if (strategy !== undefined) return strategy;
  throw new ClipError("unsupported", `${description}: made with a strategy that this clip does not know`);
}
