import { type Archive, openArchive } from "../src/archive/mod.ts";
import { FileRangeSource, LazyFile } from "../src/base/mod.ts";
import { clipCommand } from "./measure_process.ts";
import { runShell } from "./run_shell.ts";

/** Runs clip to its end; its standard output. @throws {Error} with its messages when it fails. */
export async function runClip(args: readonly string[]): Promise<string> {
  return await runShell(`"$@"`, [...clipCommand(), ...args]);
}

/** Indexes `bench/NAME:v1` of a registry to a file. @param options Further ones of `clip index`. */
export async function indexFromRegistry(
  host: string,
  name: string,
  output: string,
  options: readonly string[] = [],
): Promise<void> {
  const args = ["index", `${host}/bench/${name}:v1`, "-o", output, "--progress", "none", "--index-cache", "none"];
  await runClip([...args, "--plain-http", ...options]);
}

/** The archive in a file, read whole: it stays open until the process ends. */
export async function openBenchArchive(path: string): Promise<Archive> {
  const file = new LazyFile(path);
  return await openArchive(new FileRangeSource({ file, offset: 0, sizeBytes: file.sizeBytes(), description: path }));
}

/** A mount that is served in the background. */
export class BenchMount {
  readonly directory: string;
  /** Of the server. */
  readonly pid: number;

  private constructor(directory: string, pid: number) {
    this.directory = directory;
    this.pid = pid;
  }

  /**
   * Mounts an archive on a directory, which is made, with layers from `source`, an image or a whole reference, or from
   * where the archive says.
   * @param args Further options.
   */
  static async open(
    file: string,
    directory: string,
    { source, cacheDir, args = [] }: { source?: string; cacheDir: string; args?: readonly string[] },
  ): Promise<BenchMount> {
    await Deno.mkdir(directory, { recursive: true });
    const from = source === undefined ? [] : ["--plain-http", "--source", source];
    const options = [...from, "--cache-dir", cacheDir, ...args];
    const line = await runClip(["mount", "--daemon", ...options, file, directory]);
    return new BenchMount(directory, Number(/process (\d+)/.exec(line)?.[1]));
  }

  /** MiB resident now. */
  residentMib(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) / 1024;
  }

  /** Returns once the server is gone. */
  async close(): Promise<void> {
    await runClip(["unmount", this.directory]);
    while (await Deno.stat(`/proc/${this.pid}`).then(() => true, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Has the kernel forget names, attributes and contents of files. @throws {Error} for others than root. */
export async function dropPageCache(): Promise<void> {
  await runShell("sync; echo 3 > /proc/sys/vm/drop_caches", []);
}

/** Milliseconds that a shell script takes. */
export async function timeShell(script: string, args: readonly string[]): Promise<number> {
  const started = performance.now();
  await runShell(script, args);
  return performance.now() - started;
}
