/** What every command's options are made of. Loads no other room: `clip ls` waits for what is imported here. */
import { object } from "@optique/core/constructs";
import { type Message, message, text } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { argument, flag, option } from "@optique/core/primitives";
import type { NonEmptyString } from "@optique/core/nonempty";
import type { Parser } from "@optique/core/parser";
import { choice, string, type ValueParser, type ValueParserResult } from "@optique/core/valueparser";
import { ClipError, LOG_LEVELS, parseDuration, parseSize, UsageError } from "../base/mod.ts";

/**
 * A value that one of clip's own functions reads; its ClipError becomes the parser's message. `anyValue` is never seen by
 * anybody: the library's interface has a field for one, for programs that ask for values in dialogues.
 */
export function valueOf<Value>(
  metavar: string,
  anyValue: Value,
  parse: (text: string) => Value,
  format: (value: Value) => string,
): ValueParser<"sync", Value> {
  return {
    mode: "sync",
    metavar: metavar as ValueParser<"sync", Value>["metavar"],
    placeholder: anyValue,
    parse(input) {
      try {
        return { success: true, value: parse(input) };
      } catch (error) {
        if (!(error instanceof ClipError)) throw error;
        return { success: false, error: [{ type: "text", text: error.message }] };
      }
    },
    format,
  };
}

/** A size such as `512KiB`. */
export function size(metavar = "SIZE"): ValueParser<"sync", number> {
  return valueOf(metavar, 0, parseSize, String);
}

/** A duration such as `30s`, in milliseconds. */
export function duration(metavar = "TIME"): ValueParser<"sync", number> {
  return valueOf(metavar, 1, parseDuration, (ms) => `${ms}ms`);
}

/** Where a file or folder is. An empty text, as of a variable that is not set, is none: it would mean `/`. */
export function path(metavar: string): ValueParser<"sync", string> {
  const parse = (text: string) => {
    if (text === "") throw new UsageError("it is empty");
    return text;
  };
  return valueOf(metavar, "", parse, (text) => text);
}

/** An argument that has to be there; where it is not, the error says which. */
export function requiredArgument(
  metavar: NonEmptyString,
  description: Message,
): Parser<"sync", string, ValueParserResult<string> | undefined> {
  const missing: Message = [text(`${metavar} is missing.`)];
  return argument(string({ metavar }), { description, errors: { endOfInput: missing } });
}

/** An argument that may be left out. */
export function optionalArgument(
  metavar: NonEmptyString,
  description: Message,
): Parser<"sync", string, ValueParserResult<string> | undefined> {
  return argument(string({ metavar }), { description });
}

/** What is logged, and how. */
export const logOptions = object("Logging", {
  logLevel: withDefault(
    option("--log-level", choice(LOG_LEVELS, { metavar: "LEVEL" }), {
      description:
        message`What is worth a line on standard error; default warn. --debug is short for debug, with stacks.`,
    }),
    "warn" as const,
  ),
  // Shown above, in short.
  debug: withDefault(flag("--debug", { hidden: true }), false),
  logJson: withDefault(flag("--log-json", { description: message`Log lines as JSON.` }), false),
  logFile: optional(
    option("--log-file", path("FILE"), {
      description: message`Log to the end of this file instead of standard error.`,
    }),
  ),
});
