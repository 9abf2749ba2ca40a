import { ClipError, messageOf, sleep } from "../base/mod.ts";
import { errnoName, type FuseMount, libc, OpenFlag } from "../fuse/mod.ts";

/**
 * The supervisor of a mount: a shell, two megabytes, that holds the connection to the kernel while servers come and go.
 * A server that dies, or is to be replaced, leaves readers waiting, not failing: the next one has the kernel send again
 * what was not answered, and inode numbers are the archive's, so that nobody notices.
 *
 * - Whose turn it is to serve is who has the lock of the file `turn`. Any other server stands by: all is prepared, and it
 *   goes on within milliseconds once the kernel has let go of the lock of one that has ended.
 * - A server that ends with status 0 has been unmounted: so the supervisor ends. Any other end starts the next.
 * - A connection that is held without anybody to serve it would hang whoever enters the mount. So the supervisor gives
 *   up, and the mount is detached, when servers do not get as far as serving, three in a row, or die young again and
 *   again (kill -9 is forgiven more often than a crash). A watchdog detaches it too when the supervisor is gone.
 * - SIGHUP: a server of the program that the file `program` names is started to stand by, and the one that serves is
 *   killed once it does. One that does not get so far changes nothing. One that gets so far and fails at once is followed
 *   by the program before it.
 * - SIGTERM: the server unmounts. SIGUSR1: a server has got further, see its file.
 *
 * Arguments: folder for its files, mountpoint, log file, `standby` where one is always to stand by, or nothing; then
 * those of the program.
 */
export const SUPERVISOR_SCRIPT = String.raw`
state=$1 mountpoint=$2 log=$3 mode=$4
shift 4
exec </dev/null >>"$log" 2>&1
say() { echo "clip: supervisor: $*"; }
detach() { umount -l "$mountpoint" 2>/dev/null || fusermount3 -u -z "$mountpoint" 2>/dev/null ||
  fusermount -u -z "$mountpoint" 2>/dev/null; }
# Whether process $2 has got as far as $1.
is() { [ -e "$state/$1.$2" ]; }
choose() { echo "$1" >"$state/program.new" && mv "$state/program.new" "$state/program"; }
forget() { rm -f "$state/standby.$1" "$state/server.$1"; }
drop() {
  [ -z "$standby" ] || kill -KILL "$standby" 2>/dev/null
  forget "$standby"
  standby=
}
stand_by() {
  read -r next <"$state/program" || return
  "$next" "$@" --resend 9>&- &
  standby=$!
}
# Something has happened while a server is there: what is to be done?
look() {
  kill -0 "$server" 2>/dev/null || return
  if [ -n "$hup" ]; then
    hup= before=$program
    drop
    stand_by "$@"
    upgrade=$standby
  elif [ -n "$standby" ] && ! kill -0 "$standby" 2>/dev/null; then
    is standby "$standby" || failures=$((failures + 1))
    if [ -n "$upgrade" ]; then
      say "$next does not get as far as serving: process $server goes on with $program"
      choose "$program"
      : >"$state/refused"
    fi
    forget "$standby"
    standby= upgrade=
  elif [ -n "$upgrade" ] && is standby "$upgrade"; then
    upgrade=
    kill -KILL "$server"
  fi
  if [ -z "$standby" ] && [ "$mode" = standby ] && [ "$failures" -lt 3 ] && is server "$server"; then
    stand_by "$@"
  fi
}
mkfifo -m 600 "$state/alive" || { detach; exit 1; }
# Read end and write end, by way of both: to open one alone is to wait for the other.
exec 7<>"$state/alive"
exec 8<"$state/alive" 9>"$state/alive" 7<&-
(
  trap '' HUP INT TERM
  exec 9>&-
  cat <&8 >/dev/null
  detach
  rm -rf "$state"
) &
watchdog=$!
exec 8<&-
server= standby= upgrade= before= ending= hup= told= resend= failures=0 unready=0 young=0
trap 'told=1' CHLD USR1
trap 'told=1 hup=1' HUP
trap 'told=1 ending=1; [ -z "$server" ] || kill -TERM "$server"' INT TERM
while [ -z "$ending" ]; do
  read -r started rest </proc/uptime
  if [ -n "$standby" ]; then
    # By now it has the turn, or has ended as well.
    server=$standby program=$next standby= upgrade=
  else
    read -r program <"$state/program" || break
    "$program" "$@" $resend 9>&- &
    server=$!
    # Told to end just before its number was known.
    [ -z "$ending" ] || kill -TERM "$server"
  fi
  status=
  while :; do
    # Here some shells tell of its signal, which is told below, or was asked for.
    wait "$server" 2>/dev/null
    now=$?
    # It was waited for already, when a signal came.
    [ "$now" -eq 127 ] && [ -n "$status" ] && break
    status=$now
    [ -n "$told" ] || break
    while [ -n "$told" ]; do
      told=
      look "$@"
    done
  done
  if [ "$status" -eq 0 ]; then
    drop
    kill -KILL "$watchdog"
    rm -rf "$state"
    exit 0
  fi
  ended=$server server= failures=0
  # Told to end, it did not get as far as unmounting.
  [ -z "$ending" ] || break
  read -r now rest </proc/uptime
  if is server "$ended"; then unready=0; else unready=$((unready + 1)); fi
  forget "$ended"
  # The very first: whoever asked for the mount waits to be told why.
  [ -n "$resend" ] || [ "$unready" -eq 0 ] || break
  if [ $((${"$"}{now%%.*} - ${"$"}{started%%.*})) -le 1 ]; then young=$((young + 1)); else young=0; fi
  if [ "$status" -eq 137 ]; then most=300; else most=5; fi
  said="the server of $mountpoint ended (status $status)"
  if [ -n "$before" ] && [ "$program" != "$before" ] && [ $((unready + young)) -gt 0 ]; then
    say "$said soon after it took over: back to $before"
    choose "$before"
    : >"$state/refused"
    drop
    unready=0 young=0
  elif [ "$unready" -ge 3 ] || [ "$young" -ge "$most" ]; then
    say "the server of $mountpoint keeps ending (status $status): the mount is given up"
    break
  else
    say "$said: the next takes over"
  fi
  [ "$program" = "$before" ] || before=
  resend=--resend
done
drop
`;

