import { object } from "@optique/core/constructs";
import { type DocEntry, isDocEntryHidden } from "@optique/core/doc";
import { formatMessage, type Message } from "@optique/core/message";
import { getDocPageSync, type Parser } from "@optique/core/parser";
import { formatUsage, formatUsageTerm } from "@optique/core/usage";
import { logOptions } from "../../src/cli/basic_options.ts";
import { COMMANDS } from "../../src/cli/commands.ts";

/** What the reference says of a command, or of a part of one, such as `cache gc`. All text is plain. */
export interface CommandPage {
  /** `cache gc` */
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  /** A line each. */
  readonly usage: readonly string[];
  readonly groups: readonly OptionGroup[];
  readonly examples: readonly string[];
  /** The same of its parts. */
  readonly parts: readonly CommandPage[];
}

/** Options that belong together. */
export interface OptionGroup {
  /** Empty where there is one group alone. */
  readonly title: string;
  readonly entries: readonly { readonly term: string; readonly text: string }[];
}

/** Every command of `clip help`, in its order, as its parser and its help have it. */
export async function commandPages(): Promise<CommandPage[]> {
  const pages: CommandPage[] = [];
  for (const { name, load } of COMMANDS) {
    const { parser, summary, description, examples } = await load();
    const parts = partNames(parser).map((part) => pageOfPart(parser, name, part));
    const page = pageOf(parser, []);
    pages.push({
      name,
      summary,
      description: plain(description),
      usage: (page.usage ?? []).length === 0 ? [`clip ${name}`] : usageLines(`clip ${name}`, page.usage!),
      groups: parts.length > 0 ? [] : groupsOf(page.sections),
      examples,
      parts,
    });
  }
  return pages;
}

/** The options that every command has. */
export function loggingPage(): OptionGroup[] {
  const groups = groupsOf(pageOf(object({ log: logOptions }), []).sections);
  const debug = { term: "--debug", text: "Log all, and show the stacks of errors." };
  const help = { term: "-h, --help", text: "Show how the command is used." };
  return [{ title: "", entries: [...groups.flatMap(({ entries }) => entries), debug, help] }];
}

function pageOf(parser: Parser<"sync", unknown, unknown>, words: readonly string[]) {
  const page = getDocPageSync(parser, words);
  if (page === undefined) throw new Error(`there is no help for ${words.join(" ")}`);
  return page;
}

function partNames(parser: Parser<"sync", unknown, unknown>): string[] {
  return pageOf(parser, []).sections.flatMap(({ entries }) => entries)
    .flatMap(({ term }) => term.type === "command" ? [term.name] : []);
}

function pageOfPart(parser: Parser<"sync", unknown, unknown>, command: string, part: string): CommandPage {
  const page = pageOf(parser, [part]);
  return {
    name: `${command} ${part}`,
    summary: plain(page.brief ?? []),
    description: plain(page.description ?? []),
    usage: usageLines(`clip ${command}`, page.usage!),
    groups: groupsOf(page.sections),
    examples: [],
    parts: [],
  };
}

function usageLines(program: string, usage: Parameters<typeof formatUsage>[1]): string[] {
  return formatUsage(program, usage, { expandCommands: true }).split("\n");
}

function groupsOf(sections: readonly { title?: string; entries: readonly DocEntry[] }[]): OptionGroup[] {
  const untitled = sections.filter(({ title }) => title === undefined);
  const titled = sections.filter(({ title }) => title !== undefined);
  return [...untitled, ...titled].map(({ title, entries }) => ({
    title: title ?? "",
    entries: entries.filter((entry) => !isDocEntryHidden(entry)).map((entry) => ({
      term: termOf(entry),
      text: plain(entry.description ?? []) + choicesOf(entry),
    })),
  })).filter(({ entries }) => entries.length > 0);
}

/** `-o, --output FILE` */
function termOf({ term }: DocEntry): string {
  if (term.type !== "option") return formatUsageTerm(term);
  return `${term.names.join(", ")}${term.metavar === undefined ? "" : ` ${term.metavar}`}`;
}

function choicesOf({ choices }: DocEntry): string {
  return choices === undefined ? "" : ` One of ${plain(choices)}.`;
}

function plain(message: Message): string {
  return formatMessage(message, { quotes: false }).replace(/\s+/g, " ").trim();
}
