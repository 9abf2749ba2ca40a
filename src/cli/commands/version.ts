import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { flag } from "@optique/core/primitives";
import { FORMAT_VERSION } from "../../archive/mod.ts";
import { defineCommand } from "../command.ts";
import { VERSION } from "../version.ts";

/** `clip version` */
export const version = defineCommand({
  summary: "Tell the version.",
  description: message`Tells the version of clip, of the .clip format it reads and writes, and of the Deno inside.`,
  examples: ["clip version", "clip version --json"],
  parser: object({ json: withDefault(flag("--json", { description: message`As JSON.` }), false) }),
  run({ json }, { io }) {
    const { os, arch } = Deno.build;
    const facts = { clip: VERSION, format: FORMAT_VERSION, deno: Deno.version.deno, platform: `${os}/${arch}` };
    if (json) io.out(`${JSON.stringify(facts)}\n`);
    else io.out(`clip ${facts.clip} (format ${facts.format}, Deno ${facts.deno}, ${facts.platform})\n`);
    return Promise.resolve();
  },
});
