import { S_IFDIR, S_IFLNK, S_IFMT, type Tree } from "../archive/mod.ts";
import { ClipError, fromByteString } from "../base/mod.ts";
import { type CName, cName, Errno, type FileCalls, Open } from "./file_calls.ts";
import type { OpenDirectories } from "./open_directories.ts";
import type { Selection } from "./selection.ts";
import type { Shortfalls } from "./shortfalls.ts";

const SET_ID_BITS = 0o6000;
/** As an owner or group, chown(2) takes it for: none, leave it as it is. */
const NO_ID = 0xffffffff;
/** Nobody but its owner gets to a node before its attributes are its own. */
const UNFINISHED_DIRECTORY_MODE = 0o700;
const UNFINISHED_MODE = 0o600;
/** Errors that say: not by you, not here, not with such a number or value. */
const CANNOT: readonly number[] = [-Errno.EPERM, -Errno.EOPNOTSUPP, -Errno.EINVAL];

/** What a {@linkcode NodeWriter} works with. */
export interface NodeWriterOptions {
  readonly selection: Selection;
  readonly directories: OpenDirectories;
  readonly shortfalls: Shortfalls;
  /** The name of a file until it is whole. */
  readonly temporaryName: CName;
  /** Whether owners are set. */
  readonly sameOwner: boolean;
  /** Whether what is there under a node's name makes way, unless it is a directory that is not empty. */
  readonly mayReplace: boolean;
}

/**
 * Makes the nodes of a tree and gives them their attributes. What the system does not let this user do is left out. Of
 * the attributes the owner comes first, since a change of it takes bits of the mode and the capability away; the time
 * last.
 */
export class NodeWriter {
  #options: NodeWriterOptions;
  #calls: FileCalls;
  #directories: OpenDirectories;
  #tree: Tree;
  #user: { readonly uid: number; readonly gid: number };
  /** Of each inode, 1 where it was left out: its further names are, too. */
  #isLeftOut: Uint8Array;

  /** Writes nothing yet. */
  constructor(options: NodeWriterOptions) {
    this.#options = options;
    this.#directories = options.directories;
    this.#calls = options.directories.calls;
    this.#tree = options.selection.tree;
    this.#user = this.#calls.user();
    this.#isLeftOut = new Uint8Array(this.#tree.inodeCount + 1);
  }

  /** Makes a directory, without its attributes, unless it is there. Its parent is there. @throws {ClipError} */
  makeDirectory(inode: number): void {
    const dirent = this.#options.selection.dirent(inode);
    const parent = this.#directories.parent(dirent);
    const name = this.#directories.name(dirent);
    let result = this.#calls.makeDirectory(parent, name, UNFINISHED_DIRECTORY_MODE);
    if (result === -Errno.EEXIST && this.#options.mayReplace) {
      const found = this.#calls.stat(parent, name);
      if (typeof found === "number") throw this.#directories.error("look at", inode, found);
      if ((found.mode & S_IFMT) === S_IFDIR) {
        if ((found.mode & UNFINISHED_DIRECTORY_MODE) !== UNFINISHED_DIRECTORY_MODE) this.#letIn(parent, name);
        return;
      }
      this.#calls.unlink(parent, name);
      result = this.#calls.makeDirectory(parent, name, UNFINISHED_DIRECTORY_MODE);
    }
    // What is there is looked at when it is opened.
    if (result < 0 && result !== -Errno.EEXIST) throw this.#directories.error("make", inode, result);
  }

