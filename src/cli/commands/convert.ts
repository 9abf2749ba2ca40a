import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { option } from "@optique/core/primitives";
import { formatBytes, formatDuration, replaceFileAtomically, UsageError } from "../../base/mod.ts";
import { layerDescriptor } from "../../library/mod.ts";
import { openBlobStore, parseImageReference } from "../../oci/mod.ts";
import { carryBlobs } from "../../pack/mod.ts";
import { path, requiredArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { findArchive } from "../find_archive.ts";
import { indexCacheOptions } from "../index_cache_options.ts";
import { indexingOptions } from "../indexing_options.ts";
import { cacheDirOption, inflateOption, registryOptions, sourceOption } from "../options.ts";
import { createBytesProgress } from "../progress.ts";
import { pullingOptions } from "../pulling_options.ts";
import { sourceOptions } from "../registry_choices.ts";

/** `clip convert` */
export const convert = defineCommand({
  summary: "Put an image's layers into its .clip file, for use without the registry.",
  description: message`Writes an archive that carries the layers' blobs as they are: each is fetched once and compared \
with its digest, nothing is decoded or compressed anew. All else stays as it is: caches fit, a profile stays, and \
manifest and config are the image's.`,
  examples: [
    "clip convert ubuntu.clip -o ubuntu-whole.clip",
    "clip convert ubuntu:24.04 -o ubuntu.clip && clip mount --cache-dir none ubuntu.clip /mnt",
  ],
  parser: object({
    file: requiredArgument("FILE.clip|IMAGE", message`What clip index wrote, or an image.`),
    output: option("-o", "--output", path("FILE.clip"), {
      description: message`Where to write; it may be the same file.`,
    }),
    reading: object("Reading", { cacheDir: cacheDirOption, inflate: inflateOption, source: sourceOption }),
    indexing: indexingOptions,
    reuse: indexCacheOptions,
    pulling: pullingOptions,
    registry: registryOptions,
  }),
  async run({ file, output, reading, indexing, reuse, pulling, registry }, context) {
    const { io } = context;
    const started = performance.now();
    const choices = { ...reading, offline: false, registry, indexing, reuse, pulling };
    const found = await findArchive(file, choices, context);
    const archive = await found.open();
    if (archive.carriesData) throw new UsageError(`${archive.description} carries its data already`);
    const reference = parseImageReference(found.source ?? archive.image.source);
    const blobs = await openBlobStore(reference, { ...sourceOptions(registry, context), signal: io.signal });
    const progress = createBytesProgress(indexing.progress, io);
    try {
      const archiveBytes = await replaceFileAtomically(output, (placed) =>
        carryBlobs(archive, placed, {
          blob: (layer) => blobs.layer(layerDescriptor(archive, layer)),
          signal: io.signal,
          onProgress: progress.onProgress,
        }));
      progress.end();
      const count = archive.image.layers.length;
      const layers = `${count} ${count === 1 ? "layer" : "layers"}`;
      io.out(
        `${output}: ${formatBytes(archiveBytes)} with ${layers}, ${formatDuration(performance.now() - started)}\n`,
      );
    } finally {
      progress.end();
      blobs.close();
    }
  },
});
