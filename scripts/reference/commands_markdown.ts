import type { CommandPage, OptionGroup } from "./command_pages.ts";
import { ENVIRONMENT, EXIT_STATUSES } from "./environment.ts";

/** docs/commands.md, before `deno fmt`. */
export function commandsMarkdown(pages: readonly CommandPage[], common: readonly OptionGroup[]): string {
  return [
    "# Commands",
    "",
    "<!-- Made by `deno task docs` from the commands' parsers; a check fails where it is stale. -->",
    "",
    "What `clip COMMAND --help` says, of all commands. Results go to standard output, logs and progress to standard",
    "error. The same as a manual page: [clip.1](clip.1).",
    "",
    "| Command | |",
    "| - | - |",
    ...pages.map(({ name, summary }) => `| [\`clip ${name}\`](#clip-${name}) | ${prose(summary)} |`),
    "",
    ...pages.flatMap((page) => [...section(page, 2), ...page.parts.flatMap((part) => section(part, 3))]),
    "## Options of every command",
    "",
    ...common.flatMap(list),
    "## Environment",
    "",
    "| Variable | |",
    "| - | - |",
    ...ENVIRONMENT.map(([name, text]) => `| \`${name}\` | ${prose(text)} |`),
    "",
    "## Exit status",
    "",
    "| | |",
    "| - | - |",
    ...EXIT_STATUSES.map(([status, text]) => `| ${status} | ${prose(text)} |`),
    "",
  ].join("\n");
}

function section({ name, summary, description, usage, groups, examples }: CommandPage, level: number): string[] {
  return [
    `${"#".repeat(level)} clip ${name}`,
    "",
    prose(summary),
    "",
    "```text",
    ...usage.flatMap(wrapUsage),
    "```",
    "",
    ...(description === "" ? [] : [prose(description), ""]),
    ...groups.flatMap(list),
    ...(examples.length === 0 ? [] : ["```sh", ...examples, "```", ""]),
  ];
}

function list({ title, entries }: OptionGroup): string[] {
  return [
    ...(title === "" ? [] : [`**${title}**`, ""]),
    ...entries.map(({ term, text }) => `- \`${term}\`${text === "" ? "" : `: ${prose(text)}`}`),
    "",
  ];
}

/** Text in which everything that Markdown could take for its own is set as code. */
function prose(text: string): string {
  return text.split(/(`[^`]*`)/).map((part) => part.startsWith("`") ? part : part.replace(/\S+/g, quoteWord)).join("");
}

function quoteWord(word: string): string {
  if (!/[$[\]<>*_|{}\\]|^\(?--?[a-zA-Z]|:\/\//.test(word)) return word;
  const [, before, core, after] = /^([(]?)(.*?)([.,;:)]*)$/.exec(word)!;
  return `${before}\`${core}\`${after}`;
}

/** Breaks a line of usage between its terms. */
function wrapUsage(line: string): string[] {
  const lines: string[] = [];
  let current = "";
  for (const term of line.split(/ (?![^[]*\])/)) {
    if (current !== "" && current.length + term.length >= 100) {
      lines.push(current);
      current = `    ${term}`;
    } else current += `${current === "" ? "" : " "}${term}`;
  }
  return [...lines, current];
}
