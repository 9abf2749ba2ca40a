import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { FORMAT_VERSION } from "../../archive/mod.ts";
import { defineCommand } from "../command.ts";
import { readLicences } from "../licences.ts";
import { runningCommit, VERSION } from "../version.ts";

/** `clip version` */
export const version = defineCommand({
  summary: "Tell the version.",
  description:
    message`Tells the version of clip, the commit it was made of, the version of the .clip format it reads and writes, those \
of the Deno and the V8 inside, and for which machines it was made.`,
  examples: ["clip version", "clip version --json", "clip version --licences | less"],
  parser: object({
    json: withDefault(flag("--json", { description: message`As JSON.` }), false),
    licences: withDefault(
      flag("--licences", { description: message`Show the licences of all that is inside the executable instead.` }),
      false,
    ),
  }),
  async run({ json, licences }, { io }) {
    if (licences) return io.out(await readLicences());
    const { deno, v8 } = Deno.version;
    const { target } = Deno.build;
    const commit = await runningCommit();
    const facts = { clip: VERSION, commit, format: FORMAT_VERSION, deno, v8, target };
    if (json) return io.out(`${JSON.stringify(facts)}\n`);
    const shownCommit = /^[0-9a-f]{40}$/.test(commit) ? commit.slice(0, 12) : commit;
    io.out(`clip ${VERSION} (commit ${shownCommit}, format ${FORMAT_VERSION}, Deno ${deno}, V8 ${v8}, ${target})\n`);
  },
});
