import { LRUCache } from "lru-cache";
import type { Tree } from "../archive/mod.ts";
import { ClipError, displayByteString } from "../base/mod.ts";
import { AT_FDCWD, type CName, Errno, type FileCalls, Open } from "./file_calls.ts";
import type { Selection } from "./selection.ts";

/** Directories that are open at a time: neighbours in a layer are mostly in few. */
const MAX_OPEN = 64;
const MAX_NAME_BYTES = 255;
const DIRECTORY = Open.O_RDONLY | Open.O_DIRECTORY;

/**
 * The directories of a tree that is being written, each opened by its name in the one above it, and never through a
 * symlink: whatever somebody else puts into the tree meanwhile, nothing is opened that is not a directory in a directory
 * … in the one that was given. Paths may be longer than any system call takes.
 */
export class OpenDirectories {
  readonly calls: FileCalls;
  /** The directory that was given. */
  readonly root: number;
  #directory: string;
  #selection: Selection;
  #tree: Tree;
  #open: LRUCache<number, number>;
  #name: CName = new Uint8Array(MAX_NAME_BYTES + 1);

  /** @throws {ClipError} where it cannot be opened. A symlink to it is followed: it is named by the one who asks. */
  constructor(calls: FileCalls, directory: string, selection: Selection) {
    this.calls = calls;
    this.#directory = directory;
    this.#selection = selection;
    this.#tree = selection.tree;
    this.#open = new LRUCache({ max: MAX_OPEN, dispose: (fd) => void calls.close(fd) });
    this.root = calls.open(AT_FDCWD, new TextEncoder().encode(`${directory}\0`), DIRECTORY);
    if (this.root < 0) throw new ClipError("io", `cannot open ${directory}: ${calls.describe(-this.root)}`);
  }

  /** The descriptor of a directory of the tree, good until the next is asked for. @throws {ClipError} */
  fd(inode: number): number {
    const { columns } = this.#tree;
    const way: number[] = [];
    let at = inode;
    for (; at !== 1 && !this.#open.has(at); at = columns.parent[at]!) way.push(at);
    let fd = at === 1 ? this.root : this.#open.get(at)!;
    for (let next = way.pop(); next !== undefined; next = way.pop()) {
      fd = this.#openIn(fd, next);
      this.#open.set(next, fd);
    }
    return fd;
  }

  /** The descriptor of the directory that a directory entry is in, good until the next is asked for. */
  parent(dirent: number): number {
    return this.fd(this.#selection.parent(dirent));
  }

  /** The name of a directory entry, good until the next is asked for. */
  name(dirent: number): CName {
    const { names, nameStarts } = this.#tree;
    const start = nameStarts[dirent]!;
    const end = nameStarts[dirent + 1]!;
    this.#name.set(names.subarray(start, end));
    this.#name[end - start] = 0;
    return this.#name;
  }

  #openIn(parent: number, inode: number): number {
    const name = this.name(this.#selection.dirent(inode));
    const fd = this.calls.open(parent, name, DIRECTORY | Open.O_NOFOLLOW);
    if (fd === -Errno.ENOTDIR || fd === -Errno.ELOOP) {
      throw new ClipError("io", `${this.display(inode)}: something that is not a directory has come to lie there`);
    }
    if (fd < 0) throw this.error("open", inode, fd);
    return fd;
  }

  /** The path of an inode, for people. */
  display(inode: number): string {
    const path = displayByteString(this.#tree.path(inode));
    return path === "/" ? this.#directory : `${this.#directory.replace(/\/+$/, "")}${path}`;
  }

  /** `cannot make DIR/etc: Permission denied`, of a result that is −errno. */
  error(action: string, inode: number, result: number): ClipError {
    return new ClipError("io", `cannot ${action} ${this.display(inode)}: ${this.calls.describe(-result)}`);
  }

  /** Nothing can be asked for afterwards. */
  close(): void {
    this.#open.clear();
    this.calls.close(this.root);
  }
}
