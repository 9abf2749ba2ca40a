import type { Message } from "@optique/core/message";
import type { Parser } from "@optique/core/parser";
import type { CommandContext } from "./io.ts";

/** A subcommand: how its arguments are read, what its help says, and what it does. */
export interface Command<Options = unknown> {
  /** One sentence, as `clip help` shows it. */
  readonly summary: string;
  /** Paragraphs below the usage. */
  readonly description: Message;
  /** Command lines that work, one a line. */
  readonly examples: readonly string[];
  readonly parser: Parser<"sync", Options, unknown>;
  /** Does the work. Returns the exit status, 0 if it returns nothing. @throws {ClipError} for status 1 or 2. */
  run(options: Options, context: CommandContext): Promise<number | void>;
}

/** A command with the type of its options inferred from its parser, and then forgotten. */
export function defineCommand<Options, State>(
  command: Omit<Command<Options>, "parser"> & { parser: Parser<"sync", Options, State> },
): Command {
  return command as unknown as Command;
}