/** A mount that is not there by then will not be. */
const START_TIMEOUT_MS = 60_000;
/** A server that is told to end before it serves is not waited for any longer. */
const STOP_TIMEOUT_MS = 2000;
const POLL_MS = 5;
/** A signal that comes just when the shell is about to wait is noticed with the next: so there is one, after this time. */
export const SIGNAL_AGAIN_MS = 300;

/** What the supervisor is called in the table of processes. */
const SUPERVISOR_NAME = "clip-supervisor";

/** Names of files in the supervisor's folder. There are also `server.PID` and `standby.PID`: how far a process has got. */
export const SupervisorFile = {
  /** Path of the program that serves. */
  program: "program",
  /** There when a program that was to take over could not. */
  refused: "refused",
  /** Digest of the tree that is mounted. */
  tree: "tree",
  /** Its lock is whose turn it is to serve. */
  turn: "turn",
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
  /** Whether a second server is always to stand by. */
  readonly standby: boolean;
  /** Aborted: the mount is not waited for any longer. */
  readonly signal: AbortSignal;
}

/**
 * Starts a supervisor in a session of its own, and returns the number of the process that serves once it does. The
 * connection goes to the supervisor: `mount` is closed.
 * @throws {ClipError} with what the server said, when there is none, or the signal's reason; nothing stays mounted then.
 */
export async function startSupervisor(
  mount: FuseMount,
  { folder, logFile, command, env, standby, signal }: SupervisorOptions,
): Promise<number> {
  const [program, ...args] = command;
  await Deno.writeTextFile(`${folder}/${SupervisorFile.program}`, `${program}\n`);
  await Deno.writeTextFile(`${folder}/${SupervisorFile.turn}`, "");
  const before = await sizeOf(logFile);
  libc().setCloseOnExec(mount.fd, false);
  const own = [folder, mount.mountpoint, logFile, standby ? "standby" : ""];
  const supervised = [...own, ...args, "--fuse-fd", `${mount.fd}`, "--supervised", folder];
  const streams = { stdin: "null", stdout: "null", stderr: "null" } as const;
  // Its folder is the root, so that it keeps no other file system busy.
  const options = { args: ["sh", "-c", SUPERVISOR_SCRIPT, SUPERVISOR_NAME, ...supervised], env, cwd: "/", ...streams };
  const child = spawnSetsid(options);
  child.unref();
  mount.close();
  let hasEnded = false;
  const ended = child.status.then(() => hasEnded = true);
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const pid = await findServer(folder);
    if (pid !== undefined) return pid;
    if (hasEnded) throw new ClipError("io", await whatWasSaid(logFile, before));
    if (signal.aborted || Date.now() > deadline) {
      await stop(child, ended);
      signal.throwIfAborted();
      throw new ClipError("io", `the mount did not come up within ${START_TIMEOUT_MS / 1000} s; see ${logFile}`);
    }
    await sleep(POLL_MS);
  }
}

