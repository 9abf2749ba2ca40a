import { resolve } from "node:path";
import { ClipError, messageOf } from "../base/mod.ts";
import { mountFuse } from "../fuse/mod.ts";
import { formatListenAddress } from "../metrics/mod.ts";
import { makePrivateFolder } from "../mount/mod.ts";
import { formatImageReference, parseImageReference } from "../oci/mod.ts";
import type { MountChoices } from "./commands/mount.ts";
import type { CommandContext, Io } from "./io.ts";
import { mountFolders } from "./live_mounts.ts";
import { startSupervisor } from "./supervisor.ts";
import { cacheFolder, NO_CACHE_DIR } from "./open_cache.ts";
import type { FoundArchive } from "./find_archive.ts";
import { asVariable, REMOTE_CACHE_VARIABLE, remoteCacheUrls } from "./open_remote_caches.ts";

/**
 * Mounts, starts a supervisor that has `clip mount` serve in the background, and returns once the mount answers.
 * @throws {ClipError} when mounting fails, or with what the server said, when it ends before that.
 */
export async function startDaemon(
  options: MountChoices,
  { path, source }: FoundArchive,
  { io, log, logging }: CommandContext,
): Promise<void> {
  const directory = resolve(options.directory);
  const { cacheDir } = options.content;
  const folderForLogs = resolve(cacheFolder(cacheDir, io));
  const logFile = resolve(logging.logFile ?? await defaultLogFile(folderForLogs, directory));
  const [program, ...selfArgs] = selfCommand();
  const args = [...selfArgs, "mount", resolve(path), directory];
  args.push(
    "--cache-dir",
    cacheDir === NO_CACHE_DIR ? cacheDir : folderForLogs,
    "--log-file",
    logFile,
    "--log-level",
    logging.logLevel,
  );
  if (options.content.cacheSize !== undefined) args.push("--cache-size", String(options.content.cacheSize));
  if (options.content.cacheReserve !== undefined) args.push("--cache-reserve", String(options.content.cacheReserve));
  if (logging.logJson) args.push("--log-json");
  if (options.mounting.allowOther) args.push("--allow-other");
  const { prefetch, record, recordForMs } = options.mounting;
  args.push("--prefetch", prefetch);
  if (record !== undefined) args.push("--record", resolve(record));
  if (recordForMs !== undefined) args.push("--record-for", `${recordForMs}ms`);
  const { metrics, trace } = options.reports;
  if (metrics !== undefined) args.push("--metrics", formatListenAddress(metrics));
  if (trace !== undefined) args.push("--trace", resolve(trace));
  if (options.content.noCheckpoints) args.push("--no-checkpoints");
  args.push("--inflate", options.content.inflate, "--deadline", `${options.content.deadlineMs}ms`);
  if (source !== undefined) args.push("--source", absoluteSource(source));
  if (options.content.offline) args.push("--offline");
  if (options.registry.plainHttp) args.push("--plain-http");
  args.push("--remote-cache-timeout", `${options.content.remoteCacheTimeoutMs}ms`);
  // Not as arguments, which everybody on the machine can read: URLs may hold passwords.
  const env = { [REMOTE_CACHE_VARIABLE]: asVariable(remoteCacheUrls(options.content, io)) };
  const { allowOther } = options.mounting;
  await Deno.stat(path).catch((error) => {
    throw new ClipError("not_found", `${path}: ${messageOf(error)}`, { cause: error });
  });
  const folder = await makeStateFolder(io);
  try {
    const mount = await mountFuse(directory, { log, ...(allowOther ? { allowOther } : {}) });
    const pid = await startSupervisor(mount, { folder, logFile, command: [program!, ...args], env });
    io.out(`mounted ${options.file} on ${mount.mountpoint} (process ${pid}, log ${logFile})\n`);
  } catch (error) {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    throw error;
  }
}

/** A new folder for the files of a supervisor, where records of mounts are. */
async function makeStateFolder(io: Io): Promise<string> {
  const reasons: string[] = [];
  for (const parent of mountFolders(io)) {
    try {
      await makePrivateFolder(parent);
      return await Deno.makeTempDir({ dir: parent, prefix: "supervisor-" });
    } catch (error) {
      reasons.push(`${parent}: ${messageOf(error)}`);
    }
  }
  throw new ClipError("io", `there is no folder for the supervisor of a mount: ${reasons.join("; ")}`);
}

/** The command line that runs this very program: the binary, or deno with the main module. */
export function selfCommand(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  return [Deno.execPath(), "run", "-A", "--quiet", new URL("../../main.ts", import.meta.url).pathname];
}

/** One log a mountpoint, begun anew with each mount, in the cache folder. */
async function defaultLogFile(cacheDir: string, directory: string): Promise<string> {
  const folder = `${cacheDir}/logs`;
  const file = `${folder}/${directory.replace(/^\/+/, "").replaceAll("/", "-").slice(-200)}.log`;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(file, "", { mode: 0o600 });
    return file;
  } catch {
    // Nowhere to write: the mount itself will say what that means for it.
    return "/dev/null";
  }
}

function absoluteSource(text: string): string {
  const reference = parseImageReference(text);
  return formatImageReference("path" in reference ? { ...reference, path: resolve(reference.path) } : reference);
}
