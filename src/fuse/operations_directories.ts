/**
 * READDIR and READDIRPLUS. The offset after an entry is its place in the directory plus one, counting `.` as 0, `..` as
 * 1 and child i as i + 2: so every offset stays valid for ever and seekdir(3) is exact.
 */
import { joinU64, writeU64 } from "../base/mod.ts";
import { Dirent, Direntplus, InHeader, ReadIn } from "./abi.ts";
import { Errno } from "./errno.ts";
import { BODY, type Exchange } from "./exchange.ts";
import { writeEmptyEntry, writeEntry } from "./structs.ts";

const DOTS = 2;
const FILE_TYPE_SHIFT = 12;
const DOT = 0x2e;
const PLACE = { subject: "fuse", field: "fuse_read_in.offset" };

/** READDIR: names, types and inode numbers. */
export function readdir(exchange: Exchange): number {
  return list(exchange, false);
}

/** READDIRPLUS: each name with what LOOKUP would have answered, so that `ls -l` and `find` need no LOOKUPs. */
export function readdirplus(exchange: Exchange): number {
  return list(exchange, true);
}

function list(exchange: Exchange, plus: boolean): number {
  const { fs, inode, requestView, bodyBytes } = exchange;
  const children = fs.childCount(inode);
  if (children < 0) return children;
  const read = InHeader.sizeBytes;
  const offsetHigh = requestView.getUint32(read + ReadIn.offset + 4, true);
  if (offsetHigh > 0x1fffff) return 0;
  const first = joinU64(requestView.getUint32(read + ReadIn.offset, true), offsetHigh, PLACE);
  const endExclusive = BODY + Math.min(requestView.getUint32(read + ReadIn.size, true), bodyBytes);
  let at = BODY;
  for (let place = first; place < children + DOTS; place++) {
    const next = writeListed(exchange, at, place, plus);
    if (next < 0) return next;
    // What does not fit was written into the buffer's slack, and is not sent.
    if (next > endExclusive) return at === BODY ? -Errno.EINVAL : at - BODY;
    at = next;
  }
  return at - BODY;
}

/** Writes the entry at `place` of the directory; where the next one goes, or −errno. */
function writeListed(exchange: Exchange, at: number, place: number, plus: boolean): number {
  const { fs, inode: directory, attributes, reply, replyView } = exchange;
  const dirent = plus ? at + Direntplus.dirent : at;
  const child = place === 0 ? directory : place === 1 ? fs.parent(directory) : fs.childInode(directory, place - DOTS);
  if (child < 0) return child;
  let failure: number;
  if (plus && place >= DOTS) {
    failure = writeEntry(exchange, at, child);
  } else {
    // The kernel looks no further than the dirent for `.` and `..`, and a node 0 counts no lookup.
    failure = fs.attributes(child, attributes);
    if (plus) writeEmptyEntry(exchange, at);
  }
  if (failure < 0) return failure;
  const name = dirent + Dirent.sizeBytes;
  let nameBytes: number;
  if (place < DOTS) {
    reply.fill(DOT, name, name + DOTS);
    nameBytes = place + 1;
  } else {
    nameBytes = fs.childName(directory, place - DOTS, reply, name);
    if (nameBytes < 0) return nameBytes;
  }
  writeU64(replyView, dirent + Dirent.ino, child);
  writeU64(replyView, dirent + Dirent.off, place + 1);
  replyView.setUint32(dirent + Dirent.namelen, nameBytes, true);
  replyView.setUint32(dirent + Dirent.type, attributes.mode >>> FILE_TYPE_SHIFT, true);
  const end = name + nameBytes;
  const next = (end - BODY + 7 & ~7) + BODY;
  for (let padding = end; padding < next; padding++) reply[padding] = 0;
  return next;
}
