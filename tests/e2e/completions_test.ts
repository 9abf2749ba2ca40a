/** What Tab offers, in real shells that have read `clip completions`. */
import assert from "node:assert/strict";
import { CLIP_COMMAND } from "./clip_process.ts";
import { mustRun } from "./programs.ts";
import { e2eTest, type Workbench } from "./workbench.ts";

/** A command line as far as the cursor, and what it can become: all of it, or with `…` some of it. */
const CASES: readonly [line: string, offered: readonly string[]][] = [
  ["clip unm", ["unmount"]],
  ["clip mo", ["mount", "mounts"]],
  ["clip mount --pre", ["--prefetch"]],
  ["clip mount --prefetch ", ["none", "profile", "all"]],
  ["clip cache v", ["verify"]],
  ["clip cache gc --all", ["--all-unused"]],
  ["clip help ins", ["inspect"]],
  ["clip ls im", ["image.clip", "images/"]],
  ["clip mount image.clip im", ["images/"]],
  ["clip mount --cache-dir im", ["images/"]],
  ["clip ls --he", ["--help"]],
  ["clip no-such-command ", []],
];

/** Makes files to be offered, and a `clip` on the PATH. */
async function prepare(bench: Workbench): Promise<Record<string, string>> {
  bench.directory("images");
  await Deno.writeTextFile(bench.path("image.clip"), "");
  await Deno.writeTextFile(bench.path("image.txt"), "");
  const words = CLIP_COMMAND.map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${bench.directory("bin")}/clip`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  return { PATH: `${bench.path("bin")}:${Deno.env.get("PATH")}`, HOME: bench.folder };
}

/** Runs the shell's own `script` once with every line as an argument; it answers with a line for each. */
async function offers(bench: Workbench, shell: string, script: string): Promise<void> {
  const env = await prepare(bench);
  const lines = CASES.map(([line]) => line);
  const out = await mustRun([shell, "-c", script, shell, ...lines], { cwd: bench.folder, env });
  const answers = out.split("\n");
  CASES.forEach(([line, offered], at) => {
    const answer = answers[at]!.split(" ").filter((word) => word !== "").sort();
    assert.deepEqual(answer, [...offered].sort(), `${shell}: ${line}`);
  });
}

e2eTest("bash completes commands, options, values and files of the right kind", ["bash"], async (bench) => {
  const script = `
    source <(clip completions bash)
    complete -p clip | grep -q -- '-F _clip' || exit 1
    for COMP_LINE in "$@"; do
      COMP_POINT=\${#COMP_LINE}
      read -r -a COMP_WORDS <<< "$COMP_LINE"
      [[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _clip clip "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
      echo "\${COMPREPLY[@]}"
    done`;
  await offers(bench, "bash", script);
});

e2eTest("fish completes the same", ["fish"], async (bench) => {
  await offers(
    bench,
    "fish",
    `
    clip completions fish | source
    for line in $argv[2..]
      string join -- " " (complete -C "$line" | string replace -r "\\t.*" "")
      or true
    end`,
  );
});

e2eTest("zsh completes a line that somebody types", ["zsh"], async (bench) => {
  const env = await prepare(bench);
  const script = `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell 'PS1="ready> "; autoload -Uz compinit; compinit -u -D; source <(clip completions zsh); echo be"gun"'
    zpty -r -m shell answer '*begun*'
    zpty -w -n shell $'clip unm\\t'
    zpty -r -m shell answer '*unmount*'
    zpty -w -n shell $'\\x15clip mount --pref\\t'
    zpty -r -m shell answer '*--prefetch*'
    zpty -d shell`;
  await mustRun(["timeout", "30", "zsh", "-f", "-c", script], { cwd: bench.folder, env });
});
