import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { escapeControls } from "../../base/mod.ts";
import { defineCommand } from "../command.ts";
import { type ListedMount, listMounts } from "../list_mounts.ts";
import { shownUptime, table } from "../table.ts";

/** `clip mounts` */
export const mounts = defineCommand({
  summary: "List mounts, dead ones too.",
  description:
    message`All mounts of clip that can be seen here, and whether they answer: alive; dead, when nobody serves \
them any more; silent, when somebody holds the mount without answering; elsewhere, when they are in another mount \
namespace, such as a container's. Of other users' mounts no more is known.`,
  examples: ["clip mounts", "clip mounts --json | jq -r '.[] | select(.state == \"dead\").mountpoint'"],
  parser: object({ json: withDefault(flag("--json", { description: message`As JSON.` }), false) }),
  async run({ json }, { io }) {
    const all = await listMounts(io);
    if (json) io.out(`${JSON.stringify(all.map(facts), undefined, 2)}\n`);
    else if (all.length > 0) {
      io.out(table(["mountpoint", "state", "process", "supervised", "up", "  image"], rows(all)));
    }
  },
});

function facts({ mountpoint, state, found, uid }: ListedMount) {
  const { pid, archive, image, manifestDigest, startedAt, version, supervisor } = found?.record ?? {};
  const record = { pid, archive, image, manifestDigest, startedAt, version, uptimeSeconds: uptimeOf(startedAt) };
  return { mountpoint, state, uid, ...record, supervised: found && supervisor !== undefined, supervisor };
}

function uptimeOf(startedAt: string | undefined): number | undefined {
  return startedAt === undefined ? undefined : Math.max(0, (Date.now() - Date.parse(startedAt)) / 1000);
}

function rows(all: readonly ListedMount[]): string[][] {
  return all.map(({ mountpoint, state, found }) => {
    const place = escapeControls(mountpoint);
    if (found === undefined) return [place, state, "-", "-", "-", ""];
    const { pid, supervisor, startedAt, image } = found.record;
    const isSupervised = supervisor === undefined ? "no" : "yes";
    return [place, state, `${pid}`, isSupervised, shownUptime(uptimeOf(startedAt)!), `  ${escapeControls(image)}`];
  });
}
