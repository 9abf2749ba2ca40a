import type { Logger } from "../base/mod.ts";
import type { FileSystem, FileSystemStatistics, NodeAttributes } from "./file_system.ts";
import { OutHeader } from "./abi.ts";

/** What INIT settled with the kernel; holds for the mount's life. */
export interface Negotiated {
  /** The kernel's protocol version, 7. */
  readonly major: number;
  /** The kernel's minor version: 45 is that of Linux 6.18. */
  readonly minor: number;
  /** Flags accepted, bits 0–31, unsigned. */
  readonly flagsLow: number;
  /** Flags accepted, bits 32–63, unsigned. */
  readonly flagsHigh: number;
  /** The longest READ that the kernel may send. */
  readonly maxReadBytes: number;
  /** What the kernel was told not to read ahead beyond. */
  readonly maxReadaheadBytes: number;
  /** Whether the kernel knows the RESEND notification: whether a mount may outlive its server. */
  readonly hasResend: boolean;
}

/** A READ whose data are not at hand, to be answered later through DeferredReplies. Plain numbers: it can be posted. */
export interface DeferredRead {
  /** The low half of the request's number. */
  readonly uniqueLow: number;
  /** The high half, unsigned; its bit 31 marks a request that was sent again. */
  readonly uniqueHigh: number;
  /** Which file. */
  readonly inode: number;
  /** Of the first byte asked for; below 2^53. */
  readonly offset: number;
  /** As asked; the file may end before. Never more than fits in a reply. */
  readonly lengthBytes: number;
  /** The process that asks; 0 where it has no number in this process's namespace. */
  readonly pid: number;
}

/** Told of requests as they are carried out, by the thread that does so: must neither throw, nor wait, nor allocate. */
export interface ServerObserver {
  /** A request was carried out, or handed over; the errno of the reply, 0 where there is none. */
  onRequest(opcode: number, errno: number): void;
  /** A READ, begun when the clock showed `started`, was answered at once, with `bytes` of the file. */
  onRead(inode: number, offset: number, bytes: number, pid: number, started: number): void;
  /** Microseconds of a clock that is never set. */
  now(): number;
}

/** Settings of a FUSE server, all decided. */
export interface ServerSettings {
  readonly replyBytes: number;
  readonly pageBytes: number;
  readonly attributeTimeoutSeconds: number;
  readonly entryTimeoutSeconds: number;
  readonly maxReadaheadBytes: number;
  readonly maxBackground: number;
  readonly idmap: boolean;
  readonly log: Logger;
  readonly onDeferred: (read: DeferredRead) => void;
  readonly onInterrupt: (uniqueLow: number, uniqueHigh: number) => void;
  readonly onInit: (negotiated: Negotiated) => void;
  readonly observer: ServerObserver | undefined;
}

/** Where the body of a reply starts in its buffer. */
export const BODY: number = OutHeader.sizeBytes;

/** Bytes kept free at the end of the reply buffer, so that a name or a record that does not fit may be written first. */
export const SLACK_BYTES = 512;

/** What an operation returns for a request that gets no reply, or gets it elsewhere. */
export const NO_REPLY = -65536;

/** One request and its reply, and all that an operation needs. There is one of these a server, used over and over. */
export interface Exchange {
  readonly fs: FileSystem;
  readonly settings: ServerSettings;
  readonly request: Uint8Array<ArrayBuffer>;
  readonly requestView: DataView<ArrayBuffer>;
  /** How many bytes of `request` are of this request. */
  requestBytes: number;
  /** `nodeid` of the request's header. */
  inode: number;
  uniqueLow: number;
  uniqueHigh: number;
  readonly reply: Uint8Array<ArrayBuffer>;
  readonly replyView: DataView<ArrayBuffer>;
  /** How long a body may be. */
  readonly bodyBytes: number;
  /** Scratch space. */
  readonly attributes: NodeAttributes;
  readonly statistics: FileSystemStatistics;
}

/** One FUSE operation: the number of body bytes now in the reply at {@linkcode BODY}; −errno; or NO_REPLY. */
export interface Operation {
  /** The shortest body the request may have. */
  readonly minBodyBytes: number;
  run(exchange: Exchange): number;
}
