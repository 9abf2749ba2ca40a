import { KIB, MIB, SILENT } from "../src/base/mod.ts";
import { CheckpointKind, type StrategyName } from "../src/codec/mod.ts";
import { type Archive, openArchive } from "../src/archive/mod.ts";
import { indexImage } from "../src/indexer/mod.ts";
import { machinePlatform, parseImageReference, resolveImage } from "../src/oci/mod.ts";
import { memoryRangeSource } from "../tests/memory_range_source.ts";

/** How an image is indexed. */
export interface IndexChoice {
  readonly strategy: StrategyName;
  readonly spacingMib: number;
}

/** What an index takes. */
export interface IndexFigures {
  /** From the manifest to the archive's bytes in memory, Worker started and everything verified. */
  readonly indexMs: number;
  /** Of the whole .clip. */
  readonly archiveBytes: number;
  readonly compressedBytes: number;
  readonly plainBytes: number;
  /** Windows as they are stored, deflated in groups. */
  readonly windowsBytes: number;
  /** The table of checkpoints, deflated. */
  readonly checkpointsBytes: number;
  /** The table of spans with their digests. */
  readonly spansBytes: number;
  /** How many checkpoints there are of each kind. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Plain bytes of the longest stretch between two checkpoints. */
  readonly longestBytes: number;
}

/** Windows and checkpoints together, in KiB for each GiB of plain bytes. */
export function kibPerGib(
  { windowsBytes, checkpointsBytes, plainBytes }: Pick<
    IndexFigures,
    "windowsBytes" | "checkpointsBytes" | "plainBytes"
  >,
): number {
  return (windowsBytes + checkpointsBytes) / KIB / (plainBytes / 2 ** 30);
}

/** Files of at least this many bytes get a checkpoint, as is the default of `clip index`. */
export const FILE_CHECKPOINT_BYTES: number = 512 * KIB;

/** Indexes the image of a layout in this process, its layers one after another. */
export async function indexInProcess(
  reference: string,
  { strategy, spacingMib }: IndexChoice,
  fileCheckpointBytes: number | null = FILE_CHECKPOINT_BYTES,
): Promise<{ archive: Archive; indexMs: number }> {
  const started = performance.now();
  const source = parseImageReference(reference);
  const { image, blobs } = await resolveImage(source, { log: SILENT, platform: machinePlatform() });
  try {
    const result = await indexImage(image, blobs, {
      strategy,
      spacingBytes: spacingMib * MIB,
      fileCheckpointBytes,
      jobs: 1,
      log: SILENT,
    });
    const indexMs = performance.now() - started;
    const bytes = new Uint8Array(await new Blob(result.archive as BlobPart[]).arrayBuffer());
    return { archive: await openArchive(memoryRangeSource(bytes)), indexMs };
  } finally {
    blobs.close();
  }
}

/** What the archive of an image takes. */
export function describeIndex({ archive, indexMs }: { archive: Archive; indexMs: number }): IndexFigures {
  const { layers, image, table } = archive;
  const names = Object.keys(CheckpointKind);
  const kinds: Record<string, number> = {};
  let longestBytes = 0;
  for (let index = 0; index < layers.firstCheckpoint[layers.layerCount]!; index++) {
    const { kind, plainOffset } = layers.checkpoint(index);
    const name = names[kind]!;
    kinds[name] = (kinds[name] ?? 0) + 1;
    if (kind !== CheckpointKind.start) {
      longestBytes = Math.max(longestBytes, plainOffset - layers.checkpoint(index - 1).plainOffset);
    }
  }
  return {
    indexMs,
    archiveBytes: archive.sizeBytes,
    compressedBytes: image.layers.reduce((bytes, layer) => bytes + layer.compressedBytes, 0),
    plainBytes: image.layers.reduce((bytes, layer) => bytes + layer.plainBytes, 0),
    windowsBytes: table.sections.windows.storedBytes,
    checkpointsBytes: table.sections.checkpoints.storedBytes,
    spansBytes: table.sections.spans.storedBytes,
    kinds,
    longestBytes,
  };
}
