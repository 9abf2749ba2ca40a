/** Writers of the records that several operations share; offsets are of the reply buffer. */
import { highU32, writeU64 } from "../base/mod.ts";
import { Attr, EntryOut } from "./abi.ts";
import { Errno } from "./errno.ts";
import type { Exchange } from "./exchange.ts";

/** st_blksize: what C libraries take as the size of their buffers. A page, as on every local file system. */
export const BLOCK_BYTES = 4096;

/** Writes `exchange.attributes` as a fuse_attr at `at`. The three times are all the modification time. */
export function writeAttributes(exchange: Exchange, at: number): void {
  const { attributes, replyView: view } = exchange;
  view.setUint32(at + Attr.ino, attributes.inode, true);
  view.setUint32(at + Attr.ino + 4, 0, true);
  writeU64(view, at + Attr.size, attributes.sizeBytes);
  writeU64(view, at + Attr.blocks, attributes.blocks512);
  const secondsHigh = highU32(attributes.mtimeSeconds);
  for (let time: number = Attr.atime; time <= Attr.ctime; time += 8) {
    view.setUint32(at + time, attributes.mtimeSeconds, true);
    view.setUint32(at + time + 4, secondsHigh, true);
  }
  view.setUint32(at + Attr.atimensec, attributes.mtimeNanoseconds, true);
  view.setUint32(at + Attr.mtimensec, attributes.mtimeNanoseconds, true);
  view.setUint32(at + Attr.ctimensec, attributes.mtimeNanoseconds, true);
  view.setUint32(at + Attr.mode, attributes.mode, true);
  view.setUint32(at + Attr.nlink, attributes.nlink, true);
  view.setUint32(at + Attr.uid, attributes.uid, true);
  view.setUint32(at + Attr.gid, attributes.gid, true);
  view.setUint32(at + Attr.rdev, attributes.rdev, true);
  view.setUint32(at + Attr.blksize, BLOCK_BYTES, true);
  view.setUint32(at + Attr.flags, 0, true);
}

/**
 * Writes the fuse_entry_out of `inode` at `at`, and leaves its attributes in `exchange.attributes`; 0, or −errno, when
 * what is at `at` is of no use. The generation is 0: inode numbers are never used again.
 */
export function writeEntry(exchange: Exchange, at: number, inode: number): number {
  const failure = exchange.fs.attributes(inode, exchange.attributes);
  if (failure < 0) return failure;
  writeEntryHead(exchange, at, inode);
  writeAttributes(exchange, at + EntryOut.attr);
  return 0;
}

/** Writes a fuse_entry_out without a node: in a reply to LOOKUP, that the name does not exist, which may be kept. */
export function writeEmptyEntry(exchange: Exchange, at: number): void {
  exchange.reply.fill(0, at + EntryOut.attr, at + EntryOut.sizeBytes);
  writeEntryHead(exchange, at, 0);
}

function writeEntryHead({ replyView: view, settings }: Exchange, at: number, inode: number): void {
  view.setUint32(at + EntryOut.nodeid, inode, true);
  view.setUint32(at + EntryOut.nodeid + 4, 0, true);
  writeU64(view, at + EntryOut.generation, 0);
  writeU64(view, at + EntryOut.entry_valid, settings.entryTimeoutSeconds);
  writeU64(view, at + EntryOut.attr_valid, settings.attributeTimeoutSeconds);
  view.setUint32(at + EntryOut.entry_valid_nsec, 0, true);
  view.setUint32(at + EntryOut.attr_valid_nsec, 0, true);
}

/**
 * The end (exclusive) of the name that starts at `start` of the request and ends, with its NUL, where the request
 * ends; or −errno.
 */
export function nameEnd({ request, requestBytes }: Exchange, start: number): number {
  const endExclusive = requestBytes - 1;
  if (endExclusive <= start || request[endExclusive] !== 0) return -Errno.EINVAL;
  return endExclusive - start > NAME_BYTES ? -Errno.ENAMETOOLONG : endExclusive;
}

/** The longest name of a directory entry or an extended attribute. Source: linux/limits.h NAME_MAX, XATTR_NAME_MAX. */
export const NAME_BYTES = 255;
