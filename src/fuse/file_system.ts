/**
 * The read-only file system that the FUSE server serves. Inode numbers are 1 (the root) to 2^32−1 and fixed for the
 * mount's life. Functions return a negative errno on failure (`-ENOENT`), and write into buffers and objects of the
 * server's: nothing is allocated per call.
 */

/** The attributes of a node. One instance is reused: a file system fills every field. */
export interface NodeAttributes {
  /** The node's own number, which stat(2) shows too. */
  inode: number;
  /** Type bits (S_IFMT) and 07777. */
  mode: number;
  /** How many names it has. */
  nlink: number;
  /** The owner's number. */
  uid: number;
  /** The group's number. */
  gid: number;
  /** As the kernel encodes dev_t in 32 bits (`makedev` of new_encode_dev); 0 but for devices. */
  rdev: number;
  /** Bytes of a file's contents or of a symlink's target. */
  sizeBytes: number;
  /** Blocks of 512 bytes that st_blocks shows. */
  blocks512: number;
  /** Whole seconds since 1970, rounded down; may be negative. */
  mtimeSeconds: number;
  /** 0 to 999,999,999. */
  mtimeNanoseconds: number;
}

/** Figures for statfs(2). */
export interface FileSystemStatistics {
  /** All bytes of the files' contents. */
  totalBytes: number;
  /** How many nodes there are. */
  inodes: number;
}

/** Returned by `read` when the data is not at hand: the reply will be made elsewhere. */
export const READ_DEFERRED: number = -4096;

/** What a FUSE server needs to know of the tree it serves. */
export interface FileSystem {
  /** Whether any node has extended attributes: where none has, the kernel is told never to ask for one. */
  readonly hasXattrs: boolean;
  /** The inode of the child of `parent` named by bytes [start, endExclusive); 0 if there is none; or −errno. */
  lookup(parent: number, bytes: Uint8Array, start: number, endExclusive: number): number;
  /** Fills `into`; 0 or −errno. */
  attributes(inode: number, into: NodeAttributes): number;
  /** How many children a directory has, `.` and `..` not counted; −ENOTDIR for anything else. */
  childCount(directory: number): number;
  /** The inode of child `index`, 0 ≤ index < childCount; the order never changes. */
  childInode(directory: number, index: number): number;
  /** Copies the name of child `index` to `target` at `at` (255 bytes at most); its length. */
  childName(directory: number, index: number, target: Uint8Array, at: number): number;
  /** The directory that holds `inode` (one of them, for a hard link); the root's is the root. */
  parent(inode: number): number;
  /** Copies the target of a symlink to `target` at `at`; its length, or −EINVAL. */
  readLink(inode: number, target: Uint8Array, at: number): number;
  /**
   * Copies the names of the extended attributes, each followed by a NUL, to `target` at `at`; the length in all.
   * With `room` 0 only the length is returned; −ERANGE where they do not fit in `room` bytes.
   */
  listXattrs(inode: number, target: Uint8Array, at: number, room: number): number;
  /** The value of the attribute named by bytes [start, endExclusive), as listXattrs; −ENODATA if there is none. */
  getXattr(
    inode: number,
    bytes: Uint8Array,
    start: number,
    endExclusive: number,
    target: Uint8Array,
    at: number,
    room: number,
  ): number;
  /**
   * Reads [offset, offset + length) of a file to `target` at `at`, as far as the file goes: the number of bytes;
   * READ_DEFERRED where that would take more than a local read; or −errno.
   */
  read(inode: number, offset: number, length: number, target: Uint8Array, at: number): number;
  /** Fills `into`. */
  statistics(into: FileSystemStatistics): void;
}
