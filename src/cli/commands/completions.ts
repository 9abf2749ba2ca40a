import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { argument } from "@optique/core/primitives";
import { choice } from "@optique/core/valueparser";
import { defineCommand } from "../command.ts";
import { SHELLS } from "../complete.ts";

/** `clip completions` */
export const completions = defineCommand({
  summary: "Write what a shell needs to complete clip's commands.",
  description:
    message`What it writes asks clip at each press of Tab, so it need not be renewed when clip is. Commands, \
options, their values, and files of the right kind are completed. For bash the package bash-completion is not needed.`,
  examples: [
    "source <(clip completions bash)",
    "clip completions bash >~/.local/share/bash-completion/completions/clip",
    "clip completions zsh >~/.zfunc/_clip",
    "clip completions fish >~/.config/fish/completions/clip.fish",
  ],
  parser: object({
    shell: argument(choice(Object.keys(SHELLS) as (keyof typeof SHELLS)[], { metavar: "SHELL" }), {
      description: message`bash, zsh or fish.`,
      errors: { endOfInput: message`SHELL is missing: bash, zsh or fish.` },
    }),
  }),
  run({ shell }, { io }) {
    io.out(SHELLS[shell].generateScript("clip", ["__complete", shell]));
    return Promise.resolve();
  },
});
