import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { ClipError, type Digest, isDigest, UsageError } from "../../base/mod.ts";
import { listArchives, removeArchive } from "../../distribution/mod.ts";
import { ArtifactRepository, formatImageReference, parseImageReference, resolveImage } from "../../oci/mod.ts";
import { optionalArgument, requiredArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { registryOptions } from "../options.ts";
import { platformOption } from "../platform_option.ts";
import { sourceOptions } from "../registry_choices.ts";

/** `clip rm-remote` */
export const rmRemote = defineCommand({
  summary: "Remove .clip files that were pushed for an image.",
  description: message`Removes artifacts from the registry, with their tags, and from the list of what belongs to the \
image. The image stays as it is. The room is free after the registry's next collection of garbage. Needs a login that \
may delete; not all registries do.`,
  examples: [
    "clip rm-remote registry.local:5000/team/app:v1 sha256:5e8f…",
    "clip rm-remote --all registry.local:5000/team/app:v1",
  ],
  parser: object({
    image: requiredArgument("IMAGE", message`An image in a registry.`),
    digests: multiple(optionalArgument("DIGEST", message`An artifact, as clip ls-remote shows it.`)),
    all: withDefault(flag("--all", { description: message`All of the image's.` }), false),
    platform: platformOption,
    registry: registryOptions,
  }),
  async run({ image: text, digests, all, platform, registry }, { io, log }) {
    const reference = parseImageReference(text);
    if (reference.transport !== "docker") throw new UsageError(`${text} is in no registry`);
    if (all === digests.length > 0) throw new UsageError("give either digests or --all");
    const named = digests.map((digest): Digest => {
      if (isDigest(digest)) return digest;
      throw new UsageError(`"${digest}" is not a digest: sha256: and 64 hex digits`);
    });
    const options = { ...sourceOptions(registry, { io, log }), signal: io.signal };
    const { image, blobs } = await resolveImage(reference, { ...options, platform });
    blobs.close();
    const repository = new ArtifactRepository(reference, options);
    try {
      const listed = (await listArchives(repository, image.manifestDigest)).map(({ entry }) => entry.digest);
      // Anything else in the repository is none of clip's business, images least of all.
      const other = named.find((digest) => !listed.includes(digest));
      if (other !== undefined) {
        const name = formatImageReference(image.pinnedReference);
        throw new ClipError("not_found", `${name}: ${other} is no index of it; clip ls-remote lists them`);
      }
      for (const digest of all ? listed : named) {
        await removeArchive(repository, digest, image.manifestDigest);
        io.out(`removed ${digest}\n`);
      }
    } finally {
      repository.close();
    }
  },
});
