import { equalBytes } from "../base/mod.ts";
import type { CheckpointRecord } from "./layer_tables.ts";
import type { Archive } from "./open_archive.ts";
import type { ImageInfo, LayerInfo } from "./model.ts";
import type { TreeBytes } from "./tree.ts";

/** What of a checkpoint does not depend on the zlib that deflated its window. */
const CHECKPOINT_FIELDS: readonly (keyof CheckpointRecord)[] = [
  "kind",
  "plainOffset",
  "compressedBitOffset",
  "atHeader",
  "blockBitOffset",
  "prefixBytes",
];

/**
 * Where two archives first differ in what they say of the image, in words; undefined where they say the same. Not
 * compared are where the layers can be fetched, the profile, and how windows are deflated: that depends on the version
 * of zlib. @throws {CorruptError} where windows or documents of one are not sound.
 */
export async function compareArchives(one: Archive, other: Archive): Promise<string | undefined> {
  return compareImages(one.image, other.image) ?? compareTrees(one.treeBytes, other.treeBytes) ??
    compareCounts(one.image, other.image) ?? compareSpans(one, other) ?? await compareCheckpoints(one, other) ??
    await compareDocuments(one, other);
}

function compareImages(one: ImageInfo, other: ImageInfo): string | undefined {
  const { source: _, layers, ...rest } = one;
  const { source: __, layers: otherLayers, ...otherRest } = other;
  for (const field of Object.keys(rest) as (keyof typeof rest)[]) {
    if (JSON.stringify(rest[field]) !== JSON.stringify(otherRest[field])) return `the image's ${field}`;
  }
  const layer = Array.from({ length: Math.max(layers.length, otherLayers.length) }, (_, number) => number)
    .find((number) => described(layers[number]) !== described(otherLayers[number]));
  return layer === undefined ? undefined : `what it says of layer ${layer}`;
}

/** A layer, without what is told of with the places of its checkpoints. */
function described(layer: LayerInfo | undefined): string | undefined {
  return layer && JSON.stringify({ ...layer, checkpoints: 0, spans: 0 });
}

function compareCounts({ layers }: ImageInfo, { layers: others }: ImageInfo): string | undefined {
  for (const [number, { checkpoints, spans }] of layers.entries()) {
    if (checkpoints !== others[number]!.checkpoints) return `checkpoint count of layer ${number}`;
    if (spans !== others[number]!.spans) return `span count of layer ${number}`;
  }
  return undefined;
}

function compareTrees(one: TreeBytes, other: TreeBytes): string | undefined {
  const names = Object.keys(one) as (keyof TreeBytes)[];
  const name = names.find((name) => !equalBytes(one[name], other[name]));
  return name === undefined ? undefined : `the file tree (${name})`;
}

function compareSpans({ layers: one }: Archive, { layers: other }: Archive): string | undefined {
  const count = one.firstSpan[one.layerCount]!;
  for (let layer = 0; layer < one.layerCount; layer++) {
    for (let span = one.firstSpan[layer]!; span < one.firstSpan[layer + 1]!; span++) {
      const isSame = span < count && one.spanOffsets[span] === other.spanOffsets[span] &&
        one.spanCheckpoint(layer, span) === other.spanCheckpoint(layer, span) &&
        one.spanCompressedEnd(layer, span) === other.spanCompressedEnd(layer, span) &&
        equalBytes(one.spanDigest(span), other.spanDigest(span));
      if (!isSame) return `span ${span - one.firstSpan[layer]!} of layer ${layer}`;
    }
  }
  return undefined;
}

async function compareCheckpoints(one: Archive, other: Archive): Promise<string | undefined> {
  const count = one.layers.firstCheckpoint[one.layers.layerCount]!;
  for (let index = 0; index < count; index++) {
    const [a, b] = [one.layers.checkpoint(index), other.layers.checkpoint(index)];
    if (CHECKPOINT_FIELDS.some((field) => a[field] !== b[field])) return `checkpoint ${index}`;
    const [first, second] = [await one.window(index), await other.window(index)];
    const isSame = equalBytes(first.window, second.window) && equalBytes(first.blockHeader, second.blockHeader);
    if (!isSame) return `the window of checkpoint ${index}`;
  }
  return undefined;
}

async function compareDocuments(one: Archive, other: Archive): Promise<string | undefined> {
  if (!equalBytes(await one.manifest(), await other.manifest())) return "the manifest";
  return equalBytes(await one.config(), await other.config()) ? undefined : "the config";
}
