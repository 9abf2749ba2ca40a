import { basename } from "node:path";
import { BundleFolder } from "../bundle/mod.ts";
import { ClipError, messageOf } from "../base/mod.ts";
import { selfCommand } from "./daemon.ts";
import type { CommandContext } from "./io.ts";
import { type BundleChoices, type BundleImage, makeBundle } from "./make_bundle.ts";
import { runForeground } from "./run_foreground.ts";

/** The names of folders of containers that run begin so; others are not cleaned up. */
const FOLDER_PREFIX = "clip-container-";

/** How a container is run, besides what its bundle says. */
export interface RunChoices extends BundleChoices {
  /** Path of the runtime. */
  readonly runtime: string;
  readonly stopTimeoutMs: number;
}

/** Runs a container of `image` to its end, and leaves nothing of it; the exit status of its program. */
export async function runContainer(image: BundleImage, choices: RunChoices, context: CommandContext): Promise<number> {
  const container = new Container(await makeFolder(), choices.runtime);
  const watchdog = startWatchdog(container);
  const { folder } = container;
  const logFile = `${folder.path}/mount.log`;
  const logging = { ...context.logging, logFile: context.logging.logFile ?? logFile };
  try {
    context.io.signal.throwIfAborted();
    await makeBundle(folder, image, choices, { ...context, logging });
    context.io.signal.throwIfAborted();
    return await runForeground(container.command("run", "--bundle", folder.path), {
      terminal: choices.container.terminal,
      stopTimeoutMs: choices.stopTimeoutMs,
      kill: () => container.kill(),
    });
  } finally {
    // What the mount had to say, such as why a read failed.
    context.io.err(await Deno.readTextFile(logFile).catch(() => ""));
    await container.remove();
    watchdog.kill("SIGKILL");
    await watchdog.status;
  }
}

/** Removes what a `clip run` has left that was killed. @throws {ClipError} */
export async function cleanUp(path: string, runtime: string): Promise<void> {
  if (!basename(path).startsWith(FOLDER_PREFIX)) {
    throw new ClipError("usage", `${path} is not the folder of a container that clip run has made`);
  }
  await new Container(new BundleFolder(path), runtime).remove();
}

async function makeFolder(): Promise<BundleFolder> {
  try {
    return new BundleFolder(await Deno.realPath(await Deno.makeTempDir({ prefix: FOLDER_PREFIX })));
  } catch (error) {
    throw new ClipError("io", `cannot make a folder for the container: ${messageOf(error)}`, { cause: error });
  }
}

/** A container, by the folder that all of it is in. */
class Container {
  constructor(readonly folder: BundleFolder, readonly runtime: string) {}

  /** A command line of the runtime about this container. */
  command(verb: string, ...options: string[]): string[] {
    return [this.runtime, "--root", `${this.folder.path}/state`, verb, ...options, this.#name];
  }

  get #name(): string {
    return basename(this.folder.path);
  }

  /** Ends all its processes. */
  async kill(): Promise<void> {
    const [program, ...args] = [...this.command("kill"), "KILL"];
    await new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "null" }).output();
  }

  /** Ends it, and removes all of it. Nothing happens where it is not there. */
  async remove(): Promise<void> {
    // One that has ended by itself is deleted already, which the runtime finds worth an error.
    const [program, ...args] = this.command("delete", "--force");
    await new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "null" }).output();
    await this.folder.remove();
  }
}

/**
 * A shell that waits for the end of this process, which closes its standard input, and then has clip clean up. Nothing
 * else is left to do that after kill -9.
 */
function startWatchdog({ folder, runtime }: Container): Deno.ChildProcess {
  const cleanUp = [...selfCommand(), "run", "--clean-up", "--runtime", runtime, folder.path];
  const args = ["-c", 'read -r nothing; exec "$@"', "clip-watchdog", ...cleanUp];
  const streams = { stdin: "piped", stdout: "null", stderr: "inherit" } as const;
  return new Deno.Command("sh", { args, cwd: "/", ...streams, detached: true }).spawn();
}
