import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import type { InflateName } from "../../codec/mod.ts";
import { mountArchive } from "../../mount/mod.ts";
import { defineCommand } from "../command.ts";
import { startDaemon } from "../daemon.ts";
import type { CommandContext } from "../io.ts";
import { openArchiveFile, openContent } from "../open_content.ts";
import { contentOptions, registryOptions, requiredArgument } from "../options.ts";

/** `clip mount` */
export const mount = defineCommand({
  summary: "Show an indexed image's root file system in a directory.",
  description: message`The files are there at once; what is read of them is fetched, checked and kept. Serves until \
Ctrl-C, SIGTERM or \`clip unmount\`. Needs /dev/fuse, and fusermount3 for users other than root. A mount on DIR whose \
server was killed is replaced.`,
  examples: [
    "clip mount ubuntu.clip /mnt",
    "clip mount --daemon ubuntu.clip /mnt && ls /mnt && clip unmount /mnt",
  ],
  parser: object({
    file: requiredArgument("FILE.clip", message`What clip index wrote.`),
    directory: requiredArgument("DIR", message`An existing directory.`),
    mounting: object("Mounting", {
      daemon: withDefault(
        flag("--daemon", { description: message`Return once the mount answers; it is served in the background.` }),
        false,
      ),
      allowOther: withDefault(
        flag("--allow-other", { description: message`Let other users in; root always does.` }),
        false,
      ),
      detach: withDefault(flag("--detached-child", { hidden: true }), false),
    }),
    content: contentOptions,
    registry: registryOptions,
  }),
  async run(options, context) {
    if (options.mounting.daemon) await startDaemon(options, context);
    else await serveMount(options, context);
  },
});

/** The values of the parser above, as far as serving goes. */
export interface MountChoices {
  readonly file: string;
  readonly directory: string;
  readonly mounting: { readonly allowOther: boolean; readonly detach: boolean };
  readonly content: {
    readonly cacheDir: string | undefined;
    readonly noCheckpoints: boolean;
    readonly inflate: InflateName;
    readonly source: string | undefined;
  };
  readonly registry: { readonly plainHttp: boolean };
}

async function serveMount(options: MountChoices, context: CommandContext): Promise<void> {
  const { io, log, writeLog, logging } = context;
  if (options.mounting.detach) (await import("../../fuse/mod.ts")).libc().setsid();
  const archive = await openArchiveFile(options.file, context);
  const { content, close } = openContent(archive, { ...options.content, ...options.registry }, { io, log });
  try {
    const mounted = await mountArchive(content, options.directory, {
      ...(options.mounting.allowOther ? { allowOther: true } : {}),
      log,
      logJson: logging.logJson,
      writeLog,
    });
    io.out(`mounted ${options.file} on ${mounted.mountpoint}\n`);
    const onAbort = () => mounted.unmount().catch((error) => log.error(String(error)));
    if (io.signal.aborted) onAbort();
    io.signal.addEventListener("abort", onAbort, { once: true });
    await mounted.ended;
    log.info("unmounted", { mountpoint: mounted.mountpoint, ...content.counters });
  } finally {
    close();
  }
}
