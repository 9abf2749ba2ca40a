import { ClipError, messageOf } from "../base/mod.ts";
import { errnoName } from "./errno.ts";
import { libc } from "./libc.ts";
import { receiveDescriptor } from "./socket_message.ts";

const PROGRAMS = ["fusermount3", "fusermount"];

/** How a run of fusermount3 ended. */
interface ProgramResult {
  readonly success: boolean;
  /** One line of what it said on standard error, without its own name. */
  readonly message: string;
}

/**
 * Mounts by way of fusermount3, the setuid helper that lets users mount, and returns the descriptor of the connection,
 * which is closed on exec. `options` as of its `-o`; commas inside a value are written `\,`.
 * @throws {ClipError} of code `io` with what the helper said.
 *
 * The helper opens /dev/fuse, mounts, and sends the descriptor through the socket named by _FUSE_COMMFD. It is waited
 * for before the socket is read, so nothing blocks when it fails. Source: libfuse util/fusermount.c, send_fd.
 */
export async function mountByFusermount(mountpoint: string, options: readonly string[]): Promise<number> {
  const library = libc();
  const ends = new Int32Array(2);
  const failure = library.socketpair(ends);
  if (failure < 0) throw new ClipError("io", `cannot make a socket for fusermount3: ${errnoName(-failure)}`);
  const [ours, theirs] = ends as unknown as [number, number];
  try {
    library.setCloseOnExec(ours, true);
    const result = await runFusermount(["-o", options.join(","), "--", mountpoint], { _FUSE_COMMFD: `${theirs}` });
    if (!result.success) throw new ClipError("io", `cannot mount on ${mountpoint}: ${result.message}`);
    const fd = receiveDescriptor(ours);
    if (fd < 0) {
      throw new ClipError(
        "io",
        `cannot mount on ${mountpoint}: no descriptor came from fusermount3: ${errnoName(-fd)}`,
      );
    }
    return fd;
  } finally {
    library.close(ours);
    library.close(theirs);
  }
}

/** Unmounts by way of fusermount3. Resolves to undefined, or to what the helper said when it failed. */
export async function unmountByFusermount(mountpoint: string, lazy: boolean): Promise<string | undefined> {
  const result = await runFusermount(["-u", ...(lazy ? ["-z"] : []), "--", mountpoint], {});
  return result.success ? undefined : result.message;
}

async function runFusermount(args: string[], env: Record<string, string>): Promise<ProgramResult> {
  for (const program of PROGRAMS) {
    try {
      const command = new Deno.Command(program, { args, env, stdin: "null", stdout: "null", stderr: "piped" });
      const { success, stderr } = await command.output();
      const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1)!.replace(/^fusermount3?: /, "");
      return { success, message: said === "" ? `${program} failed` : said };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        throw new ClipError("io", `cannot run ${program}: ${messageOf(error)}`, { cause: error });
      }
    }
  }
  throw new ClipError("unsupported", "fusermount3 is not installed; without it only root can mount (package fuse3)");
}
