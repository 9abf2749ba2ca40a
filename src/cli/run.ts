import { object } from "@optique/core/constructs";
import { type Message, text } from "@optique/core/message";
import { type Parser, parseSync } from "@optique/core/parser";
import type { Usage } from "@optique/core/usage";
import { ClipError, createLogger, escapeControls, messageOf } from "../base/mod.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { BrokenPipeError, type CommandContext, ExitStatus, type Io } from "./io.ts";
import { logOptions } from "./basic_options.ts";

const HELP_NAMES: readonly string[] = ["help", "--help", "-h"];

/** Whether all is to be told, stacks too: known once the options are read. */
interface Debugging {
  isOn: boolean;
}

/**
 * Runs `clip` with `args` and returns the exit status. Errors become one line on standard error; with `--debug`, or
 * for what is not a ClipError and hence a bug, with its stack.
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  // Behind a command it is that command's option, or an argument of the program that the command runs.
  const debugging = { isOn: args[0] === "--debug" };
  try {
    return await dispatch(debugging.isOn ? args.slice(1) : args, io, debugging);
  } catch (error) {
    if (error instanceof BrokenPipeError) return ExitStatus.brokenPipe;
    if (io.signal.aborted && isAbort(error, io.signal)) {
      io.err("clip: interrupted\n");
      return ExitStatus.interrupted;
    }
    const lines = (text: string) => text.split("\n").map(escapeControls);
    io.err(`clip: error: ${lines(messageOf(error)).join("\nclip: ")}\n`);
    const known = error instanceof ClipError && error.code !== "internal";
    if ((debugging.isOn || !known) && error instanceof Error) io.err(`${lines(error.stack ?? "").join("\n")}\n`);
    return error instanceof ClipError && error.code === "usage" ? ExitStatus.usage : ExitStatus.failed;
  }
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof ClipError && error.code === "aborted") ||
    (error instanceof Error && error.name === "AbortError");
}

async function dispatch(args: readonly string[], io: Io, debugging: Debugging): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    io.err(overview());
    return ExitStatus.usage;
  }
  if (name === "__complete") {
    await (await import("./complete.ts")).complete(rest, COMMANDS, io);
    return ExitStatus.done;
  }
  if (HELP_NAMES.includes(name)) {
    const topic = rest.find((arg) => !HELP_NAMES.includes(arg));
    if (topic !== undefined) return await dispatch([topic, "--help"], io, debugging);
    io.out(overview());
    return ExitStatus.done;
  }
  const wanted = name === "--version" || name === "-V" ? "version" : name;
  const entry = COMMANDS.find((candidate) => candidate.name === wanted);
  if (entry !== undefined) {
    const endEarly = entry.early?.();
    try {
      return await runCommand(entry.name, await entry.load(), rest, io, debugging);
    } finally {
      endEarly?.();
    }
  }
  io.err(`clip: error: there is no command ${JSON.stringify(name)}${await suggestion(name)}\n`);
  return ExitStatus.usage;
}

async function suggestion(name: string): Promise<string> {
  const { findSimilar } = await import("@optique/core/suggestion");
  const similar = findSimilar(name, COMMANDS.map((candidate) => candidate.name));
  if (similar.length === 0) return "; `clip help` lists the commands";
  return `; did you mean ${similar.map((candidate) => `\`clip ${candidate}\``).join(" or ")}?`;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length), "help".length);
  const rows = [...COMMANDS, { name: "help", summary: "Tell how a command is used: clip help COMMAND." }];
  const list = rows.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
  return `clip: start containers from images that have not been downloaded\n\nUsage: clip COMMAND [OPTIONS] …\n\n${list}\n` +
    "First steps:\n  clip index ubuntu:24.04 -o ubuntu.clip\n  clip mount ubuntu.clip /mnt\n  clip help mount\n";
}

async function runCommand(
  name: string,
  command: Command,
  args: readonly string[],
  io: Io,
  debugging: Debugging,
): Promise<number> {
  const missing: Message = [text(`${firstArgument(command.parser.usage)} is missing.`)];
  const parser = object({ command: command.parser, log: logOptions }, { errors: { endOfInput: missing } });
  const read = readOptions(parser, args) ??
    (await import("./explain_usage.ts")).explainUsage(parser, name, command, args, io);
  if ("status" in read) return read.status;
  const options = read.value;
  const { debug: isDebugged, ...chosen } = options.log;
  debugging.isOn ||= isDebugged;
  const level = debugging.isOn ? "debug" : chosen.logLevel;
  const endings: (() => void)[] = [];
  const atEnd = (work: () => void) => void endings.push(work);
  try {
    const writeLog = openLog(chosen.logFile, io, atEnd);
    const log = createLogger({ level, json: chosen.logJson, write: writeLog });
    const logging = { ...chosen, logLevel: level };
    const status = await command.run(options.command, { io, log, writeLog, logging, atEnd });
    return status ?? ExitStatus.done;
  } finally {
    for (const work of endings.reverse()) work();
  }
}

/** The options, where they are right and no help is asked for: whoever has them is not to wait for what explains them. */
function readOptions<Options, State>(
  parser: Parser<"sync", Options, State>,
  args: readonly string[],
): { readonly value: Options } | undefined {
  if (args.some((arg) => HELP_NAMES.includes(arg))) return undefined;
  // Without a usage: else each option compares each word that is not it with the names of all, for a message that nobody sees.
  const result = parseSync({ ...parser, usage: [] }, args);
  return result.success ? { value: result.value } : undefined;
}

/** The argument that is missed first. Every command that can miss one begins with one. */
function firstArgument(usage: Usage): string {
  for (const term of usage) {
    if (term.type === "argument") return term.metavar;
    if (term.type !== "exclusive") continue;
    const names = term.terms.flatMap(([first]) => first?.type === "command" ? [first.name] : []);
    if (names.length > 0) return `one of ${names.join(", ")}`;
  }
  return "an argument";
}

/** Where log lines go. @throws {ClipError} when the file cannot be opened. */
function openLog(path: string | undefined, io: Io, atEnd: CommandContext["atEnd"]): (line: string) => void {
  if (path === undefined) return (line) => io.err(line);
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new ClipError("io", `cannot open the log file ${path}: ${messageOf(error)}`, { cause: error });
  }
  atEnd(() => file.close());
  return (line) => {
    try {
      file.writeSync(new TextEncoder().encode(line));
    } catch {
      // A full disk must not stop a mount.
    }
  };
}
