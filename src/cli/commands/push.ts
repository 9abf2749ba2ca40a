import { basename } from "node:path";
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import { FileRangeSource, LazyFile } from "../../base/mod.ts";
import { parseImageReference } from "../../oci/mod.ts";
import { optionalArgument, requiredArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import { openArchiveFile, requireImage } from "../open_archive_file.ts";
import { registryOptions } from "../options.ts";
import { pushIndex, pushingFields } from "../pushing.ts";

/** `clip push` */
export const push = defineCommand({
  summary: "Store a .clip file beside its image, for other machines to pull.",
  description: message`Stores it in the image's repository as an OCI artifact that belongs to the image's manifest: \
oras discover, skopeo and the registry's own pages show it, and clip mount IMAGE finds it. IMAGE is needed only where \
the image is not where it was indexed; it has to be the very image. Needs a login that may push.`,
  examples: [
    "clip push app.clip",
    "clip push app.clip registry.local:5000/team/app:v1",
    "clip push --keep-tag app.clip",
  ],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    image: optional(optionalArgument("IMAGE", message`Where the image is; default where it was indexed.`)),
    pushing: object("Pushing", pushingFields),
    registry: registryOptions,
  }),
  async run({ file, image, pushing, registry }, context) {
    const archive = await openArchiveFile(file, context);
    requireImage(archive, "be stored beside");
    const opened = new LazyFile(file);
    context.atEnd(() => opened.close());
    const source = FileRangeSource.whole(opened);
    const reference = parseImageReference(image ?? archive.image.source);
    await pushIndex({ source, title: basename(file), reference }, { ...pushing, registry }, context);
  },
});
