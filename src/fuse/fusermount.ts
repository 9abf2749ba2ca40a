import { ClipError, messageOf } from "../base/mod.ts";
import { Errno, errnoName } from "./errno.ts";
import { libc } from "./libc.ts";

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

const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const CMSG_HEADER_BYTES = 16;

/** Where the parts of a received message lie in one block of memory, which so is alive while the kernel writes. */
const MESSAGE = { vector: 64, payload: 80, control: 128, controlBytes: 64, sizeBytes: 192 } as const;

/**
 * The descriptor that waits in a socket, or −errno. Source: POSIX sys/socket.h; on 64-bit Linux `struct msghdr` is
 * {name, namelen, iov, iovlen, control, controllen, flags} at 0, 8, 16, 24, 32, 40, 48, and `struct cmsghdr` is
 * {u64 length, i32 level, i32 type} before its data.
 */
function receiveDescriptor(socket: number): number {
  const block = new Uint8Array(MESSAGE.sizeBytes);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(block));
  const view = new DataView(block.buffer);
  view.setBigUint64(16, address + BigInt(MESSAGE.vector), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(32, address + BigInt(MESSAGE.control), true);
  view.setBigUint64(40, BigInt(MESSAGE.controlBytes), true);
  view.setBigUint64(MESSAGE.vector, address + BigInt(MESSAGE.payload), true);
  view.setBigUint64(MESSAGE.vector + 8, 8n, true);
  const received = libc().recvmsg(socket, block, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  if (view.getUint32(40, true) < CMSG_HEADER_BYTES + 4) return -Errno.EPROTO;
  if (view.getInt32(MESSAGE.control + 8, true) !== SOL_SOCKET) return -Errno.EPROTO;
  if (view.getInt32(MESSAGE.control + 12, true) !== SCM_RIGHTS) return -Errno.EPROTO;
  return view.getInt32(MESSAGE.control + CMSG_HEADER_BYTES, true);
}