  /** Lets its owner into a directory whose mode does not: one of before, or that an interrupted run has finished. */
  #letIn(parent: number, name: CName): void {
    const fd = this.#calls.open(parent, name, Open.O_PATH | Open.O_DIRECTORY | Open.O_NOFOLLOW);
    if (fd < 0) return;
    this.#calls.setModeOfPath(fd, UNFINISHED_DIRECTORY_MODE);
    this.#calls.close(fd);
  }

  /** A new file under the temporary name in the directory of an inode's name: its descriptor. @throws {ClipError} */
  openFile(inode: number): number {
    const parent = this.#directories.parent(this.#options.selection.dirent(inode));
    const { temporaryName } = this.#options;
    const flags = Open.O_WRONLY | Open.O_CREAT | Open.O_EXCL | Open.O_NOFOLLOW;
    let fd = this.#calls.open(parent, temporaryName, flags, UNFINISHED_MODE);
    if (fd === -Errno.EEXIST) {
      // Left by a run that was killed.
      this.#calls.unlink(parent, temporaryName);
      fd = this.#calls.open(parent, temporaryName, flags, UNFINISHED_MODE);
    }
    if (fd < 0) throw this.#directories.error("write", inode, fd);
    return fd;
  }

  /** Gives a whole file its attributes and then its name. @throws {ClipError} */
  finishFile(inode: number, fd: number): void {
    const dirent = this.#options.selection.dirent(inode);
    const parent = this.#directories.parent(dirent);
    const name = this.#directories.name(dirent);
    this.#setAttributes(inode, fd);
    this.#retry("write", inode, parent, name, () => this.#calls.rename(parent, this.#options.temporaryName, name));
  }

  /** Takes a file away that did not become whole. Never throws. */
  dropFile(inode: number): void {
    try {
      const parent = this.#directories.parent(this.#options.selection.dirent(inode));
      this.#calls.unlink(parent, this.#options.temporaryName);
    } catch {
      // The next run will.
    }
  }

  /** Whether a file that was whole at one time still has its size and time. */
  isFinished(inode: number): boolean {
    const dirent = this.#options.selection.dirent(inode);
    const found = this.#calls.stat(this.#directories.parent(dirent), this.#directories.name(dirent));
    return typeof found !== "number" && (found.mode & S_IFMT) === this.#tree.type(inode) &&
      found.sizeBytes === this.#tree.sizeBytes(inode) && found.mtimeSeconds === this.#tree.mtimeSeconds(inode) &&
      found.mtimeNanoseconds === this.#tree.columns.mtimeNanoseconds[inode];
  }

  /** Makes a symlink, device, pipe or socket. @throws {ClipError} */
  makeOther(inode: number): void {
    const dirent = this.#options.selection.dirent(inode);
    const parent = this.#directories.parent(dirent);
    const name = this.#directories.name(dirent);
    const { columns } = this.#tree;
    const type = this.#tree.type(inode);
    const isSymlink = type === S_IFLNK;
    const target = isSymlink ? cName(this.#tree.targetBytes(inode)) : undefined;
    const make = () =>
      target === undefined
        ? this.#calls.makeNode(
          parent,
          name,
          type | UNFINISHED_MODE,
          columns.placeLow[inode]!,
          columns.placeHigh[inode]!,
        )
        : this.#calls.makeSymlink(target, parent, name);
    const result = this.#retry("make", inode, parent, name, make, isSymlink ? [] : CANNOT);
    if (result < 0) {
      this.#isLeftOut[inode] = 1;
      return this.#leaveOut("devices", inode, result);
    }
    this.#setAttributesOfOther(inode, parent, name);
  }

  /** Makes a further name of an inode that is there. @throws {ClipError} */
  makeLink(dirent: number): void {
    const { selection } = this.#options;
    const inode = this.#tree.direntInodes[dirent]!;
    if (this.#isLeftOut[inode] === 1) return;
    const first = selection.dirent(inode);
    // To open one directory may close the other.
    const from = this.#calls.open(this.#directories.parent(first), cName(DOT), Open.O_PATH | Open.O_DIRECTORY);
    try {
      const firstName = this.#directories.name(first).slice();
      const parent = this.#directories.parent(dirent);
      const name = this.#directories.name(dirent);
      this.#retry("make a further name of", inode, parent, name, () => this.#calls.link(from, firstName, parent, name));
    } finally {
      this.#calls.close(from);
    }
  }

  /** Gives a directory its attributes, once nothing more is done in it. @throws {ClipError} */
  finishDirectory(inode: number): void {
    this.#setAttributes(inode, this.#directories.fd(inode));
  }

  #setAttributes(inode: number, fd: number): void {
    const mode = this.#modeFor(inode, this.#setOwner(inode, fd));
    for (const { name, value } of this.#tree.xattrs(inode)) {
      this.#checkAttribute(inode, name, this.#calls.setAttribute(fd, cName(fromByteString(name)), value.slice()));
    }
    this.#check("set the mode of", inode, this.#calls.setMode(fd, mode));
    const seconds = this.#tree.mtimeSeconds(inode);
    this.#check(
      "set the time of",
      inode,
      this.#calls.setTime(fd, seconds, this.#tree.columns.mtimeNanoseconds[inode]!),
    );
  }

  /** Of what cannot be opened, or must not. */
  #setAttributesOfOther(inode: number, parent: number, name: CName): void {
    const fd = this.#calls.open(parent, name, Open.O_PATH | Open.O_NOFOLLOW);
    this.#check("look at", inode, fd);
    try {
      const found = this.#calls.stat(fd);
      if (typeof found === "number") throw this.#directories.error("look at", inode, found);
      if ((found.mode & S_IFMT) !== this.#tree.type(inode)) {
        throw new ClipError("io", `${this.#directories.display(inode)}: something else has come to lie there`);
      }
      const mode = this.#modeFor(inode, this.#setOwner(inode, fd));
      for (const { name: attribute, value } of this.#tree.xattrs(inode)) {
        const result = this.#calls.setAttributeOfName(parent, name, cName(fromByteString(attribute)), value.slice());
        this.#checkAttribute(inode, attribute, result);
      }
      if (this.#tree.type(inode) !== S_IFLNK) {
        this.#check("set the mode of", inode, this.#calls.setModeOfPath(fd, mode));
      }
    } finally {
      this.#calls.close(fd);
    }
    const nanoseconds = this.#tree.columns.mtimeNanoseconds[inode]!;
    const result = this.#calls.setTimeOfName(parent, name, this.#tree.mtimeSeconds(inode), nanoseconds);
    this.#check("set the time of", inode, result);
  }

  /** Whether the owner is the right one now. */
  #setOwner(inode: number, fd: number): boolean {
    const { uid, gid } = this.#tree.columns;
    const isOwn = uid[inode] === this.#user.uid && gid[inode] === this.#user.gid;
    if (!this.#options.sameOwner) return isOwn;
    const result = this.#calls.setOwner(fd, uid[inode]!, gid[inode]!);
    if (result === 0) return isOwn || (uid[inode] !== NO_ID && gid[inode] !== NO_ID);
    if (!CANNOT.includes(result)) throw this.#directories.error("set the owner of", inode, result);
    this.#leaveOut("owners", inode, result);
    return isOwn;
  }

  /** A program that others may run as its owner is none for another owner. */
  #modeFor(inode: number, isRightOwner: boolean): number {
    const mode = this.#tree.columns.mode[inode]! & 0o7777;
    if (isRightOwner || (mode & SET_ID_BITS) === 0 || this.#tree.type(inode) === S_IFDIR) return mode;
    const where = () => this.#directories.display(inode);
    this.#options.shortfalls.note("set-user-ID and set-group-ID bits", where, "the owner is another");
    return mode & ~SET_ID_BITS;
  }

  #checkAttribute(inode: number, name: string, result: number): void {
    if (result >= 0) return;
    const refused = CANNOT.includes(result) || result === -Errno.EACCES;
    if (!refused) throw this.#directories.error(`set ${name} of`, inode, result);
    this.#leaveOut(`extended attributes ${name.slice(0, name.indexOf(".") + 1)}*`, inode, result);
  }

  #leaveOut(kind: string, inode: number, result: number): void {
    this.#options.shortfalls.note(kind, () => this.#directories.display(inode), this.#calls.describe(-result));
  }

  #check(action: string, inode: number, result: number): void {
    if (result < 0) throw this.#directories.error(action, inode, result);
  }

  /** Does what needs a free name, once more where what is there may make way. Results in `accepted` are returned. */
  #retry(
    action: string,
    inode: number,
    parent: number,
    name: CName,
    work: () => number,
    accepted: readonly number[] = [],
  ): number {
    let result = work();
    if ((result === -Errno.EEXIST || result === -Errno.EISDIR) && this.#options.mayReplace) {
      const isDirectory = result === -Errno.EISDIR || this.#calls.unlink(parent, name) === -Errno.EISDIR;
      const removed = isDirectory ? this.#calls.removeDirectory(parent, name) : 0;
      if (removed < 0) throw this.#directories.error("replace the directory", inode, removed);
      result = work();
    }
    if (result < 0 && !accepted.includes(result)) throw this.#directories.error(action, inode, result);
    return result;
  }
}

const DOT = Uint8Array.of(0x2e);
