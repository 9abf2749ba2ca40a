import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { formatBytes } from "../../base/mod.ts";
import { verifyLayers } from "../../content/mod.ts";
import { openBlobStore, parseImageReference } from "../../oci/mod.ts";
import { defineCommand } from "../command.ts";
import { openArchiveFile } from "../open_archive_file.ts";
import { requiredArgument } from "../basic_options.ts";
import { inflateOption, registryOptions, sourceOption } from "../options.ts";
import { sourceOptions } from "../registry_choices.ts";

/** `clip verify` */
export const verify = defineCommand({
  summary: "Check a .clip file, and the image's layers against it.",
  description:
    message`Checks every section's digest, every index, every window, and that manifest and config are the ones \
named. With --layers it also fetches every layer, decodes every span from its own checkpoint and compares the digest.`,
  examples: ["clip verify ubuntu.clip", "clip verify --layers ubuntu.clip"],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    layers: withDefault(flag("--layers", { description: message`Every span against the source as well.` }), false),
    source: sourceOption,
    inflate: inflateOption,
    registry: registryOptions,
  }),
  async run({ file, layers, source, inflate, registry }, { io, log, atEnd }) {
    const archive = await openArchiveFile(file, { atEnd });
    await archive.verify();
    io.out(`${file}: structure and checksums are right\n`);
    if (!layers) return;
    const reference = parseImageReference(source ?? archive.image.source);
    const blobs = await openBlobStore(reference, { ...sourceOptions(registry, { io, log }), signal: io.signal });
    try {
      const { spans, plainBytes } = await verifyLayers(archive, {
        blob: (layer) => {
          const { digest, diffId, compressedBytes } = archive.image.layers[layer]!;
          return blobs.layer({ digest, diffId, sizeBytes: compressedBytes });
        },
        signal: io.signal,
        inflate,
      });
      io.out(`${file}: ${spans} spans of ${formatBytes(plainBytes)} are as ${blobs.description} has them\n`);
    } finally {
      blobs.close();
    }
  },
});