/** Tells a supervisor to end, and again: a signal that comes just when it starts its server is lost. */
async function stop(child: Deno.ChildProcess, ended: Promise<unknown>): Promise<void> {
  let hasEnded = false;
  ended.then(() => hasEnded = true);
  for (let waitedMs = 0; !hasEnded && waitedMs < STOP_TIMEOUT_MS; waitedMs += SIGNAL_AGAIN_MS) {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has just ended.
    }
    await Promise.race([ended, sleep(SIGNAL_AGAIN_MS)]);
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

/** Says how far this process has got, in the folder of its supervisor, which is its parent. */
export async function tellSupervisor(folder: string, state: "server" | "standby"): Promise<void> {
  await Deno.writeTextFile(`${folder}/${state}.${Deno.pid}`, "");
  // Where it has just ended there is nobody to tell.
  signalParent(folder).catch(() => {});
}

async function signalParent(folder: string): Promise<void> {
  const pid = Deno.ppid;
  for (let round = 0; round < 2; round++) {
    if (await findSupervisor(pid, folder) === undefined) return;
    Deno.kill(pid, "SIGUSR1");
    await sleep(SIGNAL_AGAIN_MS);
  }
}

/**
 * The log file of the supervisor of `folder`, where that is process `pid`; else undefined: numbers of processes are used
 * again.
 */
export async function findSupervisor(pid: number, folder: string): Promise<{ logFile: string } | undefined> {
  const args = (await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "")).split("\0");
  const at = args.indexOf(SUPERVISOR_NAME) + 1;
  return at > 0 && args[at] === folder ? { logFile: args[at + 2]! } : undefined;
}

/** Opens the file whose lock is whose turn it is to serve; open until the process ends. @throws {ClipError} */
export function openTurn(folder: string): number {
  const fd = libc().open(`${folder}/${SupervisorFile.turn}`, OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC);
  if (fd < 0) throw new ClipError("io", `cannot open the lock of the mount in ${folder}: ${errnoName(-fd)}`);
  return fd;
}

/** The process that serves, once one does. */
async function findServer(folder: string): Promise<number | undefined> {
  // The folder goes with its supervisor.
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name).catch(() => []);
  const name = names.find((name) => name.startsWith("server."));
  return name === undefined ? undefined : Number(name.slice("server.".length));
}

/** Bytes in a file; 0 where it cannot be told. */
export async function sizeOf(path: string): Promise<number> {
  return (await Deno.stat(path).catch(() => undefined))?.size ?? 0;
}

/** Of what was said no more than this, at its end, is looked at. */
const MAX_SAID_BYTES = 1024 * 1024;

/** The first error in the log from `offset` on. */
export async function whatWasSaid(logFile: string, offset: number): Promise<string> {
  try {
    const end = await sizeOf(logFile);
    const lines = (await readText(logFile, Math.max(offset, end - MAX_SAID_BYTES), end)).split("\n");
    const error = lines.find((line) => line.startsWith("clip: error: "));
    if (error !== undefined) return error.slice("clip: error: ".length);
    const last = lines.findLast((line) => line !== "");
    return `the mount did not come up${last === undefined ? "" : `: ${last}`}`;
  } catch (error) {
    return `the mount did not come up, and its log cannot be read: ${messageOf(error)}`;
  }
}

/** Bytes [`start`, `endExclusive`) of a file, as far as it has them. */
async function readText(path: string, start: number, endExclusive: number): Promise<string> {
  // What is no file is not opened, which may take for ever.
  if (start >= endExclusive) return "";
  using file = await Deno.open(path);
  await file.seek(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(endExclusive - start);
  const read = await file.read(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, read));
}
