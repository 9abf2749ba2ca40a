/**
 * The kernel's FUSE protocol in numbers: opcodes, flags and the layout of every record that clip reads or writes. No
 * other file of clip holds an offset of this protocol. All integers are little-endian (clip runs on x86-64 and arm64).
 *
 * Source: Linux include/uapi/linux/fuse.h, whose names are kept; protocol 7.23 to 7.45.
 */

/** The major protocol version spoken. */
export const FUSE_KERNEL_VERSION = 7;
/** The minor version named in the reply to INIT: the newest whose meaning is known here. */
export const FUSE_KERNEL_MINOR_VERSION = 40;
/** The oldest minor version served: the first with a 64-byte fuse_init_out (Linux 3.15). */
export const OLDEST_MINOR_VERSION = 23;
/** The inode number of the root. */
export const FUSE_ROOT_ID = 1;
/** The kernel refuses to read(2) requests into less. */
export const FUSE_MIN_READ_BUFFER = 8192;

/** Request codes, `enum fuse_opcode`. */
export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
} as const;

/** The name of an operation in lower case, `read`; `opcode_99` for one not in the table. */
export function operationName(opcode: number): string {
  for (const [name, value] of Object.entries(Opcode)) if (value === opcode) return name.toLowerCase();
  return `opcode_${opcode}`;
}

/** Flags of INIT, bits 0 to 31 (`flags`). */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  DO_READDIRPLUS: 1 << 13,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  INIT_EXT: 1 << 30,
} as const;

/** Flags of INIT, bits 32 to 63 (`flags2`), which count only where INIT_EXT is set. */
export const InitFlag2 = {
  HAS_RESEND: 1 << 7,
  ALLOW_IDMAP: 1 << 8,
} as const;

/** The code of a notification that asks the kernel to send all unanswered requests again (Linux 6.9). */
export const FUSE_NOTIFY_RESEND = 7;

/** One field of a record. */
export interface Field {
  readonly name: string;
  /** From the record's first byte. */
  readonly offset: number;
  readonly bytes: number;
}

