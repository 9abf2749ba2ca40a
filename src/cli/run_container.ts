import { tmpdir } from "node:os";
import { basename } from "node:path";
import { BundleFolder } from "../bundle/mod.ts";
import { ClipError, messageOf, sleep } from "../base/mod.ts";
import { selfCommand } from "./daemon.ts";
import type { CommandContext } from "./io.ts";
import { type BundleChoices, type BundleImage, makeBundle } from "./make_bundle.ts";
import { runForeground } from "./run_foreground.ts";

/** The names of folders of containers that run begin so; others are not cleaned up. */
const FOLDER_PREFIX = "clip-container-";
/** A runtime that takes longer to make a container, or to end with it, is not waited for. */
const REMOVE_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

/** How a container is run, besides what its bundle says. */
export interface RunChoices extends BundleChoices {
  /** Path of the runtime. */
  readonly runtime: string;
  readonly stopTimeoutMs: number;
}

/** Runs a container of `image` to its end, and leaves nothing of it; the exit status of its program. */
export async function runContainer(image: BundleImage, choices: RunChoices, context: CommandContext): Promise<number> {
  const container = new Container(await newFolder(), choices.runtime);
  const { folder } = container;
  let watchdog: Deno.ChildProcess | undefined;
  const logFile = `${folder.path}/mount.log`;
  const logging = { ...context.logging, logFile: context.logging.logFile ?? logFile };
  try {
    watchdog = startWatchdog(container);
    await makeFolder(folder.path);
    context.io.signal.throwIfAborted();
    await makeBundle(folder, image, choices, { ...context, logging });
    context.io.signal.throwIfAborted();
    return await runForeground(container.runCommand(), {
      terminal: choices.container.terminal,
      stopTimeoutMs: choices.stopTimeoutMs,
      kill: () => container.kill().catch((error) => context.log.error(messageOf(error))),
    });
  } finally {
    // What the mount had to say, such as why a read failed.
    context.io.err(await Deno.readTextFile(logFile).catch(() => ""));
    await container.remove();
    watchdog?.kill("SIGKILL");
    await watchdog?.status;
  }
}

/** Removes what a `clip run` has left that was killed. @throws {ClipError} */
export async function cleanUp(path: string, runtime: string): Promise<void> {
  if (!basename(path).startsWith(FOLDER_PREFIX)) {
    throw new ClipError("usage", `${path} is not the folder of a container that clip run has made`);
  }
  // Killed before it was made, there is nothing to clean up.
  if (await Deno.lstat(path).then(() => true, () => false)) {
    await new Container(new BundleFolder(path), runtime).remove();
  }
}

/** A folder that is not there yet: whoever cleans up is to know of it before it is. */
async function newFolder(): Promise<BundleFolder> {
  const parent = await Deno.realPath(tmpdir()).catch(cannotMake);
  return new BundleFolder(`${parent}/${FOLDER_PREFIX}${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`);
}

async function makeFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { mode: 0o700 }).catch(cannotMake);
}

function cannotMake(error: unknown): never {
  throw new ClipError("io", `cannot make a folder for the container: ${messageOf(error)}`, { cause: error });
}

/** A container, by the folder that all of it is in. */
class Container {
  constructor(readonly folder: BundleFolder, readonly runtime: string) {}

  /**
   * The command line that runs it. A shell becomes the runtime, and leaves its number in a file, which must not be
   * there: so whoever cleans up knows the runtime, or that there will be none.
   */
  runCommand(): string[] {
    const script = 'set -C && echo $$ >"$1" && shift && exec "$@"';
    return ["sh", "-c", script, "sh", this.#pidFile, ...this.#command("run", "--bundle", this.folder.path)];
  }

  /** Ends all its processes. */
  async kill(): Promise<void> {
    await runSilently([...this.#command("kill"), "KILL"]);
  }

  /** Ends it, and removes all of it. Nothing happens where it is not there. */
  async remove(): Promise<void> {
    const pid = await this.#runtimePid();
    const deadline = Date.now() + REMOVE_TIMEOUT_MS;
    do {
      // One that has ended by itself is deleted already, which the runtime finds worth an error. One that is only
      // being made will be found once it is there.
      await runSilently(this.#command("delete", "--force"));
    } while (pid !== undefined && isRunning(pid, this.folder.path) && Date.now() < deadline);
    await this.folder.remove();
  }

  /** The number of the runtime's process; undefined where there is none, and will be none. */
  async #runtimePid(): Promise<number | undefined> {
    try {
      await Deno.writeTextFile(this.#pidFile, "none\n", { createNew: true });
      return undefined;
    } catch {
      // Written a moment after it is made, unless its writer was killed just then.
      for (let tries = 0; tries < 50; tries++, await sleep(POLL_MS)) {
        const text = await Deno.readTextFile(this.#pidFile).catch(() => "none\n");
        if (text.endsWith("\n")) return /^\d+\n$/.test(text) ? Number(text) : undefined;
      }
      return undefined;
    }
  }

  /** A command line of the runtime about this container. */
  #command(verb: string, ...options: string[]): string[] {
    return [this.runtime, "--root", `${this.folder.path}/state`, verb, ...options, basename(this.folder.path)];
  }

  get #pidFile(): string {
    return `${this.folder.path}/runtime.pid`;
  }
}

async function runSilently([program, ...args]: string[]): Promise<void> {
  await new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "null" }).output();
}

/** Whether a process runs that has `path` among its arguments: numbers are used again. */
function isRunning(pid: number, path: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(path);
  } catch {
    return false;
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
