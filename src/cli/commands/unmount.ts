import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { mountedBundle } from "../../bundle/mod.ts";
import { unmountFuse } from "../../fuse/mod.ts";
import { defineCommand } from "../command.ts";
import { requiredArgument } from "../basic_options.ts";

/** `clip unmount` */
export const unmount = defineCommand({
  summary: "Take a mount away.",
  description: message`The process that serves the mount ends by itself. A mount whose server was killed is taken away \
too. Of a bundle, all its mounts are.`,
  examples: ["clip unmount /mnt", "clip unmount --lazy /mnt"],
  parser: object({
    directory: requiredArgument("DIR", message`Where the image is mounted, or a bundle that clip bundle has made.`),
    lazy: withDefault(
      flag("-l", "--lazy", {
        description: message`Even if it is in use: out of sight now, gone with its last open file.`,
      }),
      false,
    ),
  }),
  async run({ directory, lazy }) {
    const bundle = await mountedBundle(directory);
    if (bundle === undefined) await unmountFuse(directory, { lazy });
    else await bundle.unmount({ lazy });
  },
});
