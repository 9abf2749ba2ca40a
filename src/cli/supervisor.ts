import { ClipError, messageOf, sleep } from "../base/mod.ts";
import { type FuseMount, libc } from "../fuse/mod.ts";

/**
 * The supervisor of a mount: a shell, two megabytes, that holds the connection to the kernel while servers come and go.
 * A server that dies, or is to be replaced, leaves readers waiting, not failing: the next one has the kernel send again
 * what was not answered, and inode numbers are the archive's, so that nobody notices.
 *
 * - A server that ends with status 0 has been unmounted: so the supervisor ends. Any other end starts the next.
 * - A connection that is held without anybody to serve it would hang whoever enters the mount. So the supervisor gives
 *   up, and the mount is detached, when servers do not get as far as serving, three in a row, or die young again and
 *   again (kill -9 is forgiven more often than a crash). A watchdog detaches it too when the supervisor is gone.
 * - SIGHUP: the next server, of the program that the file `program` names, takes over. SIGTERM: the server unmounts.
 *
 * Arguments: folder for its files, mountpoint, log file, then those of the program.
 */
const SCRIPT = String.raw`
state=$1 mountpoint=$2 log=$3
shift 3
exec </dev/null >>"$log" 2>&1
detach() { umount -l "$mountpoint" 2>/dev/null || fusermount3 -u -z "$mountpoint" 2>/dev/null ||
  fusermount -u -z "$mountpoint" 2>/dev/null; }
mkfifo -m 600 "$state/alive" || { detach; exit 1; }
(
  trap '' HUP INT TERM
  cat <"$state/alive" >/dev/null
  detach
  rm -rf "$state"
) &
watchdog=$!
exec 9>"$state/alive"
server= ending= resend= unready=0 young=0
trap '[ -z "$server" ] || kill -KILL "$server"' HUP
trap 'ending=1; [ -z "$server" ] || kill -TERM "$server"' INT TERM
while :; do
  read -r program <"$state/program" || break
  : >"$state/starting"
  read -r started rest </proc/uptime
  "$program" "$@" $resend 9>&- &
  server=$!
  while :; do
    wait "$server"
    status=$?
    kill -0 "$server" 2>/dev/null || break
  done
  server=
  if [ "$status" -eq 0 ]; then
    kill -KILL "$watchdog"
    rm -rf "$state"
    exit 0
  fi
  # Told to end, it did not get as far as unmounting.
  [ -z "$ending" ] || break
  read -r ended rest </proc/uptime
  # The very first: whoever asked for the mount waits to be told why.
  [ -n "$resend" ] || [ ! -e "$state/starting" ] || break
  if [ -e "$state/starting" ]; then unready=$((unready + 1)); else unready=0; fi
  if [ $((${"$"}{ended%%.*} - ${"$"}{started%%.*})) -le 1 ]; then young=$((young + 1)); else young=0; fi
  if [ "$status" -eq 137 ]; then most=100; else most=5; fi
  if [ "$unready" -ge 3 ] || [ "$young" -ge "$most" ]; then
    echo "clip: supervisor: the server of $mountpoint keeps ending (status $status): the mount is given up"
    break
  fi
  echo "clip: supervisor: the server of $mountpoint ended (status $status): the next takes over"
  resend=--resend
done
`;

/** A mount that is not there by then will not be. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 5;

/** Names of files in the supervisor's folder. */
export const SupervisorFile = {
  /** Path of the program that serves. */
  program: "program",
  /** There until the server serves. */
  starting: "starting",
  /** Number of the process that serves, once it does. */
  server: "server",
} as const;

/** What to supervise. */
export interface SupervisorOptions {
  /** A new folder for its files, removed at its end. */
  readonly folder: string;
  /** Where servers and supervisor say what happens. */
  readonly logFile: string;
  /** The program and its arguments; that of the connection is added. */
  readonly command: readonly string[];
  /** Set for the servers, besides what is set for this process. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Starts a supervisor in a session of its own, and returns the number of the process that serves once it does. The
 * connection goes to the supervisor: `mount` is closed.
 * @throws {ClipError} with what the server said, when there is none; nothing stays mounted then.
 */
export async function startSupervisor(
  mount: FuseMount,
  { folder, logFile, command, env }: SupervisorOptions,
): Promise<number> {
  const [program, ...args] = command;
  await Deno.writeTextFile(`${folder}/${SupervisorFile.program}`, `${program}\n`);
  const before = await sizeOf(logFile);
  libc().setCloseOnExec(mount.fd, false);
  const supervised = [folder, mount.mountpoint, logFile, ...args, "--fuse-fd", `${mount.fd}`, "--supervised", folder];
  const streams = { stdin: "null", stdout: "null", stderr: "null" } as const;
  // Its folder is the root, so that it keeps no other file system busy.
  const options = { args: ["sh", "-c", SCRIPT, "clip-supervisor", ...supervised], env, cwd: "/", ...streams };
  const child = spawnSetsid(options);
  child.unref();
  mount.close();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const pid = await readNumber(`${folder}/${SupervisorFile.server}`);
    if (pid !== undefined) return pid;
    if (hasEnded) throw new ClipError("io", await whatWasSaid(logFile, before));
    if (Date.now() > deadline) {
      child.kill("SIGTERM");
      throw new ClipError("io", `the mount did not come up within ${START_TIMEOUT_MS / 1000} s; see ${logFile}`);
    }
    await sleep(POLL_MS);
  }
}

function spawnSetsid(options: Deno.CommandOptions): Deno.ChildProcess {
  try {
    return new Deno.Command("setsid", options).spawn();
  } catch (error) {
    const text = `cannot start setsid, which a mount in the background takes: ${messageOf(error)}`;
    throw new ClipError("io", text, { cause: error });
  }
}

/** Says that this process serves, in the folder of its supervisor. */
export async function tellSupervisor(folder: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/.${SupervisorFile.server}`, `${Deno.pid}\n`);
  await Deno.rename(`${folder}/.${SupervisorFile.server}`, `${folder}/${SupervisorFile.server}`);
  await Deno.remove(`${folder}/${SupervisorFile.starting}`);
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return /^\d+\n$/.test(text) ? Number(text) : undefined;
}

async function sizeOf(path: string): Promise<number> {
  return (await Deno.stat(path).catch(() => undefined))?.size ?? 0;
}

/** The first error in the log from `offset` on. */
async function whatWasSaid(logFile: string, offset: number): Promise<string> {
  try {
    const bytes = await Deno.readFile(logFile);
    const lines = new TextDecoder().decode(bytes.subarray(offset)).split("\n");
    const error = lines.find((line) => line.startsWith("clip: error: "));
    if (error !== undefined) return error.slice("clip: error: ".length);
    const last = lines.findLast((line) => line !== "");
    return `the mount did not come up${last === undefined ? "" : `: ${last}`}`;
  } catch (error) {
    return `the mount did not come up, and its log cannot be read: ${messageOf(error)}`;
  }
}
