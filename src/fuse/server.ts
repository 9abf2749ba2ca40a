/**
 * A FUSE server without a kernel: the bytes of a request in, the bytes of its reply out.
 *
 * Linux hands each operation on a mounted file system that its own caches cannot answer to a process, as one record
 * read from /dev/fuse: a header of 40 bytes (how long, which operation, which node, and a number, `unique`) and a body.
 * The process writes a record back that opens with the same number; whoever made the system call sleeps until then.
 * Reading and writing the device is the business of `serve`; what the bytes mean is decided here, so that every
 * operation, and every malformed request, can be tried without a mount.
 *
 * Three things shape the rest. First, most of the speed of a FUSE file system is the requests it never gets: nodes of
 * an image do not change, so names (missing ones included), attributes and symlink targets are given to the kernel for
 * a year, a listing brings the attributes of all it lists, and opening and closing are not asked for at all (see
 * operations.ts). Second, one thread answers all there is at hand, and a READ that would have to wait for the network
 * is handed to `onDeferred` and answered by someone else, whenever the data are there: so a slow registry never holds
 * up a lookup. Third, a caller whose request gets no answer sleeps for ever, beyond the reach of SIGKILL; hence
 * whatever goes wrong in here becomes an errno, and nothing is thrown.
 *
 * The server keeps no state between requests: inode numbers are the file system's own and never re-used, FORGET has
 * nothing to forget, and what INIT settled holds without being remembered. That is why several threads, each with a
 * server of its own, may serve one descriptor, and why a server that was killed can be replaced by the next.
 */
import { MIB, SILENT } from "../base/mod.ts";
import type { Logger } from "../base/mod.ts";
import { InHeader, Opcode, OutHeader } from "./abi.ts";
import { Errno, errnoName, errnoOf } from "./errno.ts";
import {
  BODY,
  type DeferredRead,
  type Exchange,
  type Negotiated,
  NO_REPLY,
  type ServerObserver,
  SLACK_BYTES,
} from "./exchange.ts";
import type { FileSystem } from "./file_system.ts";
import { REQUEST_BYTES } from "./operation_init.ts";
import { OPERATIONS, UNKNOWN_OPERATION } from "./operations.ts";

const YEAR_SECONDS = 365 * 24 * 3600;
const TOUCH_STEP_BYTES = 4096;
const MAX_FAILURES_LOGGED = 100;

/** Settings of a {@linkcode FuseServer}. */
export interface FuseServerOptions {
  /** Told of each READ that the file system defers. What it throws becomes EIO. */
  readonly onDeferred: (read: DeferredRead) => void;
  /**
   * Told that the caller of a request was sent a signal while it waits. When the request is a deferred READ, somebody
   * must answer it, with −EINTR (`DeferredReplies.replyInterrupted`) or with its data: a caller that was killed sleeps
   * until then. One that was answered meanwhile is to be ignored.
   */
  readonly onInterrupt: (uniqueLow: number, uniqueHigh: number) => void;
  /** Told what was settled, before the reply to INIT is written. */
  readonly onInit?: (negotiated: Negotiated) => void;
  /** Size of the reply buffer; default 1 MiB of data and room for the header. */
  readonly replyBytes?: number;
  /** Size of the kernel's pages, in which `max_pages` is counted; default 4096. */
  readonly pageBytes?: number;
  /** How long the kernel may keep attributes; default a year. */
  readonly attributeTimeoutSeconds?: number;
  /** How long the kernel may keep names, missing ones too; default a year. */
  readonly entryTimeoutSeconds?: number;
  /** The most that the kernel may read ahead; default 1 MiB. The kernel's own bound is mostly 128 KiB. */
  readonly maxReadaheadBytes?: number;
  /** How many readaheads may be under way at a time, 1 to 65,535; default 256 (the kernel's own is 12). */
  readonly maxBackground?: number;
  /** Whether to allow idmapped mounts where the kernel does (Linux 6.12); default true. Needs default_permissions. */
  readonly idmap?: boolean;
  /** Told of every request. Default: nobody. */
  readonly observer?: ServerObserver;
  /** Default: nothing is logged. */
  readonly log?: Logger;
}

/** Answers FUSE requests, one at a time, from its request buffer to its reply buffer. */
export class FuseServer {
  /** Where the caller puts a request: the smallest buffer that the kernel takes. Owned by the server. */
  readonly request: Uint8Array<ArrayBuffer>;
  /** Where `handle` leaves a reply, until the next call. Owned by the server. */
  readonly reply: Uint8Array<ArrayBuffer>;
  readonly #exchange: Exchange;
  readonly #log: Logger;
  readonly #observer: ServerObserver | undefined;
  #failures = 0;

