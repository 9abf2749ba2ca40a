import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { dirname } from "node:path";
import { escapeControls, messageOf, UsageError } from "../../base/mod.ts";
import { type BundleFolder, mountedBundle } from "../../bundle/mod.ts";
import { unmountFuse } from "../../fuse/mod.ts";
import { optionalArgument } from "../basic_options.ts";
import { defineCommand } from "../command.ts";
import type { Io } from "../io.ts";
import { listMounts } from "../list_mounts.ts";

/** `clip unmount` */
export const unmount = defineCommand({
  summary: "Take a mount away.",
  description: message`The process that serves the mount ends by itself. A mount whose server was killed is taken away \
too. Of a bundle, all its mounts are.`,
  examples: ["clip unmount /mnt", "clip unmount --lazy /mnt", "clip unmount --all"],
  parser: object({
    directory: optional(
      optionalArgument("DIR", message`Where the image is mounted, or a bundle that clip bundle has made.`),
    ),
    all: withDefault(
      flag("--all", {
        description: message`All mounts of clip, dead ones too: of this user, or for root of everybody.`,
      }),
      false,
    ),
    lazy: withDefault(
      flag("-l", "--lazy", {
        description: message`Even if it is in use: out of sight now, gone with its last open file.`,
      }),
      false,
    ),
  }),
  async run({ directory, all, lazy }, { io }) {
    if (all && directory !== undefined) throw new UsageError("--all goes without DIR");
    if (all) return await unmountAll(lazy, io);
    if (directory === undefined) throw new UsageError("DIR is missing; --all takes all mounts away");
    const bundle = await mountedBundle(directory);
    if (bundle === undefined) await unmountFuse(directory, { lazy });
    else await bundle.unmount({ lazy });
  },
});

/** The last one first: mounts may lie in one another. One that is in use must not keep the others. */
async function unmountAll(lazy: boolean, io: Io): Promise<number> {
  const uid = Deno.uid();
  const here = (await listMounts(io)).filter((mount) =>
    mount.state !== "elsewhere" && (uid === 0 || mount.uid === uid)
  );
  let failures = 0;
  for (const { mountpoint, state } of here.reverse()) {
    try {
      const bundle = await bundleOf(mountpoint);
      if (bundle !== undefined) await bundle.unmount({ lazy });
      else await unmountFuse(mountpoint, { lazy: lazy || state !== "alive" });
      io.out(`unmounted ${escapeControls(mountpoint)}\n`);
    } catch (error) {
      failures++;
      io.err(`clip: error: ${escapeControls(messageOf(error))}\n`);
    }
  }
  return failures > 0 ? 1 : 0;
}

/** The bundle whose image is mounted there: its overlay keeps it in use. */
async function bundleOf(mountpoint: string): Promise<BundleFolder | undefined> {
  const bundle = await mountedBundle(dirname(mountpoint));
  if (bundle?.part("lower") !== mountpoint) return undefined;
  return await Deno.stat(bundle.part("config")).then(() => bundle, () => undefined);
}
