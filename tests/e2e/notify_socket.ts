/** The side of a service manager that services talk to, as systemd's: it hears what they say, and keeps descriptors. */
import { libc } from "../../src/fuse/mod.ts";
import { until } from "./workbench.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const CMSG_HEADER_BYTES = 16;
const MAX_MESSAGE_BYTES = 4096;

/** A Unix datagram socket. */
export class NotifySocket {
  readonly #fd: number;
  /** All that was said, in order. */
  readonly messages: string[] = [];
  /** Descriptors that were sent to be stored. */
  readonly stored: number[] = [];
  /** What the last of them is called. */
  storedName = "";

  /** Listens on a path. */
  constructor(readonly path: string) {
    const library = Deno.dlopen("libc.so.6", { bind: { parameters: ["i32", "buffer", "u32"], result: "i32" } });
    this.#fd = libc().socket(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC);
    const address = new Uint8Array([AF_UNIX, 0, ...new TextEncoder().encode(path), 0]);
    const failure = library.symbols.bind(this.#fd, address, address.length);
    library.close();
    if (this.#fd < 0 || failure < 0) throw new Error(`cannot listen on ${path}`);
  }

  /** Takes what has come, and whether any of it says `text`, within some seconds. */
  async hears(text: string): Promise<boolean> {
    return await until(() => {
      while (this.#receive());
      return this.messages.some((message) => message.split("\n").includes(text));
    }, 20_000);
  }

  #receive(): boolean {
    const payload = new Uint8Array(MAX_MESSAGE_BYTES);
    const control = new Uint8Array(64);
    const vector = new BigUint64Array([addressOf(payload), BigInt(payload.length)]);
    // struct msghdr: name, namelen, iov, iovlen, control, controllen, flags.
    const header = new BigUint64Array([0n, 0n, addressOf(vector), 1n, addressOf(control), 64n, 0n]);
    const bytes = libc().recvmsg(this.#fd, new Uint8Array(header.buffer), 0);
    if (bytes < 0) return false;
    const text = new TextDecoder().decode(payload.subarray(0, bytes));
    this.messages.push(text);
    if (header[5]! > 0n && text.includes("FDSTORE=1")) {
      this.storedName = /^FDNAME=(.*)$/m.exec(text)?.[1] ?? "";
      this.stored.push(new DataView(control.buffer).getInt32(CMSG_HEADER_BYTES, true));
    }
    return true;
  }

  /** Closes the socket and what is stored. */
  close(): void {
    for (const fd of this.stored.splice(0)) libc().close(fd);
    libc().close(this.#fd);
    Deno.removeSync(this.path);
  }
}

function addressOf(memory: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory));
}
