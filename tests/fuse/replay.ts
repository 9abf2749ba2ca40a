import { Buffer } from "node:buffer";
import { InHeader, OutHeader } from "../../src/fuse/abi.ts";
import { type DeferredRead, type FileSystem, FuseServer, type FuseServerOptions } from "../../src/fuse/mod.ts";

/** A reply, taken apart. */
export interface Reply {
  /** 0 or −errno. */
  readonly error: number;
  readonly body: Uint8Array;
  readonly view: DataView;
}

/** A FuseServer to which requests are given as bytes. */
export class Replay {
  readonly server: FuseServer;
  readonly deferred: DeferredRead[] = [];
  readonly interrupted: [number, number][] = [];
  uniqueLow = 0x89abcdef;
  uniqueHigh = 0x80000001;

  constructor(fs: FileSystem, options: Partial<FuseServerOptions> = {}) {
    this.server = new FuseServer(fs, {
      onDeferred: (read) => this.deferred.push(read),
      onInterrupt: (low, high) => this.interrupted.push([low, high]),
      ...options,
    });
  }

  /** Sends a request; undefined where it gets no reply. Checks what every reply has in common. */
  send(opcode: number, inode: number, body: Uint8Array = new Uint8Array()): Reply | undefined {
    return this.sendBytes(encodeRequest(opcode, inode, body, this.uniqueLow, this.uniqueHigh));
  }

  /** As send, but the reply must be there. */
  ask(opcode: number, inode: number, body?: Uint8Array): Reply {
    const reply = this.send(opcode, inode, body);
    if (reply === undefined) throw new Error(`opcode ${opcode} got no reply`);
    return reply;
  }

  sendBytes(request: Uint8Array): Reply | undefined {
    this.server.request.set(request);
    const replyBytes = this.server.handle(request.length);
    return replyBytes === 0 ? undefined : this.#decode(replyBytes);
  }

  #decode(replyBytes: number): Reply {
    const { reply, request } = this.server;
    const view = new DataView(reply.buffer, 0, replyBytes);
    const error = view.getInt32(OutHeader.error, true);
    if (view.getUint32(OutHeader.len, true) !== replyBytes) throw new Error("the length in the reply is wrong");
    if (replyBytes > reply.length) throw new Error("the reply is longer than its buffer");
    if (error > 0 || error <= -512) throw new Error(`the kernel takes no error ${error}`);
    if (error !== 0 && replyBytes !== OutHeader.sizeBytes) throw new Error("an error with a body");
    const theirs = Buffer.from(request.subarray(InHeader.unique, InHeader.unique + 8));
    if (!theirs.equals(reply.subarray(OutHeader.unique, OutHeader.unique + 8))) {
      throw new Error("another request's number");
    }
    const body = reply.slice(OutHeader.sizeBytes, replyBytes);
    return { error, body, view: new DataView(body.buffer) };
  }
}

/** A request's bytes, with a header that is right. */
export function encodeRequest(
  opcode: number,
  inode: number,
  body: Uint8Array,
  uniqueLow = 1,
  uniqueHigh = 0,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(InHeader.sizeBytes + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(InHeader.len, bytes.length, true);
  view.setUint32(InHeader.opcode, opcode, true);
  view.setUint32(InHeader.unique, uniqueLow, true);
  view.setUint32(InHeader.unique + 4, uniqueHigh, true);
  view.setUint32(InHeader.nodeid, inode, true);
  view.setUint32(InHeader.pid, 4711, true);
  bytes.set(body, InHeader.sizeBytes);
  return bytes;
}

/** 32-bit words, then bytes: most bodies. */
export function words(values: readonly number[], tail = ""): Uint8Array<ArrayBuffer> {
  const head = Uint32Array.from(values);
  const bytes = new Uint8Array(head.byteLength + tail.length);
  bytes.set(new Uint8Array(head.buffer));
  bytes.set(Buffer.from(tail, "latin1"), head.byteLength);
  return bytes;
}

/** A fuse_read_in. */
export function readIn(offset: number, size: number): Uint8Array<ArrayBuffer> {
  return words([0, 0, offset >>> 0, Math.floor(offset / 2 ** 32), size, 0, 0, 0, 0, 0]);
}

/** Bytes as a string of the same units. */
export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
