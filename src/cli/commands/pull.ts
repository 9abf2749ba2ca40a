import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { ClipError, formatBytes, isDigest, writeFileAtomically } from "../../base/mod.ts";
import { formatImageReference, parseImageReference, resolveImage } from "../../oci/mod.ts";
import { path, requiredArgument, valueOf } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { indexCacheOptions } from "../index_cache_options.ts";
import { indexingOptions } from "../indexing_options.ts";
import { inflateOption, registryOptions } from "../options.ts";
import { checkOutput, defaultOutput } from "../output_file.ts";
import { pullIndex } from "../pull_index.ts";
import { parseTag } from "../pushing.ts";
import { requireSignatureOption, verifyIndexOption } from "../pulling_options.ts";
import { sourceOptions } from "../registry_choices.ts";

/** It becomes a part of a URL. */
const artifactName = valueOf("TAG|DIGEST", "", (text) => isDigest(text) ? text : parseTag(text), (name) => name);

/** `clip pull` */
export const pull = defineCommand({
  summary: "Fetch the .clip file that was pushed for an image.",
  description: message`Looks for what clip push stored for the image, checks that it is sound and of this very image, \
and writes it to a file. Of several, one of the strategy of --checkpoints, or else one with the options that clip index \
would use, or one with a profile, comes first. What it says of the layers is the word of who pushed it, unless \
--verify-index or --require-signature is given, or --artifact with a digest that is known.`,
  examples: [
    "clip pull registry.local:5000/team/app:v1",
    "clip pull --verify-index -o app.clip registry.local:5000/team/app:v1",
    "clip pull --artifact nightly registry.local:5000/team/app:v1",
  ],
  parser: object({
    image: requiredArgument("IMAGE", message`An image in a registry.`),
    pulling: object("What and where", {
      output: optional(option("-o", "--output", path("FILE"), {
        description: message`Where to write; default the image's name, its tag and .clip.`,
      })),
      artifact: optional(option("--artifact", artifactName, {
        description: message`Just this one, as clip ls-remote shows it, or the tag that it was pushed with.`,
      })),
      verifyIndex: verifyIndexOption,
      requireSignature: requireSignatureOption,
      inflate: inflateOption,
    }),
    indexing: indexingOptions,
    reuse: indexCacheOptions,
    registry: registryOptions,
  }),
  async run({ image: text, pulling, indexing, reuse, registry }, { io, log }) {
    const reference = parseImageReference(text);
    const output = pulling.output ?? defaultOutput(reference);
    await checkOutput(output);
    const source = { ...sourceOptions(registry, { io, log }), signal: io.signal, platform: indexing.platform };
    const { image, blobs } = await resolveImage(reference, source);
    try {
      const { artifact, inflate } = pulling;
      const choices = { indexing, reuse, inflate, registry, artifact, pulling };
      const pulled = await pullIndex(image, blobs, choices, { io, log });
      if (pulled === undefined) {
        const name = formatImageReference(image.pinnedReference);
        throw new ClipError(
          "not_found",
          `${name}: no index was pushed for it that this clip reads; clip index makes one`,
        );
      }
      await writeFileAtomically(output, [pulled.bytes]);
      const verified = pulling.verifyIndex ? ", is what the layers say" : "";
      io.out(
        `${output}: ${formatBytes(pulled.bytes.length)}, found by ${pulled.foundBy}${verified}\n${pulled.digest}\n`,
      );
    } finally {
      blobs.close();
    }
  },
});
