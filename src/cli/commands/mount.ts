import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { choice, integer, string } from "@optique/core/valueparser";
import { ClipError, UsageError } from "../../base/mod.ts";
import { defineCommand } from "../command.ts";
import { startDaemon } from "../daemon.ts";
import type { CommandContext } from "../io.ts";
import type { FoundArchive } from "../find_archive.ts";
import { findImage, type ImageChoices, imageOptionFields } from "../image_options.ts";
import { PREFETCH_MODES, type PrefetchMode } from "../prefetch.ts";
import { duration, path, requiredArgument } from "../basic_options.ts";
import { type ReportChoices, reportOptions } from "../report_options.ts";
import { findServing, serveMount, type Serving } from "../serve_mount.ts";

/** `clip mount` */
export const mount = defineCommand({
  summary: "Show an image's root file system in a directory.",
  description:
    message`IMAGE is a reference as clip index takes it: what the name means is asked of its registry, and its archive \
is looked for in the cache folder, then beside the image (--pull); where there is none, the image is indexed, for which \
all its layers are read. A file that exists is an archive, and so is every name that ends in \
.clip or begins with /, ./ or ../. The files are there at once; what is read of them is fetched, checked and kept. Serves until \
Ctrl-C, SIGTERM or \`clip unmount\`. Needs /dev/fuse, and fusermount3 for users other than root. A mount on DIR whose \
server was killed is replaced.`,
  examples: [
    "clip mount ubuntu.clip /mnt",
    "clip mount ubuntu:24.04 /mnt",
    "clip mount --record start.profile --record-for 30s ubuntu.clip /mnt",
    "clip mount --daemon ubuntu.clip /mnt && ls /mnt && clip unmount /mnt",
  ],
  parser: object({
    file: requiredArgument("FILE.clip|IMAGE", message`What clip index wrote, or an image.`),
    directory: requiredArgument("DIR", message`An existing directory.`),
    mounting: object("Mounting", {
      daemon: withDefault(
        flag("--daemon", { description: message`Return once the mount answers; it is served in the background.` }),
        false,
      ),
      standby: withDefault(
        flag("--standby", {
          description: message`With --daemon: keep a second server ready, for a pause of milliseconds when the first \
ends. It takes as much memory again.`,
        }),
        false,
      ),
      allowOther: withDefault(
        flag("--allow-other", { description: message`Let other users in; root always does.` }),
        false,
      ),
      prefetch: withDefault(
        option("--prefetch", choice(PREFETCH_MODES, { metavar: "WHAT" }), {
          description: message`What is fetched before anybody asks for it: none; profile, what the archive's profile \
names, if it has one; all, that and then the rest of the image. Reads go first. Default profile.`,
        }),
        "profile" as const,
      ),
      record: optional(option("--record", path("PROFILE"), {
        description: message`Write to this file what is read, and in which order, for clip profile add.`,
      })),
      recordForMs: optional(option("--record-for", duration(), {
        description: message`Record so long; default until the mount ends.`,
      })),
      // What a supervisor says to the servers that it starts.
      fuseFd: optional(option("--fuse-fd", integer({ min: 3 }), { hidden: true })),
      supervised: optional(option("--supervised", string({ metavar: "DIR" }), { hidden: true })),
      resend: withDefault(flag("--resend", { hidden: true }), false),
    }),
    reports: reportOptions,
    ...imageOptionFields,
  }),
  async run(options, context) {
    const { record, recordForMs, daemon, standby } = options.mounting;
    if (recordForMs !== undefined && record === undefined) throw new UsageError("--record-for goes with --record");
    if (standby && !daemon) throw new UsageError("--standby goes with --daemon");
    if (daemon) return await startDaemon(options, await find(options, context), context);
    const serving = await findServing(options, context);
    await serveMount(await find(options, context, serving), options, serving, context);
  },
});

/** The values of the parser above, as far as serving goes. */
export interface MountChoices extends ImageChoices {
  readonly file: string;
  readonly directory: string;
  readonly mounting: {
    readonly allowOther: boolean;
    readonly standby: boolean;
    readonly prefetch: PrefetchMode;
    readonly record: string | undefined;
    readonly recordForMs: number | undefined;
    readonly fuseFd: number | undefined;
    readonly supervised: string | undefined;
    readonly resend: boolean;
  };
  readonly reports: ReportChoices;
}

/** The archive to mount, and where its layers are. An image is indexed only where there is a directory for it. */
async function find(options: MountChoices, context: CommandContext, serving?: Serving): Promise<FoundArchive> {
  // A mount that is there already, and not served yet, would not answer.
  if (serving?.adopt === undefined) await checkDirectory(options.directory);
  return await findImage(options.file, options, context);
}

/** Only what can be no mountpoint is refused; a dead mount, which cannot even be looked at, is one. */
async function checkDirectory(directory: string): Promise<void> {
  const stat = await Deno.stat(directory).catch((error) => error);
  if (stat instanceof Deno.errors.NotFound) throw new ClipError("not_found", `${directory} does not exist`);
  if (!(stat instanceof Error) && !stat.isDirectory) throw new ClipError("io", `${directory}: it is not a directory`);
}
