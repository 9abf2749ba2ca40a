import { runParserSync } from "@optique/core/facade";
import { type Message, text } from "@optique/core/message";
import type { Parser } from "@optique/core/parser";
import { escapeControls } from "../base/mod.ts";
import type { Command } from "./command.ts";
import { ExitStatus, type Io } from "./io.ts";

/** An option that there is none of, with its value: which may be a password, behind a misspelt `--creds=`. */
const WITH_VALUE = /(Unexpected option or argument: "--[\w-]+=)[^"]*/;

/** Thrown out of the argument parser to leave it; carries the exit status. */
class Leave {
  constructor(readonly status: number) {}
}

/**
 * Shows the help of a command, or what is wrong with its arguments; the exit status. Where nothing is wrong and no help
 * is asked for after all, the options.
 */
export function explainUsage<Options, State>(
  parser: Parser<"sync", Options, State>,
  name: string,
  command: Command,
  args: readonly string[],
  io: Io,
): { readonly status: number } | { readonly value: Options } {
  try {
    const value = runParserSync(parser, `clip ${name}`, args, {
      brief: asMessage(command.summary),
      description: command.description,
      examples: command.examples.flatMap((line, i) =>
        i === 0 ? asMessage(line) : [...asMessage("\n\n"), ...asMessage(line)]
      ),
      help: {
        option: { names: ["--help", "-h"] },
        onShow: (status) => {
          throw new Leave(status);
        },
      },
      aboveError: "none",
      termWidth: "auto",
      maxWidth: Math.min(io.terminal?.columns ?? 100, 120),
      showChoices: true,
      stdout: (line) => io.out(`${line}\n`),
      stderr: (line) => io.err(`clip: ${lowerFirst(line)}\nclip: \`clip ${name} --help\` tells more\n`),
      onError: () => {
        throw new Leave(ExitStatus.usage);
      },
    });
    return { value };
  } catch (error) {
    if (error instanceof Leave) return { status: error.status };
    throw error;
  }
}

function asMessage(content: string): Message {
  return [text(content)];
}

function lowerFirst(line: string): string {
  const shown = line.replace(WITH_VALUE, "$1…");
  return escapeControls(shown.charAt(0).toLowerCase() + shown.slice(1).replace(/\s*\n\s*/g, " "));
}