  /** Serves `fs`. All memory there will be is allocated here, and touched, so that no READ pays for page faults. */
  constructor(fs: FileSystem, options: FuseServerOptions) {
    this.request = new Uint8Array(REQUEST_BYTES);
    this.reply = new Uint8Array(options.replyBytes ?? MIB + TOUCH_STEP_BYTES);
    for (let at = 0; at < this.reply.length; at += TOUCH_STEP_BYTES) this.reply[at] = 1;
    this.#log = options.log ?? SILENT;
    this.#observer = options.observer;
    this.#exchange = {
      fs,
      settings: {
        replyBytes: this.reply.length,
        pageBytes: options.pageBytes ?? 4096,
        attributeTimeoutSeconds: options.attributeTimeoutSeconds ?? YEAR_SECONDS,
        entryTimeoutSeconds: options.entryTimeoutSeconds ?? YEAR_SECONDS,
        maxReadaheadBytes: options.maxReadaheadBytes ?? MIB,
        maxBackground: options.maxBackground ?? 256,
        idmap: options.idmap ?? true,
        log: this.#log,
        onDeferred: options.onDeferred,
        onInterrupt: options.onInterrupt,
        onInit: options.onInit ?? (() => {}),
        observer: options.observer,
      },
      request: this.request,
      requestView: new DataView(this.request.buffer),
      requestBytes: 0,
      inode: 0,
      uniqueLow: 0,
      uniqueHigh: 0,
      reply: this.reply,
      replyView: new DataView(this.reply.buffer),
      bodyBytes: this.reply.length - BODY - SLACK_BYTES,
      attributes: {
        inode: 0,
        mode: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        sizeBytes: 0,
        blocks512: 0,
        mtimeSeconds: 0,
        mtimeNanoseconds: 0,
      },
      statistics: { totalBytes: 0, inodes: 0 },
    };
  }

  /**
   * Carries out the request in the first `requestBytes` of `request`; returns the length of the reply now in `reply`,
   * or 0 where none is to be written. Never throws.
   */
  handle(requestBytes: number): number {
    const exchange = this.#exchange;
    const view = exchange.requestView;
    // Without a header there is no number to answer to.
    if (requestBytes < InHeader.sizeBytes || requestBytes > this.request.length) return 0;
    exchange.requestBytes = requestBytes;
    exchange.uniqueLow = view.getUint32(InHeader.unique, true);
    exchange.uniqueHigh = view.getUint32(InHeader.unique + 4, true);
    exchange.inode = view.getUint32(InHeader.nodeid, true);
    const opcode = view.getUint32(InHeader.opcode, true);
    const operation = (opcode < OPERATIONS.length ? OPERATIONS[opcode] : undefined) ?? UNKNOWN_OPERATION;
    let result: number;
    if (view.getUint32(InHeader.len, true) !== requestBytes) {
      result = -Errno.EINVAL;
    } else if (requestBytes < InHeader.sizeBytes + operation.minBodyBytes) {
      result = -Errno.EINVAL;
    } else if (view.getUint32(InHeader.nodeid + 4, true) !== 0) {
      result = -Errno.ESTALE;
    } else {
      try {
        result = operation.run(exchange);
      } catch (error) {
        this.#noteFailure(opcode, error);
        result = -errnoOf(error);
      }
    }
    const observer = this.#observer;
    if (result === NO_REPLY || opcode === Opcode.FORGET || opcode === Opcode.BATCH_FORGET) {
      if (observer !== undefined) observer.onRequest(opcode, 0);
      return 0;
    }
    // An answer of impossible length would be refused by the kernel, and the caller left asleep.
    if (result > exchange.bodyBytes || result < -MAX_ERRNO || Number.isNaN(result)) result = -Errno.EIO;
    if (observer !== undefined) observer.onRequest(opcode, result < 0 ? -result : 0);
    return this.#finish(result);
  }

  /**
   * Turns the reply to the request handled last into an error, as when the reply could not be written; its length.
   * `errno` is positive.
   */
  failReply(errno: number): number {
    return this.#finish(-errno);
  }

  /** Writes the reply's header. */
  #finish(result: number): number {
    const exchange = this.#exchange;
    const view = exchange.replyView;
    const replyBytes = result > 0 ? BODY + result : BODY;
    view.setUint32(OutHeader.len, replyBytes, true);
    view.setInt32(OutHeader.error, result < 0 ? result : 0, true);
    view.setUint32(OutHeader.unique, exchange.uniqueLow, true);
    view.setUint32(OutHeader.unique + 4, exchange.uniqueHigh, true);
    return replyBytes;
  }

  #noteFailure(opcode: number, error: unknown): void {
    this.#failures++;
    if (this.#failures > MAX_FAILURES_LOGGED) return;
    const errno = errnoName(errnoOf(error));
    const reason = error instanceof Error ? error.stack ?? error.message : String(error);
    const last = this.#failures === MAX_FAILURES_LOGGED ? " (further ones are not logged)" : "";
    this.#log.error(`FUSE operation ${opcode} failed${last}: ${reason}`, { errno, inode: this.#exchange.inode });
  }
}

/** The kernel takes error numbers up to this. Source: linux fs/fuse/dev.c, fuse_dev_do_write (−512 < error). */
const MAX_ERRNO = 511;
