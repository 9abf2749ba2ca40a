import { GetxattrIn, InterruptIn, Opcode, ReadIn } from "./abi.ts";
import { Errno } from "./errno.ts";
import { NO_REPLY, type Operation } from "./exchange.ts";
import { init, MIN_INIT_BYTES } from "./operation_init.ts";
import { interrupt, read } from "./operations_data.ts";
import { readdir, readdirplus } from "./operations_directories.ts";
import { getattr, getxattr, listxattr, lookup, readlink, statfs } from "./operations_nodes.ts";

/** An operation that always fails alike. */
function refused(errno: number): Operation {
  return { minBodyBytes: 0, run: () => -errno };
}

const READ_ONLY = refused(Errno.EROFS);
const DONE: Operation = { minBodyBytes: 0, run: () => 0 };
const UNANSWERED: Operation = { minBodyBytes: 0, run: () => NO_REPLY };

/** What an opcode that is not in the table gets: the kernel does without, or tells its caller so. */
export const UNKNOWN_OPERATION: Operation = refused(Errno.ENOSYS);

/**
 * What is done for each opcode. ENOSYS is an answer of weight: it stops the kernel from asking again for the life of
 * the mount. To OPEN, OPENDIR and FLUSH it means "always succeeds, keep the cache", which spares a small cached file
 * three of its four requests; for LSEEK, POLL, FSYNC, STATX, ACCESS and BMAP the kernel has ways of its own.
 */
export const OPERATIONS: readonly (Operation | undefined)[] = table([
  [Opcode.INIT, { minBodyBytes: MIN_INIT_BYTES, run: init }],
  [Opcode.DESTROY, DONE],
  [Opcode.LOOKUP, { minBodyBytes: 2, run: lookup }],
  [Opcode.FORGET, UNANSWERED],
  [Opcode.BATCH_FORGET, UNANSWERED],
  [Opcode.GETATTR, { minBodyBytes: 0, run: getattr }],
  [Opcode.READLINK, { minBodyBytes: 0, run: readlink }],
  [Opcode.STATFS, { minBodyBytes: 0, run: statfs }],
  [Opcode.READDIR, { minBodyBytes: ReadIn.sizeBytes, run: readdir }],
  [Opcode.READDIRPLUS, { minBodyBytes: ReadIn.sizeBytes, run: readdirplus }],
  [Opcode.READ, { minBodyBytes: ReadIn.sizeBytes, run: read }],
  [Opcode.GETXATTR, { minBodyBytes: GetxattrIn.sizeBytes + 2, run: getxattr }],
  [Opcode.LISTXATTR, { minBodyBytes: GetxattrIn.sizeBytes, run: listxattr }],
  [Opcode.INTERRUPT, { minBodyBytes: InterruptIn.sizeBytes, run: interrupt }],
  [Opcode.NOTIFY_REPLY, UNANSWERED],
  [Opcode.RELEASE, DONE],
  [Opcode.RELEASEDIR, DONE],
  [Opcode.SYNCFS, DONE],
  [Opcode.IOCTL, refused(Errno.ENOTTY)],
  [Opcode.SETATTR, READ_ONLY],
  [Opcode.SYMLINK, READ_ONLY],
  [Opcode.MKNOD, READ_ONLY],
  [Opcode.MKDIR, READ_ONLY],
  [Opcode.UNLINK, READ_ONLY],
  [Opcode.RMDIR, READ_ONLY],
  [Opcode.RENAME, READ_ONLY],
  [Opcode.RENAME2, READ_ONLY],
  [Opcode.LINK, READ_ONLY],
  [Opcode.WRITE, READ_ONLY],
  [Opcode.CREATE, READ_ONLY],
  [Opcode.TMPFILE, READ_ONLY],
  [Opcode.FALLOCATE, READ_ONLY],
  [Opcode.COPY_FILE_RANGE, READ_ONLY],
  [Opcode.SETXATTR, READ_ONLY],
  [Opcode.REMOVEXATTR, READ_ONLY],
  [Opcode.OPEN, UNKNOWN_OPERATION],
  [Opcode.OPENDIR, UNKNOWN_OPERATION],
  [Opcode.FLUSH, UNKNOWN_OPERATION],
  [Opcode.FSYNC, UNKNOWN_OPERATION],
  [Opcode.FSYNCDIR, UNKNOWN_OPERATION],
  [Opcode.ACCESS, UNKNOWN_OPERATION],
  [Opcode.LSEEK, UNKNOWN_OPERATION],
  [Opcode.POLL, UNKNOWN_OPERATION],
  [Opcode.BMAP, UNKNOWN_OPERATION],
  [Opcode.STATX, UNKNOWN_OPERATION],
]);

function table(entries: readonly (readonly [number, Operation])[]): (Operation | undefined)[] {
  const operations: (Operation | undefined)[] = new Array(Opcode.STATX + 1).fill(undefined);
  for (const [opcode, operation] of entries) operations[opcode] = operation;
  return operations;
}
