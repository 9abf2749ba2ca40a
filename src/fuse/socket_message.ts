/**
 * Descriptors that go through Unix sockets. Source: POSIX sys/socket.h; on 64-bit Linux `struct msghdr` is {name, namelen,
 * iov, iovlen, control, controllen, flags} at 0, 8, 16, 24, 32, 40, 48, `struct iovec` {base, length}, and `struct cmsghdr`
 * {u64 length, i32 level, i32 type} before its data.
 */
import { Errno } from "./errno.ts";
import { libc } from "./libc.ts";

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const CMSG_HEADER_BYTES = 16;
/** With one descriptor; and with the padding behind it. */
const CMSG_LENGTH = CMSG_HEADER_BYTES + 4;
const CMSG_SPACE = CMSG_HEADER_BYTES + 8;
/** `sun_path` of a `struct sockaddr_un`, which begins after the family. */
const MAX_PATH_BYTES = 108;
const MAX_PAYLOAD_BYTES = 4096;

/** Where the parts of a message lie in one block of memory, which so is alive while the kernel is at it. */
const MESSAGE = { vector: 64, control: 80, controlBytes: 64, address: 144, payload: 256 } as const;

/** The descriptor that waits in a socket, closed on exec, or −errno. */
export function receiveDescriptor(socket: number): number {
  const { block, view } = layOut(8);
  view.setBigUint64(40, BigInt(MESSAGE.controlBytes), true);
  const received = libc().recvmsg(socket, block, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  if (view.getUint32(40, true) < CMSG_LENGTH) return -Errno.EPROTO;
  if (view.getInt32(MESSAGE.control + 8, true) !== SOL_SOCKET) return -Errno.EPROTO;
  if (view.getInt32(MESSAGE.control + 12, true) !== SCM_RIGHTS) return -Errno.EPROTO;
  return view.getInt32(MESSAGE.control + CMSG_HEADER_BYTES, true);
}

/**
 * Sends a datagram to the Unix socket at `path` (`@…`: an abstract one), with a copy of the descriptor `fd` unless that is
 * undefined. 0, or −errno. Does not wait. Text of more than 4 KiB is EMSGSIZE.
 */
export function sendDatagram(path: string, text: string, fd?: number): number {
  const library = libc();
  const name = new TextEncoder().encode(path.replace(/^@/, "\0"));
  const payload = new TextEncoder().encode(text);
  if (name.length >= MAX_PATH_BYTES || payload.length > MAX_PAYLOAD_BYTES) return -Errno.EMSGSIZE;
  const { block, view, addressOf } = layOut(payload.length);
  view.setBigUint64(0, addressOf(MESSAGE.address), true);
  view.setUint32(8, 2 + name.length, true);
  view.setUint16(MESSAGE.address, AF_UNIX, true);
  block.set(name, MESSAGE.address + 2);
  block.set(payload, MESSAGE.payload);
  if (fd === undefined) view.setBigUint64(32, 0n, true);
  else {
    view.setBigUint64(40, BigInt(CMSG_SPACE), true);
    view.setBigUint64(MESSAGE.control, BigInt(CMSG_LENGTH), true);
    view.setInt32(MESSAGE.control + 8, SOL_SOCKET, true);
    view.setInt32(MESSAGE.control + 12, SCM_RIGHTS, true);
    view.setInt32(MESSAGE.control + CMSG_HEADER_BYTES, fd, true);
  }
  const socket = library.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
  if (socket < 0) return socket;
  try {
    return Math.min(0, library.sendmsg(socket, block, MSG_DONTWAIT | MSG_NOSIGNAL));
  } finally {
    library.close(socket);
  }
}

/** A message with room for control data, and for `payloadBytes` of data. */
function layOut(payloadBytes: number): {
  block: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  addressOf: (at: number) => bigint;
} {
  const block = new Uint8Array(MESSAGE.payload + payloadBytes);
  const start = Deno.UnsafePointer.value(Deno.UnsafePointer.of(block));
  const addressOf = (at: number) => start + BigInt(at);
  const view = new DataView(block.buffer);
  view.setBigUint64(16, addressOf(MESSAGE.vector), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(32, addressOf(MESSAGE.control), true);
  view.setBigUint64(MESSAGE.vector, addressOf(MESSAGE.payload), true);
  view.setBigUint64(MESSAGE.vector + 8, BigInt(payloadBytes), true);
  return { block, view, addressOf };
}
