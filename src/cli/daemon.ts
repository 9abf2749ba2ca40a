import { resolve } from "node:path";
import { ARCHIVE_URL_VARIABLE, showArchive } from "./archive_url.ts";
import { ClipError, isArchiveUrl, LazyFile, type Logger, messageOf } from "../base/mod.ts";
import { type FuseMount, mountFuse, unmountFuse } from "../fuse/mod.ts";
import { formatListenAddress } from "../metrics/mod.ts";
import { makePrivateFolder } from "../mount/mod.ts";
import { formatImageReference, parseImageReference, withAbsolutePath } from "../oci/mod.ts";
import type { MountChoices } from "./commands/mount.ts";
import type { CommandContext, Io } from "./io.ts";
import { isKernelSince, RESEND_SINCE } from "./kernel_release.ts";
import { mountFolders } from "./live_mounts.ts";
import { startSupervisor } from "./supervisor.ts";
import { cacheFolder, NO_CACHE_DIR } from "./open_cache.ts";
import type { FoundArchive } from "./find_archive.ts";
import { registryArguments } from "./registry_choices.ts";
import { loginVariables } from "./open_logins.ts";
import { asVariable, REMOTE_CACHE_VARIABLE, remoteCacheUrls } from "./open_remote_caches.ts";

/** What is to be served: of the choices of `clip mount`, those that a server of a daemon is told. */
export type DaemonChoices = Pick<MountChoices, "file" | "directory" | "reports" | "content" | "registry"> & {
  readonly mounting: Pick<MountChoices["mounting"], "allowOther" | "standby" | "prefetch" | "record" | "recordForMs">;
};

/**
 * Mounts, starts a supervisor that has `clip mount` serve in the background, and returns once the mount answers.
 * @throws {ClipError} when mounting fails, or with what the server said, when it ends before that; nothing stays mounted.
 */
export async function startDaemon(
  options: DaemonChoices,
  { path, source }: FoundArchive,
  { io, log, logging }: CommandContext,
): Promise<void> {
  const { content, mounting: { allowOther, standby, prefetch, record, recordForMs }, reports: { metrics, trace } } =
    options;
  if (standby && !isKernelSince(Deno.osRelease(), RESEND_SINCE)) {
    throw new ClipError("unsupported", `--standby needs Linux 6.9, and this is ${Deno.osRelease()}`);
  }
  const directory = resolve(options.directory);
  const cacheDir = content.cacheDir === NO_CACHE_DIR ? NO_CACHE_DIR : resolve(cacheFolder(content.cacheDir, io));
  const { logFile: givenLog } = logging;
  const folderOfLogs = `${resolve(cacheFolder(content.cacheDir, io))}/logs`;
  const logFile = givenLog === undefined ? await defaultLogFile(folderOfLogs, directory, log) : resolve(givenLog);
  const isUrl = isArchiveUrl(path);
  const args = ["mount", isUrl ? showArchive(path) : resolve(path), directory];
  args.push("--cache-dir", cacheDir, "--log-file", logFile, "--log-level", logging.logLevel);
  if (content.cacheSize !== undefined) args.push("--cache-size", String(content.cacheSize));
  if (content.cacheReserve !== undefined) args.push("--cache-reserve", String(content.cacheReserve));
  if (logging.logJson) args.push("--log-json");
  if (allowOther) args.push("--allow-other");
  args.push("--prefetch", prefetch);
  if (record !== undefined) args.push("--record", resolve(record));
  if (recordForMs !== undefined) args.push("--record-for", `${recordForMs}ms`);
  if (metrics !== undefined) args.push("--metrics", formatListenAddress(metrics));
  if (trace !== undefined) args.push("--trace", resolve(trace));
  if (content.noCheckpoints) args.push("--no-checkpoints");
  args.push("--inflate", content.inflate, "--deadline", `${content.deadlineMs}ms`);
  if (source !== undefined) args.push("--source", formatImageReference(withAbsolutePath(parseImageReference(source))));
  if (content.offline) args.push("--offline");
  args.push(...registryArguments(options.registry, { io }));
  args.push("--remote-cache-timeout", `${content.remoteCacheTimeoutMs}ms`);
  // Not as arguments, which everybody on the machine can read.
  const env = {
    [REMOTE_CACHE_VARIABLE]: asVariable(remoteCacheUrls(content, io)),
    ...(isUrl ? { [ARCHIVE_URL_VARIABLE]: path } : {}),
    ...await loginVariables(options.registry.login, { io, log }),
  };
  if (!isUrl) checkReadable(path);
  const folder = await makeStateFolder(io);
  let mount: FuseMount | undefined;
  try {
    mount = await mountFuse(directory, { log, ...(allowOther ? { allowOther } : {}) });
    // Not before: until now it may have been the log of a mount that is there.
    if (givenLog === undefined) await Deno.truncate(logFile).catch(() => {});
    const supervised = { folder, logFile, command: [...selfCommand(), ...args], env, standby, signal: io.signal };
    const pid = await startSupervisor(mount, supervised);
    io.out(`mounted ${showArchive(options.file)} on ${mount.mountpoint} (process ${pid}, log ${logFile})\n`);
  } catch (error) {
    mount?.close();
    if (mount !== undefined) await unmountFuse(mount.mountpoint, { lazy: true }).catch(() => {});
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    throw error;
  }
}

/** Says what the server would say. @throws {ClipError} */
function checkReadable(path: string): void {
  const file = new LazyFile(path);
  try {
    file.sizeBytes();
  } finally {
    file.close();
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
async function defaultLogFile(folder: string, directory: string, log: Logger): Promise<string> {
  const file = `${folder}/${directory.replace(/^\/+/, "").replaceAll("/", "-").slice(-200)}.log`;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(file, "", { append: true, mode: 0o600 });
    return file;
  } catch (error) {
    // Most likely there is no writing to the cache folder at all, of which nothing else would tell.
    log.warn(`the mount keeps no log, and its cache may fail as well: ${messageOf(error)}`);
    return "/dev/null";
  }
}
