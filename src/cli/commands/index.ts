import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { integer } from "@optique/core/valueparser";
import {
  bytesSource,
  concatenate,
  formatBytes,
  formatCount,
  formatDuration,
  UsageError,
  writeFileAtomically,
} from "../../base/mod.ts";
import type { InflateName } from "../../codec/mod.ts";
import { profileStarts } from "../../content/mod.ts";
import { hasFileCheckpoints, type IndexResult } from "../../indexer/mod.ts";
import {
  formatImageReference,
  formatPlatform,
  type Image,
  type ImageReference,
  listPlatforms,
  parseImageReference,
  resolveImage,
} from "../../oci/mod.ts";
import { defineCommand } from "../command.ts";
import { type IndexCacheChoices, indexCacheOptions } from "../index_cache_options.ts";
import { indexWithProgress } from "../index_with_progress.ts";
import { type IndexingChoices, indexingOptions, scanOptions } from "../indexing_options.ts";
import type { CommandContext } from "../io.ts";
import { path, requiredArgument } from "../basic_options.ts";
import { inflateOption, registryOptions } from "../options.ts";
import { checkOutput, defaultOutput } from "../output_file.ts";
import { layerIndexesOption, layerIndexesRepository } from "../pulling_options.ts";
import { readProfiles, withProfiles } from "../profile_files.ts";
import { pushIndex, type PushingChoices, pushingFields } from "../pushing.ts";
import { type RegistryChoices, sourceOptions } from "../registry_choices.ts";

/** `clip index` */
export const index = defineCommand({
  summary: "Read an image's layers once and write a .clip file.",
  description:
    message`IMAGE is a reference as docker takes it (ubuntu:24.04, ghcr.io/owner/name@sha256:…), or one of skopeo's \
transports: docker://REFERENCE, oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE[:NAME[:TAG]]. Layers are streamed: \
nothing is stored and nothing is converted. The .clip file is all that a mount needs besides the registry. What is learnt \
of a layer is kept: the next image that has it downloads nothing of it.`,
  examples: [
    "clip index ubuntu:24.04",
    "clip index --plain-http registry.local:5000/app:v1 -o app.clip",
    "clip index oci:./layout:latest --use-case fast-read -o app.clip",
    "clip index --layers 3 ghcr.io/owner/app:v1 -o base.clip",
    "clip index --profile start.profile python:3.13",
    "clip index --push --layer-indexes ghcr.io/owner/layers ghcr.io/owner/app:v1",
  ],
  parser: object({
    image: requiredArgument("IMAGE", message`What to index.`),
    scope: object("What and where", {
      output: optional(option("-o", "--output", path("FILE"), {
        description: message`Where to write; default the image's name, its tag and .clip, or nowhere with --push.`,
      })),
      layers: optional(option("--layers", integer({ metavar: "K", min: 1 }), {
        description: message`Index the lowest K layers alone, to be mounted below further ones; default all.`,
      })),
      allPlatforms: withDefault(
        flag("--all-platforms", {
          description: message`Index the image for every Linux platform that it is there for, a file or artifact each.`,
        }),
        false,
      ),
      profiles: multiple(option("--profile", path("PROFILE"), {
        description:
          message`Put this profile (see clip profile) into the archive, and make a checkpoint wherever it begins to read: then nothing is fetched in vain for it. Layers that it names are read even if they are known. Several are taken in this order.`,
      })),
      inflate: inflateOption,
    }),
    pushing: object("Pushing", {
      push: withDefault(flag("--push", { description: message`Store it beside the image, as clip push does.` }), false),
      ...pushingFields,
      layerIndexes: layerIndexesOption,
    }),
    indexing: indexingOptions,
    reuse: indexCacheOptions,
    registry: registryOptions,
  }),
  async run({ image: text, scope, ...choices }, context) {
    const { io, log } = context;
    const reference = parseImageReference(text);
    const { push } = choices.pushing;
    if (push && reference.transport !== "docker") throw new UsageError(`--push: ${text} is in no registry; clip push`);
    if (push && scope.layers !== undefined) throw new UsageError("--push goes with all layers, not with --layers");
    const { allPlatforms, output } = scope;
    if (allPlatforms && output !== undefined) throw new UsageError("--all-platforms makes several files: without -o");
    const options = { ...sourceOptions(choices.registry, { io, log }), signal: io.signal };
    const platforms = allPlatforms ? await listPlatforms(reference, options) : [];
    if (platforms.length === 0) {
      const title = defaultOutput(reference);
      return await indexOne(
        { reference, title, output: output ?? (push ? undefined : title) },
        { ...choices, scope },
        context,
      );
    }
    for (const platform of platforms) {
      const title = defaultOutput(reference, platform);
      const indexing = { ...choices.indexing, platform };
      const what = { reference, title, output: push ? undefined : title };
      await indexOne(what, { ...choices, scope, indexing }, context);
    }
  },
});

