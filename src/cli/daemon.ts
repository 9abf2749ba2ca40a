import { resolve } from "node:path";
import { ClipError } from "../base/mod.ts";
import { formatListenAddress } from "../metrics/mod.ts";
import { formatImageReference, parseImageReference } from "../oci/mod.ts";
import type { MountChoices } from "./commands/mount.ts";
import type { CommandContext } from "./io.ts";
import { defaultCacheDir } from "./open_cache.ts";
import type { FoundArchive } from "./find_archive.ts";
import { asVariable, REMOTE_CACHE_VARIABLE, remoteCacheUrls } from "./open_remote_caches.ts";

/** A mount that is not there by then will not come. */
const START_TIMEOUT_MS = 60_000;

/**
 * Starts `clip mount` in a process of its own, in a session of its own, and returns once that mount answers.
 * @throws {ClipError} with what the process said, when it ends before that.
 */
export async function startDaemon(
  options: MountChoices,
  { path, source }: FoundArchive,
  { io, logging }: CommandContext,
): Promise<void> {
  const directory = resolve(options.directory);
  const cacheDir = resolve(options.content.cacheDir ?? defaultCacheDir(io));
  const logFile = resolve(logging.logFile ?? await defaultLogFile(cacheDir, directory));
  const [program, ...selfArgs] = selfCommand();
  const args = [...selfArgs, "mount", resolve(path), directory, "--detached-child", "--shown-as", options.file];
  args.push("--cache-dir", cacheDir, "--log-file", logFile, "--log-level", logging.logLevel);
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
  // Its folder is the root, so that it keeps no other file system busy.
  const streams = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(program!, { args, env, cwd: "/", ...streams }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
  const errors = collect(child.stderr);
  const line = await firstLine(child.stdout);
  clearTimeout(timer);
  if (line === undefined) {
    const { code, signal } = await child.status;
    const said = (await errors.text()).trim().replace(/^clip: error: /, "");
    const ended = signal === null ? `it ended with status ${code}` : `it was ended by ${signal}`;
    throw new ClipError("io", said === "" ? `the mount did not come up: ${ended}` : said);
  }
  io.out(`${line} (process ${child.pid}, log ${logFile})\n`);
  child.unref();
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

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  let text = "";
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  for (let newline = -1; newline < 0;) {
    const { done, value } = await reader.read();
    if (done) return undefined;
    text += decoder.decode(value, { stream: true });
    newline = text.indexOf("\n");
    if (newline >= 0) text = text.slice(0, newline);
  }
  reader.cancel().catch(() => {});
  return text;
}

/** Keeps what a stream says, so that its writer never waits. */
function collect(stream: ReadableStream<Uint8Array>): { text(): Promise<string> } {
  const text = new Response(stream).text();
  text.catch(() => {});
  return { text: () => text };
}
