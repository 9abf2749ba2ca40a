import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple } from "@optique/core/modifiers";
import { argument } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { ClipError, escapeControls, messageOf } from "../../base/mod.ts";
import { liveMounts } from "../../mount/mod.ts";
import { defineCommand } from "../command.ts";
import { isKernelSince, RESEND_SINCE } from "../kernel_release.ts";
import { findMount, mountFolders } from "../live_mounts.ts";
import { upgradeMount } from "../upgrade_mount.ts";

/** `clip upgrade-mounts` */
export const upgradeMounts = defineCommand({
  summary: "Have live mounts served by this very program.",
  description:
    message`One after the other, each mount made with --daemon, or those that the DIRs are in, is taken over by a server that runs the program which \
this command is of. Whoever reads waits for a moment; nothing fails, and open files stay open. Options are those that the \
mount was made with. Needs Linux 6.9.`,
  examples: ["clip upgrade-mounts", "clip upgrade-mounts /mnt"],
  parser: object({
    directories: multiple(
      argument(string({ metavar: "DIR" }), { description: message`Of a mount, or anything below; default: all.` }),
    ),
  }),
  async run({ directories }, { io }) {
    if (!isKernelSince(Deno.osRelease(), RESEND_SINCE)) {
      const advice = "unmount, and mount again";
      throw new ClipError("unsupported", `Linux ${Deno.osRelease()} has no mounts taken over, 6.9 has: ${advice}`);
    }
    const chosen = directories.length > 0
      ? await Promise.all(directories.map((directory) => findMount(directory, io)))
      : (await liveMounts(mountFolders(io))).filter(({ record }) => record.supervisor !== undefined);
    let failures = 0;
    for (const found of chosen) {
      const { mountpoint, pid, version } = found.record;
      try {
        const { record } = await upgradeMount(found, io);
        const processes = `process ${pid} (clip ${version}) → ${record.pid} (clip ${record.version})`;
        io.out(`${escapeControls(mountpoint)}: ${processes}\n`);
      } catch (error) {
        io.signal.throwIfAborted();
        failures++;
        io.err(`clip: error: ${escapeControls(messageOf(error))}\n`);
      }
    }
    return failures > 0 ? 1 : 0;
  },
});
