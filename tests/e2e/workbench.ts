/** Tests with a folder, a cache and mounts of their own, all of which are gone afterwards. */
import assert from "node:assert/strict";
import { clip, type RunningClip, spawnClip } from "./clip_process.ts";
import { isInstalled, type ProgramOptions, type ProgramResult, runProgram } from "./programs.ts";

/** What a test needs of the machine: the name of a program, the right to mount, or to be root. */
export type Need = "/dev/fuse" | "root" | (string & { readonly __program?: never });

/**
 * Defines a test that is given a workbench. Where a need is not met it is skipped, saying why; with CI=true in the
 * environment it fails instead.
 */
export function e2eTest(name: string, needs: readonly Need[], body: (bench: Workbench) => Promise<void>): void {
  const missing = needs.map(whyMissing).filter((reason) => reason !== undefined);
  if (missing.length > 0 && Deno.env.get("CI") === "true") {
    return Deno.test(name, () => assert.fail(`cannot run here: ${missing.join("; ")}`));
  }
  // deno-lint-ignore no-console -- a skip says why
  if (missing.length > 0) console.log(`skip: ${name}: ${missing.join("; ")}`);
  Deno.test({
    name,
    ignore: missing.length > 0,
    async fn() {
      const bench = new Workbench();
      try {
        await body(bench);
      } finally {
        await bench.clearAway();
      }
    },
  });
}

function whyMissing(need: Need): string | undefined {
  if (need === "root") return Deno.uid() === 0 ? undefined : "not root";
  if (need !== "/dev/fuse") return isInstalled(need) ? undefined : `${need} is not installed`;
  try {
    Deno.openSync("/dev/fuse", { read: true, write: true }).close();
    return undefined;
  } catch (error) {
    return `/dev/fuse cannot be opened (${error instanceof Error ? error.message : error})`;
  }
}

/** A folder for one test. */
export class Workbench {
  /** Absolute, without symlinks; its name is not used by anything else, so it tells what belongs to the test. */
  readonly folder: string = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "clip-e2e-" }));
  /** The cache of every clip that the bench starts. */
  readonly cacheDir: string = `${this.folder}/cache`;
  /** Where its mounts have their records. */
  readonly runtimeDir: string = `${this.cacheDir}/run`;
  #deferred: (() => unknown)[] = [];

  /** A path in the folder. */
  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /** A new, empty directory in the folder. */
  directory(name: string): string {
    Deno.mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }

  /** Has `work` done at the end of the test, last added first. */
  defer(work: () => unknown): void {
    this.#deferred.push(work);
  }

  /** Runs clip in the folder, with the bench's cache. */
  clip(args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
    return clip(args, this.#options(options));
  }

  /** Runs a clip that has to succeed; its standard output. */
  async mustClip(args: readonly string[], options: ProgramOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.clip(args, options);
    assert.equal(code, 0, `clip ${args.join(" ")}: status ${code}: ${stderr}`);
    return stdout;
  }

  /** Starts clip in the folder; it is killed at the end of the test if it still runs. */
  spawnClip(args: readonly string[], options: ProgramOptions = {}): RunningClip {
    const running = spawnClip(args, this.#options(options));
    this.defer(async () => {
      running.kill("SIGKILL");
      await running.ended;
    });
    return running;
  }

  /**
   * Mounts in the background on a new directory, and logs debug lines to a file.
   * @param args Further options of `clip mount`.
   */
  async mount(
    file: string,
    name: string,
    args: readonly string[] = [],
    options: ProgramOptions = {},
  ): Promise<DaemonMount> {
    const directory = this.directory(name);
    const logFile = this.path(`${name}.log`);
    const all = ["mount", "--daemon", "--debug", "--log-file", logFile, ...args, file, directory];
    const line = await this.mustClip(all, options);
    const pid = Number(/process (\d+)/.exec(line)?.[1]);
    assert.ok(pid > 1, `no process in ${JSON.stringify(line)}`);
    return { directory, pid, log: () => Deno.readTextFileSync(logFile), line };
  }

  #options(options: ProgramOptions): ProgramOptions {
    const env = { CLIP_CACHE_DIR: this.cacheDir, CLIP_RUNTIME_DIR: this.runtimeDir, ...options.env };
    return { cwd: this.folder, ...options, env };
  }

  /** Names of what is in the folder, hidden files too, sorted. */
  names(): string[] {
    return [...Deno.readDirSync(this.folder)].map((entry) => entry.name).sort();
  }

  /** Directories below the folder on which something is mounted. */
  mounts(): string[] {
    const points = Deno.readTextFileSync("/proc/self/mountinfo").split("\n").map((line) => line.split(" ")[4] ?? "")
      .map((point) => point.replaceAll("\\040", " "));
    return points.filter((point) => point.startsWith(`${this.folder}/`));
  }

  /** The processes, other than this one, that have the folder's name among their arguments or as their place. */
  processes(): number[] {
    const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 1);
    return pids.filter((pid) => pid !== Deno.pid && commandLine(pid).includes(this.folder));
  }

  /** Takes all mounts away, and waits a little for their servers to end. */
  async #unmountAll(): Promise<void> {
    if (this.mounts().length === 0) return;
    for (const point of this.mounts().reverse()) await runProgram(["umount", "-l", point]);
    await until(() => this.processes().length === 0, 2000);
  }

  /** Unmounts, stops and removes all that the test left. */
  async clearAway(): Promise<void> {
    const failures: unknown[] = [];
    // Mounts first: a server that is being stopped may wait for the connections of those who still use it.
    await this.#unmountAll();
    for (const work of this.#deferred.reverse()) {
      try {
        await work();
      } catch (error) {
        failures.push(error);
      }
    }
    await this.#unmountAll();
    for (const pid of this.processes()) killIfThere(pid);
    await Deno.remove(this.folder, { recursive: true });
    if (failures.length > 0) throw failures[0];
  }
}

/** Kills a process that may have ended since it was seen. */
function killIfThere(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A mount that is served in the background. */
export interface DaemonMount {
  readonly directory: string;
  readonly pid: number;
  /** What `clip mount` printed. */
  readonly line: string;
  /** The log so far. */
  log(): string;
}

function commandLine(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return "";
  }
}

/** Whether a process runs (a zombie does not). */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

/** Asks again and again until `condition` holds; false where it does not within `timeoutMs`. */
export async function until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
