/** Operations on names and nodes: LOOKUP, GETATTR, READLINK, STATFS, and the extended attributes. */
import { writeU64 } from "../base/mod.ts";
import { AttrOut, EntryOut, GetxattrIn, GetxattrOut, InHeader, Kstatfs } from "./abi.ts";
import { Errno } from "./errno.ts";
import { BODY, type Exchange } from "./exchange.ts";
import { BLOCK_BYTES, NAME_BYTES, nameEnd, writeAttributes, writeEmptyEntry, writeEntry } from "./structs.ts";

const REQUEST_BODY = InHeader.sizeBytes;

/** LOOKUP: the child of a directory, by name. A missing name is an answer too, which the kernel keeps. */
export function lookup(exchange: Exchange): number {
  const endExclusive = nameEnd(exchange, REQUEST_BODY);
  if (endExclusive < 0) return endExclusive;
  const inode = exchange.fs.lookup(exchange.inode, exchange.request, REQUEST_BODY, endExclusive);
  if (inode < 0) return inode;
  if (inode === 0) {
    writeEmptyEntry(exchange, BODY);
    return EntryOut.sizeBytes;
  }
  const failure = writeEntry(exchange, BODY, inode);
  return failure < 0 ? failure : EntryOut.sizeBytes;
}

/** GETATTR: stat(2). */
export function getattr(exchange: Exchange): number {
  const failure = exchange.fs.attributes(exchange.inode, exchange.attributes);
  if (failure < 0) return failure;
  const { replyView, settings } = exchange;
  writeU64(replyView, BODY + AttrOut.attr_valid, settings.attributeTimeoutSeconds);
  writeU64(replyView, BODY + AttrOut.attr_valid_nsec, 0);
  writeAttributes(exchange, BODY + AttrOut.attr);
  return AttrOut.sizeBytes;
}

/** READLINK: the target, without a NUL. */
export function readlink({ fs, inode, reply }: Exchange): number {
  return fs.readLink(inode, reply, BODY);
}

/** STATFS: a full file system, since nothing can be added. */
export function statfs({ fs, statistics, reply, replyView }: Exchange): number {
  fs.statistics(statistics);
  reply.fill(0, BODY, BODY + Kstatfs.sizeBytes);
  writeU64(replyView, BODY + Kstatfs.blocks, Math.ceil(statistics.totalBytes / BLOCK_BYTES));
  writeU64(replyView, BODY + Kstatfs.files, statistics.inodes);
  replyView.setUint32(BODY + Kstatfs.bsize, BLOCK_BYTES, true);
  replyView.setUint32(BODY + Kstatfs.frsize, BLOCK_BYTES, true);
  replyView.setUint32(BODY + Kstatfs.namelen, NAME_BYTES, true);
  return Kstatfs.sizeBytes;
}

/**
 * GETXATTR: a value, or its length where `size` is 0. The kernel asks at every exec and on behalf of every `ls -l`;
 * where nothing has attributes, ENOSYS makes it never ask again, and callers see EOPNOTSUPP.
 */
export function getxattr(exchange: Exchange): number {
  const { fs, inode, request, requestView, reply, bodyBytes } = exchange;
  if (!fs.hasXattrs) return -Errno.ENOSYS;
  const start = REQUEST_BODY + GetxattrIn.sizeBytes;
  const endExclusive = nameEnd(exchange, start);
  if (endExclusive < 0) return endExclusive;
  const room = Math.min(requestView.getUint32(REQUEST_BODY + GetxattrIn.size, true), bodyBytes);
  const result = fs.getXattr(inode, request, start, endExclusive, reply, BODY, room);
  return xattrReply(exchange, room, result);
}

/**
 * LISTXATTR: names, each with a NUL, or their length where `size` is 0. Answered in any case: to programs that copy
 * attributes, a file system without any is not one that has none on its files.
 */
export function listxattr(exchange: Exchange): number {
  const { fs, inode, requestView, reply, bodyBytes } = exchange;
  const room = Math.min(requestView.getUint32(REQUEST_BODY + GetxattrIn.size, true), bodyBytes);
  return xattrReply(exchange, room, fs.listXattrs(inode, reply, BODY, room));
}

function xattrReply({ replyView }: Exchange, room: number, result: number): number {
  if (result < 0 || room > 0) return result;
  replyView.setUint32(BODY + GetxattrOut.size, result, true);
  replyView.setUint32(BODY + GetxattrOut.padding, 0, true);
  return GetxattrOut.sizeBytes;
}
