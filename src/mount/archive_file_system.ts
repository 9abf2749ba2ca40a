import { type ByteString, fromByteString, type LocalReaders, SpanState } from "../base/mod.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG, spanAt, SPARSE_LAYER, type Tree } from "../archive/mod.ts";
import { Errno, type FileSystem, type FileSystemStatistics, type NodeAttributes, READ_DEFERRED } from "../fuse/mod.ts";

/** Size that a directory shows. */
const DIRECTORY_SIZE_BYTES = 4096;

/** Where the plain bytes of layers can be had without waiting. */
export interface LocalLayers {
  /** As LayerTables': layer L has spans [firstSpan[L], firstSpan[L + 1]). */
  readonly firstSpan: Uint32Array;
  /** As LayerTables'. */
  readonly spanOffsets: Float64Array;
  /** Content's: which spans the files below hold, verified, and which are to be told of. */
  readonly readers: LocalReaders;
  /** A file was read from a span that was to be told of. */
  onTouched(inode: number, layer: number, span: number): void;
  /**
   * Reads up to `bytes` at `plainOffset` of a layer's file to `target` at `at`; the number of bytes, or −errno where
   * there is no file.
   */
  read(layer: number, plainOffset: number, bytes: number, target: Uint8Array, at: number): number;
}

/** An archive's tree as the file system that the FUSE server serves; what is not at hand locally is deferred. */
export class ArchiveFileSystem implements FileSystem {
  readonly hasXattrs: boolean;
  #tree: Tree;
  #layers: LocalLayers;
  #totalBytes: number;
  #listXattr: { inode: number; bytes: Uint8Array } = { inode: 0, bytes: new Uint8Array(0) };

  /** Serves `tree`, whose indexes have been checked. */
  constructor(tree: Tree, layers: LocalLayers) {
    this.hasXattrs = tree.hasXattrs;
    this.#tree = tree;
    this.#layers = layers;
    this.#totalBytes = totalBytes(tree);
  }

