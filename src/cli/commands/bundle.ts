import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { newBundleFolder } from "../../bundle/mod.ts";
import { showArchive } from "../archive_url.ts";
import { defineCommand } from "../command.ts";
import { containerOptions, lastOfClip, programArguments } from "../container_options.ts";
import { imageOptionFields } from "../image_options.ts";
import { makeBundle, openBundleImage } from "../make_bundle.ts";
import { requiredArgument } from "../basic_options.ts";

/** `clip bundle` */
export const bundle = defineCommand({
  summary: "Make a folder from which an OCI runtime starts a container.",
  description:
    message`DIR, which is made or has to be empty, becomes an OCI bundle: config.json, made from the image's \
config, and rootfs, where an overlay lies over the mounted image. What the container writes is kept in DIR/writable. CMD \
is what runs in place of the image's command. The mounts stay until \`clip unmount DIR\`; then the folder can be \
removed. Needs root, or a user namespace (unshare -Urm).`,
  examples: [
    "clip bundle ubuntu:24.04 box -- sleep 60 && runc run -b box name",
    "clip bundle --network host --volume /srv:/srv:ro python.clip box -- python3 -m http.server",
    "clip unmount box",
  ],
  parser: object({
    file: requiredArgument("FILE.clip|IMAGE", message`What clip index wrote, or an image.`),
    directory: lastOfClip(requiredArgument("DIR", message`The bundle's folder.`)),
    program: programArguments(),
    container: containerOptions,
    ...imageOptionFields,
  }),
  async run(options, context) {
    const image = await openBundleImage(options, context);
    const folder = await newBundleFolder(options.directory);
    await makeBundle(folder, image, options, context);
    const made = `made a bundle of ${showArchive(options.file)} in ${folder.path}`;
    context.io.out(`${made}; \`clip unmount\` takes its mounts away\n`);
  },
});
