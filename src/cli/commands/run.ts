import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { integer, string } from "@optique/core/valueparser";
import { defineCommand } from "../command.ts";
import { containerOptions, lastOfClip, programArguments } from "../container_options.ts";
import { imageOptionFields } from "../image_options.ts";
import { checkTerminal, openBundleImage } from "../make_bundle.ts";
import { duration, requiredArgument } from "../basic_options.ts";
import { cleanUp, runContainer } from "../run_container.ts";
import { findRuntime } from "../runtime.ts";
import { endWithParent, runInUserNamespace } from "../user_namespace.ts";

/** `clip run` */
export const run = defineCommand({
  summary: "Run a program in a container of an image.",
  description:
    message`Mounts the image, lays an overlay over it, and has an OCI runtime start a container: the image's \
program, or CMD. Its exit status is that of the program. Afterwards nothing is left: what was written is thrown away, \
unless to a --volume. Signals are passed on; after a second Ctrl-C the container is killed. Users other than root run it in a user namespace.`,
  examples: [
    "clip run ubuntu:24.04 cat /etc/os-release",
    "clip run --network host --volume /srv:/srv python.clip python3 -m http.server",
    "clip run node:22 --eval 'console.log(6 * 7)'",
    "clip run -t ubuntu.clip bash",
  ],
  parser: object({
    file: lastOfClip(requiredArgument("FILE.clip|IMAGE", message`What clip index wrote, or an image.`)),
    program: programArguments(),
    running: object("Running", {
      runtime: optional(option("--runtime", string({ metavar: "NAME|PATH" }), {
        description: message`What starts the container; default runc or crun, whichever is there.`,
      })),
      stopTimeoutMs: withDefault(
        option("--stop-timeout", duration(), {
          description: message`How long the program may take to end after Ctrl-C or SIGTERM; default 10s.`,
        }),
        10_000,
      ),
      cleanUp: withDefault(flag("--clean-up", { hidden: true }), false),
      parent: optional(option("--parent", integer({ min: 1 }), { hidden: true })),
    }),
    container: containerOptions,
    ...imageOptionFields,
  }),
  async run({ running, ...choices }, context) {
    const runtime = findRuntime(running.runtime, context.io);
    if (running.cleanUp) return await cleanUp(choices.file, runtime);
    const { terminal } = choices.container;
    checkTerminal(terminal);
    if (Deno.uid() !== 0) return await runInUserNamespace(Deno.args.slice(Deno.args.indexOf("run") + 1), { terminal });
    if (running.parent !== undefined) context.atEnd(endWithParent(running.parent));
    const image = await openBundleImage(choices, context);
    return await runContainer(image, { ...choices, runtime, stopTimeoutMs: running.stopTimeoutMs }, context);
  },
});