  lookup(parent: number, bytes: Uint8Array, start: number, endExclusive: number): number {
    if (!this.#exists(parent)) return -Errno.ENOENT;
    if (this.#tree.type(parent) !== S_IFDIR) return -Errno.ENOTDIR;
    return this.#tree.lookup(parent, bytes, start, endExclusive);
  }

  attributes(inode: number, into: NodeAttributes): number {
    if (!this.#exists(inode)) return -Errno.ENOENT;
    const { columns } = this.#tree;
    const mode = columns.mode[inode]!;
    const type = this.#tree.type(inode);
    const device = type === S_IFCHR || type === S_IFBLK;
    into.inode = inode;
    into.mode = mode;
    into.nlink = columns.nlink[inode]!;
    into.uid = columns.uid[inode]!;
    into.gid = columns.gid[inode]!;
    into.rdev = device ? encodeDevice(columns.placeLow[inode]!, columns.placeHigh[inode]!) : 0;
    into.sizeBytes = type === S_IFDIR ? DIRECTORY_SIZE_BYTES : this.#tree.sizeBytes(inode);
    into.blocks512 = type === S_IFLNK ? 0 : Math.ceil(this.#storedBytes(inode, into.sizeBytes) / 512);
    into.mtimeSeconds = this.#tree.mtimeSeconds(inode);
    into.mtimeNanoseconds = columns.mtimeNanoseconds[inode]!;
    return 0;
  }

  /** What a sparse file has of data; the size of anything else. */
  #storedBytes(inode: number, sizeBytes: number): number {
    if (this.#tree.type(inode) !== S_IFREG || this.#tree.columns.layer[inode] !== SPARSE_LAYER) return sizeBytes;
    return this.#tree.extents(inode).reduce((bytes, extent) => bytes + extent.lengthBytes, 0);
  }

  childCount(directory: number): number {
    if (!this.#exists(directory)) return -Errno.ENOENT;
    return this.#tree.type(directory) === S_IFDIR ? this.#tree.columns.placeHigh[directory]! : -Errno.ENOTDIR;
  }

  childInode(directory: number, index: number): number {
    return this.#tree.direntInodes[this.#tree.columns.placeLow[directory]! + index]!;
  }

  childName(directory: number, index: number, target: Uint8Array, at: number): number {
    const dirent = this.#tree.columns.placeLow[directory]! + index;
    const start = this.#tree.nameStarts[dirent]!;
    const length = this.#tree.nameStarts[dirent + 1]! - start;
    for (let i = 0; i < length; i++) target[at + i] = this.#tree.names[start + i]!;
    return length;
  }

  parent(inode: number): number {
    return this.#exists(inode) ? this.#tree.columns.parent[inode]! : -Errno.ENOENT;
  }

  readLink(inode: number, target: Uint8Array, at: number): number {
    if (!this.#exists(inode)) return -Errno.ENOENT;
    if (this.#tree.type(inode) !== S_IFLNK) return -Errno.EINVAL;
    const bytes = this.#tree.targetBytes(inode);
    target.set(bytes, at);
    return bytes.length;
  }

  listXattrs(inode: number, target: Uint8Array, at: number, room: number): number {
    if (!this.#exists(inode)) return -Errno.ENOENT;
    if (this.#listXattr.inode !== inode) {
      let names: ByteString = "";
      for (const { name } of this.#tree.xattrs(inode)) names += `${name}\0`;
      this.#listXattr = { inode, bytes: fromByteString(names) };
    }
    return copyOut(this.#listXattr.bytes, target, at, room);
  }

  getXattr(
    inode: number,
    bytes: Uint8Array,
    start: number,
    endExclusive: number,
    target: Uint8Array,
    at: number,
    room: number,
  ): number {
    if (!this.#exists(inode)) return -Errno.ENOENT;
    for (const { name, value } of this.#tree.xattrs(inode)) {
      if (isName(name, bytes, start, endExclusive)) return copyOut(value, target, at, room);
    }
    return -Errno.ENODATA;
  }

  read(inode: number, offset: number, length: number, target: Uint8Array, at: number): number {
    if (!this.#exists(inode)) return -Errno.ENOENT;
    const tree = this.#tree;
    if (tree.type(inode) !== S_IFREG) return tree.type(inode) === S_IFDIR ? -Errno.EISDIR : -Errno.EINVAL;
    const bytes = Math.max(0, Math.min(length, tree.sizeBytes(inode) - offset));
    if (bytes === 0) return 0;
    const layer = tree.columns.layer[inode]!;
    // Sparse files are rare; the thread that puts them together is the one that can wait.
    if (layer === SPARSE_LAYER) return READ_DEFERRED;
    const plainOffset = tree.plainOffset(inode) + offset;
    const { readers } = this.#layers;
    readers.begin();
    try {
      return this.#readLocal(inode, layer, plainOffset, bytes, target, at);
    } finally {
      readers.end();
    }
  }

  /** Between `begin` and `end`: what is verified when it is looked at stays in the file until it has been read. */
  #readLocal(
    inode: number,
    layer: number,
    plainOffset: number,
    bytes: number,
    target: Uint8Array,
    at: number,
  ): number {
    if (!this.#verified(inode, layer, plainOffset, plainOffset + bytes)) return READ_DEFERRED;
    for (let done = 0; done < bytes;) {
      const read = this.#layers.read(layer, plainOffset + done, bytes - done, target, at + done);
      // Gone, or cut short by someone else: the other thread will fetch it again.
      if (read <= 0) return READ_DEFERRED;
      done += read;
    }
    return bytes;
  }

  /** Whether all of it is at hand. What is to be told of is: by the other thread where that has to do the reading. */
  #verified(inode: number, layer: number, start: number, endExclusive: number): boolean {
    const { firstSpan, spanOffsets, readers } = this.#layers;
    const end = firstSpan[layer + 1]!;
    let span = spanAt(spanOffsets, firstSpan[layer]!, end, start);
    do {
      const state = Atomics.load(readers.spanStates, span);
      if ((state & SpanState.verified) === 0) return false;
      if (state !== SpanState.verified && readers.takeNotify(span)) this.#layers.onTouched(inode, layer, span);
      // Written only once: other threads' processors need not fetch the line again for each read.
      if (readers.touched[span] === 0) readers.touched[span] = 1;
      span++;
    } while (span < end && spanOffsets[span]! < endExclusive);
    return true;
  }

  statistics(into: FileSystemStatistics): void {
    into.totalBytes = this.#totalBytes;
    into.inodes = this.#tree.inodeCount;
  }

  #exists(inode: number): boolean {
    return inode >= 1 && inode <= this.#tree.inodeCount;
  }
}

function totalBytes(tree: Tree): number {
  let bytes = 0;
  for (let inode = 1; inode <= tree.inodeCount; inode++) {
    if (tree.type(inode) === S_IFREG) bytes += tree.sizeBytes(inode);
  }
  return bytes;
}

/** The 32 bits in which the kernel passes device numbers. Source: include/linux/kdev_t.h, new_encode_dev. */
function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function copyOut(bytes: Uint8Array, target: Uint8Array, at: number, room: number): number {
  if (room === 0) return bytes.length;
  if (bytes.length > room) return -Errno.ERANGE;
  target.set(bytes, at);
  return bytes.length;
}

function isName(name: ByteString, bytes: Uint8Array, start: number, endExclusive: number): boolean {
  if (name.length !== endExclusive - start) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
