import { posix } from "node:path";
import { ClipError, describeValue } from "../base/mod.ts";
import {
  CAPABILITIES,
  DEFAULT_PATH,
  MASKED_PATHS,
  namespaces,
  READONLY_PATHS,
  type RuntimeSetting,
  standardMounts,
} from "./default_config.ts";
import type { ImageConfig } from "./image_config.ts";
import type { RuntimeConfig, RuntimeMount, RuntimeUser } from "./runtime_config.ts";

/** The kernel takes no longer text as one argument or variable: MAX_ARG_STRLEN. Source: execve(2). */
const MAX_TEXT_BYTES = 131_071;
/** All arguments and variables together: a quarter of the usual 8 MiB of stack. Source: execve(2). */
const MAX_TEXTS_BYTES = 2 * 1024 * 1024;
/** Annotations by which runtimes are told to do something: an image may not. */
const UNSAFE_ANNOTATIONS = ["run.oci.", "org.criu.", "org.systemd.property.", "io.katacontainers.", "krun."];

/** What is asked for instead of what the image says. */
export interface Overrides {
  /** Variables, `NAME=value`, each in place of the image's of that name. */
  readonly env: readonly string[];
  /** In place of the image's entrypoint, and its command too. */
  readonly entrypoint: readonly string[] | undefined;
  /** In place of the image's command; empty: the image's. */
  readonly command: readonly string[];
  /** In place of the image's working directory. */
  readonly workingDir: string | undefined;
  /** Name of the machine, as the container sees it. */
  readonly hostname: string;
  /** Whether the root file system may only be read. */
  readonly readOnly: boolean;
  /** Whether the process gets a terminal. */
  readonly terminal: boolean;
}

/** What a configuration is made of. */
export interface Conversion {
  /** What the image says. */
  readonly image: ImageConfig;
  /** Who the process runs as. */
  readonly user: RuntimeUser;
  /** What is asked for instead. */
  readonly overrides: Overrides;
  /** Where it runs. */
  readonly setting: RuntimeSetting;
  /** Path of the root file system, from the folder of the bundle. */
  readonly rootPath: string;
  /** Besides those of every container. */
  readonly mounts: readonly RuntimeMount[];
  /** Told of what the image asks for and does not get. */
  readonly warn: (message: string) => void;
}

/**
 * The runtime configuration of an image. @throws {ClipError} where there is nothing to run, or more than the kernel
 * takes. Source: image-spec conversion.md.
 */
export function convertConfig({ image, user, overrides, setting, rootPath, mounts, warn }: Conversion): RuntimeConfig {
  const args = processArgs(image, overrides);
  const env = processEnv(image, overrides);
  checkSizes(args, env);
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: overrides.terminal,
      user,
      args,
      env,
      cwd: posix.resolve("/", overrides.workingDir ?? image.workingDir),
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      noNewPrivileges: true,
    },
    root: { path: rootPath, readonly: overrides.readOnly },
    hostname: overrides.hostname,
    mounts: [...standardMounts(setting), ...mounts],
    annotations: annotations(image, warn),
    linux: {
      // Runtimes add the devices of every container: null, zero, full, random, urandom, tty.
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: namespaces(setting),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
}

function processArgs(image: ImageConfig, { entrypoint, command }: Overrides): string[] {
  const rest = command.length > 0 || entrypoint !== undefined ? command : image.cmd;
  const args = [...(entrypoint ?? image.entrypoint), ...rest];
  if (args.length > 0 && args[0] !== "") return args;
  throw new ClipError("usage", "the image names no program to run (no Entrypoint, no Cmd): give one after the image");
}

/** The image's variables, where one of them is given again in its place, and then the others. */
function processEnv(image: ImageConfig, { env, terminal }: Overrides): string[] {
  const nameOf = (entry: string) => entry.split("=", 1)[0]!;
  const given = new Map(env.map((entry) => [nameOf(entry), entry]));
  const all = image.env.map((entry) => {
    const other = given.get(nameOf(entry));
    given.delete(nameOf(entry));
    return other ?? entry;
  });
  all.push(...given.values());
  const names = new Set(all.map(nameOf));
  if (!names.has("PATH")) all.push(DEFAULT_PATH);
  if (terminal && !names.has("TERM")) all.push("TERM=xterm");
  return all;
}

function checkSizes(args: readonly string[], env: readonly string[]): void {
  let total = 0;
  for (const [what, texts] of [["argument", args], ["variable", env]] as const) {
    for (const text of texts) {
      const bytes = new TextEncoder().encode(text).length;
      total += bytes + 1 + 8;
      if (bytes <= MAX_TEXT_BYTES) continue;
      const name = describeValue(text.split("=", 1)[0]!.slice(0, 40));
      throw new ClipError(
        "limit",
        `the ${what} ${name} has ${bytes} bytes; the kernel takes at most ${MAX_TEXT_BYTES}`,
      );
    }
  }
  if (total <= MAX_TEXTS_BYTES) return;
  const sizes = `${total} bytes; the kernel takes at most ${MAX_TEXTS_BYTES}`;
  throw new ClipError("limit", `arguments and environment take ${sizes}`);
}

/** Labels, and what the config says else, under the names of the spec; a label goes before. */
function annotations(image: ImageConfig, warn: (message: string) => void): Record<string, string> {
  const implied = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    "os.version": image.osVersion,
    "os.features": image.osFeatures.join(","),
    author: image.author,
    created: image.created,
    stopSignal: image.stopSignal,
    exposedPorts: image.exposedPorts.join(","),
  };
  const all = new Map<string, string>();
  for (const [name, value] of Object.entries(implied)) {
    if (value !== undefined && value !== "") all.set(`org.opencontainers.image.${name}`, value);
  }
  for (const [name, value] of image.labels) {
    const unsafe = UNSAFE_ANNOTATIONS.some((prefix) => name.startsWith(prefix));
    // A runtime refuses a configuration with an empty name.
    if (unsafe || name === "") warn(`the image's label ${describeValue(name)} is left out: it is no image's to set`);
    else all.set(name, value);
  }
  return Object.fromEntries(all);
}
