import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { argument, flag } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { messageOf, sleep } from "../../base/mod.ts";
import { liveMounts, type MountStats } from "../../mount/mod.ts";
import { defineCommand } from "../command.ts";
import type { Io } from "../io.ts";
import { askForStats, findMount, mountFolders } from "../live_mounts.ts";
import { showStats, showStatsList } from "../show_stats.ts";

const WATCH_EVERY_MS = 1000;
const CLEAR_SCREEN = "\x1b[H\x1b[2J";

/** `clip stats` */
export const stats = defineCommand({
  summary: "Tell what live mounts have read, and from where.",
  description:
    message`Asks the process that serves the mount which DIR is in; without DIR, those of all mounts of this user, a line \
each. What is counted begins with the mount. Reads that the kernel answers from its own cache reach nobody, and are not \
counted.`,
  examples: ["clip stats /mnt", "clip stats --watch /mnt", "clip stats --json /mnt | jq .reads", "clip stats"],
  parser: object({
    directory: optional(argument(string({ metavar: "DIR" }), { description: message`Of a mount, or anything below.` })),
    json: withDefault(flag("--json", { description: message`As JSON; with --watch, an object a line.` }), false),
    watch: withDefault(flag("--watch", { description: message`Again every second, until Ctrl-C.` }), false),
  }),
  async run({ directory, json, watch }, { io, log }) {
    const ask = directory === undefined
      ? () => askAll(io, (problem) => log.warn(problem))
      : () => askOne(directory, io);
    if (!watch) return io.out(json ? `${JSON.stringify(await ask(), undefined, 2)}\n` : show(await ask()));
    for (; !io.signal.aborted; await sleep(WATCH_EVERY_MS, io.signal).catch(() => {})) {
      const answer = await ask();
      io.out(json ? `${JSON.stringify(answer)}\n` : CLEAR_SCREEN + show(answer));
    }
  },
});

async function askOne(directory: string, io: Io): Promise<MountStats> {
  return await askForStats(await findMount(directory, io));
}

/** One that does not answer must not hide the others. */
async function askAll(io: Io, tell: (problem: string) => void): Promise<MountStats[]> {
  const asked = (await liveMounts(mountFolders(io))).map((found) =>
    askForStats(found).catch((error) => void tell(messageOf(error)))
  );
  return (await Promise.all(asked)).filter((stats) => stats !== undefined);
}

function show(stats: MountStats | MountStats[]): string {
  return Array.isArray(stats) ? showStatsList(stats) : showStats(stats);
}
