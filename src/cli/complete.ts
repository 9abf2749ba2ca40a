/** What `clip completions` has shells ask at each press of Tab. */
import { bash, fish, type ShellCompletion, zsh } from "@optique/core/completion";
import { object } from "@optique/core/constructs";
import { text } from "@optique/core/message";
import { getDocPageSync, type Suggestion, suggestSync } from "@optique/core/parser";
import type { Usage, UsageTerm } from "@optique/core/usage";
import { logOptions } from "./basic_options.ts";
import type { CommandEntry } from "./commands.ts";
import type { Io } from "./io.ts";

/** Shells by name. */
export const SHELLS = { bash, zsh, fish } as const satisfies Record<string, ShellCompletion>;

/** What an argument or the value of an option is made of, by what stands for it in the usage. */
const PLACES: Readonly<Record<string, Suggestion>> = {
  "FILE.clip": { kind: "file", type: "file", extensions: [".clip"] },
  "FILE": { kind: "file", type: "any" },
  "PROFILE": { kind: "file", type: "any" },
  "DIR": { kind: "file", type: "directory" },
};

/**
 * Writes what the last of `words` can become, as the shell wants it. `words` are those of the command line behind
 * `clip`, as far as the cursor. Says nothing where nothing is known; never fails.
 */
export async function complete(
  [shell, ...words]: readonly string[],
  commands: readonly CommandEntry[],
  io: Pick<Io, "out">,
): Promise<void> {
  const encoder = Object.hasOwn(SHELLS, shell ?? "") ? SHELLS[shell as keyof typeof SHELLS] : undefined;
  if (encoder === undefined || words.length === 0) return;
  io.out([...encoder.encodeSuggestions(await suggestions(words, commands))].join(""));
}

async function suggestions(words: readonly string[], commands: readonly CommandEntry[]): Promise<Suggestion[]> {
  const [name, ...rest] = words as [string, ...string[]];
  if (rest.length === 0 || (name === "help" && rest.length === 1)) {
    const known = [...commands, ...(rest.length === 0 ? [HELP] : [])];
    return literals(known.map(({ name, summary }) => [name, summary]), rest[0] ?? name);
  }
  const entry = commands.find((candidate) => candidate.name === name);
  if (entry === undefined) return [];
  const command = await entry.load();
  const parser = object({ command: command.parser, log: logOptions });
  const word = rest.at(-1)!;
  const found = [...suggestSync(parser, rest as [string, ...string[]])];
  const usage = getDocPageSync(parser, rest.slice(0, -1))?.usage ?? parser.usage;
  if (word.startsWith("-")) found.push(...literals(ALWAYS, word));
  const place = placeOf(usage, rest);
  if (place !== undefined) found.push(...placesOf(place, word));
  return found;
}

const HELP = { name: "help", summary: "Tell how a command is used." };
const ALWAYS = [["--help", "Show help."], ["--debug", "Log everything, with stacks."]] as const;

function literals(known: readonly (readonly [name: string, summary: string])[], prefix: string): Suggestion[] {
  return known.filter(([name]) => name.startsWith(prefix))
    .map(([name, summary]) => ({ kind: "literal", text: name, description: [text(summary)] }));
}

/** What stands in the usage for the last of `words`: `DIR`; undefined where it is an option. */
function placeOf(usage: Usage, words: readonly string[]): string | undefined {
  const terms = usage.flatMap(flatten);
  const values = new Map<string, string | undefined>();
  const places: string[] = [];
  let last: string | undefined;
  for (const term of terms) {
    if (term.type === "option") { for (const name of term.names) values.set(name, term.metavar); }
    else if (term.type === "command") places.push(term.name);
    else if (term.type === "argument") places.push(last = term.metavar);
  }
  let place: string | undefined;
  for (let at = 0, argument = 0; at < words.length; at++) {
    const value = at === 0 ? undefined : values.get(words[at - 1]!);
    if (value !== undefined) place = value;
    else if (words[at]!.startsWith("-")) place = undefined;
    else place = places[argument++] ?? last;
  }
  return place;
}

function flatten(term: UsageTerm): UsageTerm[] {
  return "terms" in term ? (term.terms as readonly (UsageTerm | Usage)[]).flat().flatMap(flatten) : [term];
}

/** `FILE.clip|IMAGE` is a file, and whatever somebody knows better. */
function placesOf(metavar: string, word: string): Suggestion[] {
  return metavar.split("|").flatMap((part) => {
    if (Object.hasOwn(PLACES, part)) return [PLACES[part]!];
    return /^[a-z]+$/.test(part) && part.startsWith(word) ? [{ kind: "literal", text: part } as const] : [];
  });
}
