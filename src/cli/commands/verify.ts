import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import type { Archive } from "../../archive/mod.ts";
import { formatBytes } from "../../base/mod.ts";
import type { InflateName } from "../../codec/mod.ts";
import { verifyLayers } from "../../content/mod.ts";
import { layerDescriptor } from "../../library/mod.ts";
import {
  formatImageReference,
  type ImageReference,
  openBlobStore,
  parseImageReference,
  resolveImage,
} from "../../oci/mod.ts";
import { requiredArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { type IndexCacheChoices, indexCacheOptions } from "../index_cache_options.ts";
import { indexWithProgress } from "../index_with_progress.ts";
import { defaultIndexing } from "../indexing_options.ts";
import type { CommandContext } from "../io.ts";
import { openArchiveFile, requireImage } from "../open_archive_file.ts";
import { inflateOption, registryOptions, sourceOption } from "../options.ts";
import { type RegistryChoices, sourceOptions } from "../registry_choices.ts";

/** `clip verify` */
export const verify = defineCommand({
  summary: "Check a .clip file, and the image's layers against it.",
  description:
    message`Checks every section's digest, every index, every window, and that manifest and config are the ones \
named. With --layers it also fetches every layer, unless the archive carries it, decodes every span from its own checkpoint and compares the \
digest. \
With --index it makes the index anew from the layers and compares all of it: then nothing is believed but the \
manifest's digest.`,
  examples: ["clip verify ubuntu.clip", "clip verify --layers ubuntu.clip", "clip verify --index ubuntu.clip"],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    layers: withDefault(flag("--layers", { description: message`Every span against the source as well.` }), false),
    index: withDefault(flag("--index", { description: message`All of it against an index made anew.` }), false),
    source: sourceOption,
    inflate: inflateOption,
    reuse: indexCacheOptions,
    registry: registryOptions,
  }),
  async run({ file, layers, index, source, ...choices }, context) {
    const archive = await openArchiveFile(file, context);
    const { io } = context;
    const name = archive.description;
    await archive.verify(io.signal);
    io.out(`${name}: structure and checksums are right\n`);
    if (!layers && !index) return;
    if (layers && archive.carriesData && source === undefined) {
      io.out(`${name}: ${await verifyCarried(archive, choices, context)}\n`);
      if (!index) return;
    }
    if (source === undefined) requireImage(archive, "compare it with");
    const reference = parseImageReference(source ?? archive.image.source);
    if (layers && (!archive.carriesData || source !== undefined)) {
      io.out(`${name}: ${await verifySpans(archive, reference, choices, context)}\n`);
    }
    if (index) await verifyWhole(archive, reference, choices, context);
    if (index) io.out(`${name}: all of it is what ${formatImageReference(reference)} says\n`);
  },
});

interface VerifyChoices {
  readonly inflate: InflateName;
  readonly reuse: IndexCacheChoices;
  readonly registry: RegistryChoices;
}

/** As `verifySpans`, of an archive that carries its data. */
async function verifyCarried(archive: Archive, { inflate }: VerifyChoices, { io }: CommandContext): Promise<string> {
  const blob = (layer: number) => archive.blob(layer)!;
  const { spans, plainBytes } = await verifyLayers(archive, { blob, signal: io.signal, inflate });
  return `${spans} spans of ${formatBytes(plainBytes)} that it carries are right`;
}

/** Every span against its digest; what was verified. @throws {ClipError} */
async function verifySpans(
  archive: Archive,
  reference: ImageReference,
  { registry, inflate }: VerifyChoices,
  { io, log }: CommandContext,
): Promise<string> {
  const blobs = await openBlobStore(reference, { ...sourceOptions(registry, { io, log }), signal: io.signal });
  try {
    const { spans, plainBytes } = await verifyLayers(archive, {
      blob: (layer) => blobs.layer(layerDescriptor(archive, layer)),
      signal: io.signal,
      inflate,
    });
    return `${spans} spans of ${formatBytes(plainBytes)} are as ${blobs.description} has them`;
  } finally {
    blobs.close();
  }
}

/** Everything against an index made anew. @throws {ClipError} */
async function verifyWhole(
  archive: Archive,
  reference: ImageReference,
  { registry, reuse, inflate }: VerifyChoices,
  { io, log }: CommandContext,
): Promise<void> {
  const { verifyIndex } = await import("../../distribution/mod.ts");
  const { platform } = archive.image;
  const options = { ...sourceOptions(registry, { io, log }), signal: io.signal, platform };
  const { image, blobs } = await resolveImage(reference, options);
  try {
    await verifyIndex(archive, async (derivation) => {
      const choices = { indexing: defaultIndexing(platform), reuse, inflate, ...derivation };
      return (await indexWithProgress(image, blobs, choices, { io, log })).archive;
    });
  } finally {
    blobs.close();
  }
}