/** The values of the parser above, as far as one image goes. */
interface OneChoices {
  readonly scope: {
    readonly inflate: InflateName;
    readonly layers: number | undefined;
    readonly profiles: readonly string[];
  };
  readonly pushing: PushingChoices & { readonly push: boolean; readonly layerIndexes: string | undefined };
  readonly indexing: IndexingChoices;
  readonly reuse: IndexCacheChoices;
  readonly registry: RegistryChoices;
}

/** Indexes the image for one platform, to a file or to the registry. @throws {ClipError} */
async function indexOne(
  { reference, title, output }: { reference: ImageReference; title: string; output: string | undefined },
  { scope, pushing, indexing, reuse, registry }: OneChoices,
  { io, log }: CommandContext,
): Promise<void> {
  const started = performance.now();
  if (output !== undefined) await checkOutput(output);
  const profiles = await readProfiles(scope.profiles);
  const profile = profiles.flatMap(({ ranges }) => ranges);
  if (profile.length > 0 && !hasFileCheckpoints(scanOptions(indexing, scope.inflate))) {
    throw new UsageError("--profile goes with --checkpoints exact or file");
  }
  const repository = layerIndexesRepository(pushing.layerIndexes, { io });
  const shared = repository && { repository, push: pushing.push, registry };
  const source = { ...sourceOptions(registry, { io, log }), signal: io.signal, platform: indexing.platform };
  const { image, blobs } = await resolveImage(reference, source);
  try {
    if (profile.length > 0 && !image.layers.some(({ diffId }) => profile.some((range) => range.diffId === diffId))) {
      throw new UsageError(`nothing that the profiles name is in ${formatImageReference(image.pinnedReference)}`);
    }
    const choices = { indexing, reuse, inflate: scope.inflate, layerCount: scope.layers, shared };
    const starts = profileStarts(profile);
    const indexed = await indexWithProgress(image, blobs, { ...choices, starts }, { io, log });
    // A name of a file that was not written would be looked for.
    const what = output ?? `index of ${formatImageReference(reference)}`;
    const archive = await withProfiles(indexed.archive, what, { profiles, log });
    const result = { ...indexed, archiveBytes: archive.reduce((bytes, piece) => bytes + piece.length, 0) };
    if (output !== undefined) await writeFileAtomically(output, archive);
    io.out(`${summary(what, image, result, performance.now() - started)}\n`);
    if (!pushing.push) return;
    const file = bytesSource(concatenate(archive), title);
    await pushIndex({ source: file, title, reference: image.pinnedReference }, { ...pushing, registry }, { io, log });
  } finally {
    blobs.close();
  }
}

function summary(what: string, image: Image, result: IndexResult, durationMs: number): string {
  const sum = (of: (scan: IndexResult["scans"][number]) => number) => result.scans.reduce((n, scan) => n + of(scan), 0);
  const compressedBytes = sum((scan) => scan.compressedBytes);
  const share = compressedBytes === 0 ? 0 : 100 * result.archiveBytes / compressedBytes;
  const count = result.scans.length;
  const all = image.layers.length;
  const layers = `${count === all ? "" : `${count} of `}${formatCount(all, "layer")}`;
  const reused = result.reused.filter((known) => known).length;
  const size = `${formatBytes(compressedBytes)} (${formatBytes(sum((scan) => scan.plainBytes))} unpacked)`;
  return `${what}: ${formatBytes(result.archiveBytes)}, ${share.toFixed(2)} % of ${layers} of ${size}; ` +
    `${formatPlatform(image.platform)}, ${sum((scan) => scan.checkpoints.length)} checkpoints, ${
      formatDuration(durationMs)
    }${reused === 0 ? "" : `; ${reused} of ${formatCount(count, "layer")} reused`}\n` +
    `${formatImageReference(image.pinnedReference)}`;
}
