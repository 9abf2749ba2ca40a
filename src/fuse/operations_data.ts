/** READ, and the messages about requests: INTERRUPT. */
import { joinU64 } from "../base/mod.ts";
import { InHeader, InterruptIn, ReadIn } from "./abi.ts";
import { Errno } from "./errno.ts";
import { BODY, type Exchange, NO_REPLY } from "./exchange.ts";
import { READ_DEFERRED } from "./file_system.ts";

const PLACE = { subject: "fuse", field: "fuse_read_in.offset" };

/**
 * READ: bytes of a file, at once or deferred. One longer than the reply buffer fails: to answer it in part would tell
 * the kernel that the file ends there, and it would fill the rest of the pages with zeros. The kernel never asks for
 * more than `max_pages`, which INIT derives from the same buffer.
 */
export function read(exchange: Exchange): number {
  const { fs, inode, requestView, reply, bodyBytes, settings } = exchange;
  const body = InHeader.sizeBytes;
  const lengthBytes = requestView.getUint32(body + ReadIn.size, true);
  if (lengthBytes > bodyBytes) return -Errno.EINVAL;
  const offsetLow = requestView.getUint32(body + ReadIn.offset, true);
  const offsetHigh = requestView.getUint32(body + ReadIn.offset + 4, true);
  // No file reaches that far.
  if (offsetHigh > 0x1fffff) return 0;
  const offset = joinU64(offsetLow, offsetHigh, PLACE);
  const { observer } = settings;
  const started = observer === undefined ? 0 : observer.now();
  const result = fs.read(inode, offset, lengthBytes, reply, BODY);
  const pid = requestView.getUint32(InHeader.pid, true);
  if (result !== READ_DEFERRED) {
    if (result > lengthBytes) return -Errno.EIO;
    if (result >= 0) observer?.onRead(inode, offset, result, pid, started);
    return result;
  }
  const { uniqueLow, uniqueHigh } = exchange;
  settings.onDeferred({ uniqueLow, uniqueHigh, inode, offset, lengthBytes, pid });
  return NO_REPLY;
}

/** INTERRUPT: tells of a caller that was sent a signal while it waits. It has no reply of its own. */
export function interrupt({ requestView, settings }: Exchange): number {
  const unique = InHeader.sizeBytes + InterruptIn.unique;
  settings.onInterrupt(requestView.getUint32(unique, true), requestView.getUint32(unique + 4, true));
  return NO_REPLY;
}