/** A record's layout, for the test that compares it with the kernel's header. */
export interface RecordLayout {
  /** The kernel's name of the struct. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly fields: readonly Field[];
}

/** Offsets by field name, and the record's size. */
export type Offsets<Name extends string> = Readonly<Record<Name | "sizeBytes", number>>;

const records: RecordLayout[] = [];

/** Notes a layout; `fields` are [name, offset, bytes]. */
function record<const Name extends string>(
  name: string,
  sizeBytes: number,
  fields: readonly (readonly [Name, number, number])[],
): Offsets<Name> {
  records.push({ name, sizeBytes, fields: fields.map(([name, offset, bytes]) => ({ name, offset, bytes })) });
  const offsets: Record<string, number> = { sizeBytes };
  for (const [name, offset] of fields) offsets[name] = offset;
  return offsets as Offsets<Name>;
}

/** Opens every request. */
export const InHeader = record("fuse_in_header", 40, [
  ["len", 0, 4],
  ["opcode", 4, 4],
  ["unique", 8, 8],
  ["nodeid", 16, 8],
  ["uid", 24, 4],
  ["gid", 28, 4],
  ["pid", 32, 4],
  ["total_extlen", 36, 2],
  ["padding", 38, 2],
]);

/** Opens every reply. `error` is 0 or a negative errno; of a notification, its code, with `unique` 0. */
export const OutHeader = record("fuse_out_header", 16, [["len", 0, 4], ["error", 4, 4], ["unique", 8, 8]]);

/** What the kernel offers. Kernels before 5.17 send the first 16 bytes only. */
export const InitIn = record("fuse_init_in", 64, [
  ["major", 0, 4],
  ["minor", 4, 4],
  ["max_readahead", 8, 4],
  ["flags", 12, 4],
  ["flags2", 16, 4],
  ["unused", 20, 44],
]);

/** What the server accepts; the fields after flags2 have newer names and stay 0. */
export const InitOut = record("fuse_init_out", 64, [
  ["major", 0, 4],
  ["minor", 4, 4],
  ["max_readahead", 8, 4],
  ["flags", 12, 4],
  ["max_background", 16, 2],
  ["congestion_threshold", 18, 2],
  ["max_write", 20, 4],
  ["time_gran", 24, 4],
  ["max_pages", 28, 2],
  ["map_alignment", 30, 2],
  ["flags2", 32, 4],
  ["unused", 36, 28],
]);

/** A node's attributes. */
export const Attr = record("fuse_attr", 88, [
  ["ino", 0, 8],
  ["size", 8, 8],
  ["blocks", 16, 8],
  ["atime", 24, 8],
  ["mtime", 32, 8],
  ["ctime", 40, 8],
  ["atimensec", 48, 4],
  ["mtimensec", 52, 4],
  ["ctimensec", 56, 4],
  ["mode", 60, 4],
  ["nlink", 64, 4],
  ["uid", 68, 4],
  ["gid", 72, 4],
  ["rdev", 76, 4],
  ["blksize", 80, 4],
  ["flags", 84, 4],
]);

/** Reply to LOOKUP. `nodeid` 0 with a non-zero `entry_valid` says that the name does not exist, and may be kept. */
export const EntryOut = record("fuse_entry_out", 128, [
  ["nodeid", 0, 8],
  ["generation", 8, 8],
  ["entry_valid", 16, 8],
  ["attr_valid", 24, 8],
  ["entry_valid_nsec", 32, 4],
  ["attr_valid_nsec", 36, 4],
  ["attr", 40, 88],
]);

/** Reply to GETATTR. */
export const AttrOut = record("fuse_attr_out", 104, [
  ["attr_valid", 0, 8],
  ["attr_valid_nsec", 8, 4],
  ["dummy", 12, 4],
  ["attr", 16, 88],
]);

/** Body of READ, READDIR and READDIRPLUS. */
export const ReadIn = record("fuse_read_in", 40, [
  ["fh", 0, 8],
  ["offset", 8, 8],
  ["size", 16, 4],
  ["read_flags", 20, 4],
  ["lock_owner", 24, 8],
  ["flags", 32, 4],
  ["padding", 36, 4],
]);

/** Body of GETXATTR (the name follows) and LISTXATTR. */
export const GetxattrIn = record("fuse_getxattr_in", 8, [["size", 0, 4], ["padding", 4, 4]]);

/** Reply to GETXATTR and LISTXATTR when `size` was 0. */
export const GetxattrOut = record("fuse_getxattr_out", 8, [["size", 0, 4], ["padding", 4, 4]]);

/** Body of INTERRUPT: the request that its caller no longer waits for. */
export const InterruptIn = record("fuse_interrupt_in", 8, [["unique", 0, 8]]);

/** Reply to STATFS. */
export const Kstatfs = record("fuse_kstatfs", 80, [
  ["blocks", 0, 8],
  ["bfree", 8, 8],
  ["bavail", 16, 8],
  ["files", 24, 8],
  ["ffree", 32, 8],
  ["bsize", 40, 4],
  ["namelen", 44, 4],
  ["frsize", 48, 4],
  ["padding", 52, 4],
  ["spare", 56, 24],
]);

/** A directory entry; the name follows, and zeros up to a multiple of 8 bytes. `off` resumes after this entry. */
export const Dirent = record("fuse_dirent", 24, [["ino", 0, 8], ["off", 8, 8], ["namelen", 16, 4], ["type", 20, 4]]);

/** A directory entry with what LOOKUP would have answered. */
export const Direntplus = record("fuse_direntplus", 152, [["entry_out", 0, 128], ["dirent", 128, 24]]);

/** Every record above. */
export const RECORDS: readonly RecordLayout[] = records;
