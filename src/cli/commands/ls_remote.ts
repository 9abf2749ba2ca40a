import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { escapeControls, formatBytes, UsageError } from "../../base/mod.ts";
import { listArchives, type ListedArchive, readFacts } from "../../distribution/mod.ts";
import { ArtifactRepository, formatImageReference, parseImageReference, resolveImage } from "../../oci/mod.ts";
import { requiredArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { registryOptions } from "../options.ts";
import { platformOption } from "../platform_option.ts";
import { sourceOptions } from "../registry_choices.ts";
import { table } from "../table.ts";

/** `clip ls-remote` */
export const lsRemote = defineCommand({
  summary: "List the .clip files that were pushed for an image.",
  description: message`What the registry says of them; nothing is fetched, and nothing of it is checked. \
\`clip rm-remote\` removes one.`,
  examples: ["clip ls-remote registry.local:5000/team/app:v1", "clip ls-remote --json registry.local:5000/team/app:v1"],
  parser: object({
    image: requiredArgument("IMAGE", message`An image in a registry.`),
    json: withDefault(flag("--json", { description: message`One JSON object a line.` }), false),
    platform: platformOption,
    registry: registryOptions,
  }),
  async run({ image: text, json, platform, registry }, { io, log }) {
    const reference = parseImageReference(text);
    if (reference.transport !== "docker") throw new UsageError(`${text} is in no registry`);
    const options = { ...sourceOptions(registry, { io, log }), signal: io.signal };
    const { image, blobs } = await resolveImage(reference, { ...options, platform });
    blobs.close();
    const repository = new ArtifactRepository(reference, options);
    try {
      const listed = await listArchives(repository, image.manifestDigest);
      if (json) return io.out(listed.map((each) => `${JSON.stringify(jsonOf(each))}\n`).join(""));
      const name = formatImageReference(image.pinnedReference);
      if (listed.length === 0) return io.out(`${name}: no index\n`);
      io.out(`${name}\n${table(HEAD, listed.map(rowOf))}`);
    } finally {
      repository.close();
    }
  },
});

const HEAD = ["ARTIFACT", "SIZE", "SPACING", " STRATEGY", "PROFILE", " CLIP", " FOUND BY"];

function rowOf({ entry, foundBy }: ListedArchive): string[] {
  const facts = readFacts(entry.annotations);
  const shown = (text: string | number | undefined) =>
    text === undefined ? "?" : escapeControls(String(text).slice(0, 60));
  const size = (bytes: number | undefined) => bytes === undefined ? "?" : formatBytes(bytes);
  return [
    entry.digest,
    size(facts.archiveBytes),
    size(facts.spacingBytes),
    ` ${shown(facts.strategy)}`,
    shown(facts.profileRanges),
    ` ${shown(facts.clipVersion)}`,
    ` ${foundBy}`,
  ];
}

function jsonOf({ entry: { digest, sizeBytes, mediaType, annotations }, foundBy }: ListedArchive): unknown {
  return { digest, mediaType, manifestBytes: sizeBytes, foundBy, ...readFacts(annotations), annotations };
}
