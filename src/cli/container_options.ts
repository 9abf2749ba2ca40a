/** Options of the commands that make a container of an image. */
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { argument, flag, option, passThrough } from "@optique/core/primitives";
import type { Parser } from "@optique/core/parser";
import { choice, string } from "@optique/core/valueparser";
import { type HostVolume, parseHostVolume } from "../bundle/mod.ts";
import { valueOf } from "./basic_options.ts";

const NO_VOLUME: HostVolume = { source: "/", destination: "/", readOnly: true };

/** The values of {@linkcode containerOptions}. */
export interface ContainerChoices {
  readonly env: readonly string[];
  readonly entrypoint: string | undefined;
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly hostname: string;
  readonly network: "host" | "none";
  readonly volumes: readonly HostVolume[];
  readonly readOnly: boolean;
  readonly tmpfsUpper: boolean;
  readonly terminal: boolean;
}

/** What is to be other than the image says. */
export const containerOptions = object("Container", {
  env: multiple(option("-e", "--env", string({ metavar: "NAME[=VALUE]" }), {
    description: message`A variable for the program; without a value, as it is here.`,
  })),
  entrypoint: optional(option("--entrypoint", string({ metavar: "PROGRAM" }), {
    description: message`In place of the image's entrypoint and command; empty for none.`,
  })),
  user: optional(option("-u", "--user", string({ metavar: "USER[:GROUP]" }), {
    description: message`Names are those of the image, numbers are taken as they are.`,
  })),
  workdir: optional(option("-w", "--workdir", string({ metavar: "PATH" }), {
    description: message`Where the program starts.`,
  })),
  hostname: withDefault(
    option("--hostname", string({ metavar: "NAME" }), { description: message`Default clip.` }),
    "clip",
  ),
  network: withDefault(
    option("--network", choice(["none", "host"], { metavar: "NETWORK" }), {
      description: message`none: a loopback device and nothing else; host: this machine's. Default none.`,
    }),
    "none" as const,
  ),
  volumes: multiple(
    option("-v", "--volume", valueOf("SRC:DST[:ro]", NO_VOLUME, parseHostVolume, formatVolume), {
      description: message`Show this machine's SRC in the container.`,
    }),
  ),
  readOnly: withDefault(
    flag("--read-only", { description: message`The root file system can only be read.` }),
    false,
  ),
  tmpfsUpper: withDefault(
    flag("--tmpfs-upper", { description: message`Keep what is written in memory, not on the disk.` }),
    false,
  ),
  terminal: withDefault(
    flag("-t", "--terminal", { description: message`Give the program a terminal; standard input is to be one.` }),
    false,
  ),
});

function formatVolume({ source, destination, readOnly }: HostVolume): string {
  return `${source}:${destination}${readOnly ? ":ro" : ""}`;
}

/** The argument behind which nothing is an option any more: what follows is the container's. */
export function lastOfClip<Value, State>(argument: Parser<"sync", Value, State>): Parser<"sync", Value, State> {
  return {
    ...argument,
    parse(context) {
      const result = argument.parse(context);
      if (!result.success || result.consumed.length === 0) return result;
      return { ...result, next: { ...result.next, optionsTerminated: true } };
    },
  };
}

/**
 * The program and its arguments, or for an image with an entrypoint its arguments: all behind {@linkcode lastOfClip},
 * whatever it looks like. A `--` in front is left out.
 */
export function programArguments(): Parser<"sync", readonly string[], readonly string[]> {
  const description =
    message`What runs in place of the image's command; with an entrypoint, its arguments. Options of clip's own stand before.`;
  const shown = multiple(argument(string({ metavar: "CMD" }), { description }));
  const rest = passThrough({ format: "greedy" });
  return {
    ...rest,
    usage: shown.usage,
    getDocFragments: (_state, _default) => shown.getDocFragments({ kind: "unavailable" }),
    parse(context) {
      if (context.optionsTerminated) return rest.parse(context);
      return { success: false, consumed: 0, error: message`Unexpected option: ${context.buffer[0] ?? ""}.` };
    },
    complete(state, exec) {
      return rest.complete(state[0] === "--" ? state.slice(1) : state, exec);
    },
  };
}
