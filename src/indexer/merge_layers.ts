/**
 * Layers, bottom first, become one tree. Source: OCI image-spec layer.md, "Applying Changesets" and "Whiteouts".
 *
 * A layer is applied in two passes. Whiteouts first: they hide what *lower* layers hold and nothing of their own layer,
 * whichever comes first in the tar. Then the entries, in order: a later entry of a name replaces an earlier one; a
 * directory onto a directory keeps the children. Where the specification is silent, docs/decisions.md says what is done.
 */
import { type ByteString, ClipError, CorruptError, displayByteString } from "../base/mod.ts";
import {
  MAX_DEPTH,
  MAX_NAME_BYTES,
  MAX_TARGET_BYTES,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  type TreeNode,
} from "../archive/mod.ts";
import { entryBound, TooManyEntriesError } from "./entry_bound.ts";
import { FileTable, MergedDirectory, type MergedNode } from "./merged_directory.ts";
import type { EntryKind, TarEntry } from "../tar/mod.ts";

/** Prefix of the name of a whiteout. Source: image-spec layer.md. */
const WHITEOUT = ".wh.";
/** Name of the entry that hides all that lower layers hold in its directory. */
const OPAQUE_WHITEOUT = ".wh..wh..opq";
/** Links followed on the way to one entry, as Linux bounds it. */
const MAX_LINKS_FOLLOWED = 40;
/** Names gone through on the way to all entries: some 30 s. Four million of them, 64 deep, are that many. */
const MAX_STEPS = 2 ** 28;
/** A layer of more warnings than these is told of the rest in one line. */
const MAX_WARNINGS = 20;

const TYPE_BITS: Readonly<Record<Exclude<EntryKind, "hardlink">, number>> = {
  "file": S_IFREG,
  "directory": S_IFDIR,
  "symlink": S_IFLNK,
  "character-device": S_IFCHR,
  "block-device": S_IFBLK,
  "fifo": S_IFIFO,
};

/** Told of entries that were passed over, and of what overlayfs would take for its own marks. */
export type MergeWarning = (message: string) => void;

/**
 * The merged tree. Each layer's entries are gone through twice, and not changed.
 * @param bounds `maxEntries`: files and directories that may be made on the way, those that no layer has an entry for
 * among them. `maxSteps`: names that may be gone through.
 * @throws {CorruptError} naming layer and entry for one that leads outside the root or cannot be placed.
 * @throws {ClipError} `limit` for too many nodes, or paths that take too many steps.
 */
export function mergeLayers(
  layers: readonly Iterable<TarEntry>[],
  onWarning: MergeWarning,
  { maxEntries = entryBound(), maxSteps = MAX_STEPS }: { maxEntries?: number; maxSteps?: number } = {},
): TreeNode {
  const files = new FileTable();
  const root = impliedDirectory(files);
  const spent: MergeSpending = { maxEntries, maxSteps, entries: 0, steps: 0 };
  layers.forEach((entries, layer) => new LayerApplication({ root, files, layer, onWarning, spent }).apply(entries));
  return root;
}

/** What all layers together have taken. */
interface MergeSpending {
  readonly maxEntries: number;
  readonly maxSteps: number;
  entries: number;
  steps: number;
}

/** A directory that no layer has an entry for. */
function impliedDirectory(files: FileTable): MergedNode {
  return newNode(new MergedDirectory(files));
}

/** A node of which nothing is known but whether it is a directory. */
function newNode(children: MergedDirectory | undefined): MergedNode {
  return {
    mode: S_IFDIR | 0o755,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    sizeBytes: 0,
    data: undefined,
    target: "",
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: undefined,
    children,
  };
}

/** What a layer is applied to, and who is told of oddities. */
interface LayerPlace {
  readonly root: MergedNode;
  readonly files: FileTable;
  readonly layer: number;
  readonly onWarning: MergeWarning;
  readonly spent: MergeSpending;
}

class LayerApplication {
  #root: MergedNode;
  #files: FileTable;
  #layer: number;
  #onWarning: MergeWarning;
  #spent: MergeSpending;
  #warnings = 0;
  /** The folder of an entry before, as written, and the directory that it is: neighbours mostly share them. */
  #lastFolder: ByteString = "";
  #lastParent: MergedNode | undefined;

  constructor({ root, files, layer, onWarning, spent }: LayerPlace) {
    this.#spent = spent;
    this.#root = root;
    this.#files = files;
    this.#layer = layer;
    this.#onWarning = onWarning;
  }

  apply(entries: Iterable<TarEntry>): void {
    for (const entry of entries) if (entry.path.includes(WHITEOUT)) this.#hide(entry);
    for (const entry of entries) this.#add(entry);
    const untold = this.#warnings - MAX_WARNINGS;
    if (untold > 0) this.#onWarning(`layer ${this.#layer}: ${untold} further warnings`);
  }

  /** First pass: what lower layers hold. */
  #hide(entry: TarEntry): void {
    const components = this.#components(entry.path, entry, "name");
    if (components.at(-1)?.startsWith(WHITEOUT)) this.#applyWhiteout(components, entry);
    else if (leadsIntoWhiteout(components)) {
      this.#warn(`passed over ${displayByteString(entry.path)}: it lies below a whiteout`);
    }
  }

  /** Second pass: all but whiteouts, and what lies below them. */
  #add(entry: TarEntry): void {
    this.#spendSteps(entry, 1);
    const { path } = entry;
    const cut = path.lastIndexOf("/");
    if (this.#lastParent !== undefined && cut === this.#lastFolder.length && path.startsWith(this.#lastFolder)) {
      const name = path.slice(cut + 1);
      if (isPlainName(name)) return this.#place(entry, this.#lastParent, name);
    }
    const components = this.#components(path, entry, "name");
    const name = components.at(-1);
    if (name === undefined) {
      if (entry.kind !== "directory") this.#bad(entry, "type of the root entry", entry.kind, "directory");
      this.#warnOfOverlayMarks(entry);
      return describe(this.#root, entry);
    }
    if (leadsIntoWhiteout(components)) return;
    const parent = this.#walk(entry, components.slice(0, -1), true)!;
    if (cut >= 0 && cut + 1 + name.length === path.length) {
      this.#lastFolder = path.slice(0, cut);
      this.#lastParent = parent;
    }
    this.#place(entry, parent, name);
  }

  /** Never follows a symlink: a path that is one in the lower layers has nothing below it to hide. */
  #applyWhiteout(components: readonly ByteString[], entry: TarEntry): void {
    const name = components.at(-1)!;
    let parent: MergedNode | undefined = this.#root;
    for (const part of components.slice(0, -1)) parent = parent?.children?.get(part);
    if (name === OPAQUE_WHITEOUT) parent?.children?.clear();
    else if (name.startsWith(".wh..wh.")) return; // AUFS's own book-keeping, in images of old
    else if (name === WHITEOUT || name === ".wh.." || name === ".wh...") {
      this.#bad(entry, "whiteout", name, "a name after .wh.");
    } else parent?.children?.delete(name.slice(WHITEOUT.length));
  }

  #place(entry: TarEntry, parent: MergedNode, name: ByteString): void {
    if (entry.kind === "hardlink") return this.#applyHardLink(entry, parent, name);
    this.#warnOfOverlayMarks(entry);
    const existing = parent.children!.get(name);
    if (entry.kind === "directory" && existing?.children !== undefined) return describe(existing, entry);
    this.#spendEntry();
    const added = FileTable.takes(entry) ? this.#files.add(entry, this.#layer) : this.#newNode(entry);
    parent.children!.set(ownString(name), added);
    if (existing !== undefined) this.#lastParent = undefined; // it may lie on the way to it
  }

  #newNode(entry: TarEntry): MergedNode {
    const node = newNode(entry.kind === "directory" ? new MergedDirectory(this.#files) : undefined);
    describe(node, entry);
    if (entry.kind === "symlink") {
      if (entry.linkName === "" || entry.linkName.length > MAX_TARGET_BYTES) {
        this.#bad(entry, "length of the symlink's target", entry.linkName.length, `1 to ${MAX_TARGET_BYTES}`);
      }
      node.target = entry.linkName;
    }
    node.deviceMajor = entry.deviceMajor;
    node.deviceMinor = entry.deviceMinor;
    node.sizeBytes = entry.sizeBytes;
    if (entry.sparse !== undefined) {
      let plainOffset = entry.dataPlainOffset;
      node.data = entry.sparse.filter((run) => run.lengthBytes > 0).map((run) => {
        const extent = { ...run, layer: this.#layer, plainOffset };
        plainOffset += run.lengthBytes;
        return extent;
      });
    } else if (entry.sizeBytes > 0) node.data = { layer: this.#layer, plainOffset: entry.dataPlainOffset };
    return node;
  }

  #applyHardLink(entry: TarEntry, parent: MergedNode, name: ByteString): void {
    const components = this.#components(entry.linkName, entry, "hard link target");
    const folder = this.#walk(entry, components.slice(0, -1), false);
    const target = folder?.children?.share(components.at(-1) ?? "");
    if (target === undefined) {
      const actual = displayByteString(entry.linkName);
      this.#bad(entry, "hard link target", actual, "a file in this layer before the link, or in a lower one");
    }
    if (target.children !== undefined) this.#bad(entry, "hard link target", "a directory", "anything else");
    parent.children!.set(name, target);
    this.#lastParent = undefined;
  }

  /** The directory at `components`, symlinks followed inside the root; missing ones are made if `create`. */
  #walk(entry: TarEntry, components: readonly ByteString[], create: boolean): MergedNode | undefined {
    const todo = [...components].reverse();
    const way: MergedNode[] = [this.#root];
    for (let followed = 0; todo.length > 0;) {
      const name = todo.pop()!;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (way.length > 1) way.pop();
        continue;
      }
      this.#spendSteps(entry, 1);
      const here = way.at(-1)!;
      let child = here.children!.get(name);
      if (child === undefined) {
        if (!create) return undefined;
        this.#spendEntry();
        here.children!.set(name, child = impliedDirectory(this.#files));
      }
      if (child.children !== undefined) {
        way.push(child);
        // Through symlinks a path leads deeper than it is long.
        if (way.length > MAX_DEPTH) this.#bad(entry, "depth of path", way.length, `at most ${MAX_DEPTH}`);
      } else if ((child.mode & 0o170000) === S_IFLNK) {
        if (++followed > MAX_LINKS_FOLLOWED) {
          this.#bad(entry, "path", displayByteString(entry.path), `at most ${MAX_LINKS_FOLLOWED} symlinks on the way`);
        }
        if (child.target.startsWith("/")) way.length = 1;
        todo.push(...child.target.split("/").reverse());
      } else if (!create) return undefined;
      else this.#bad(entry, "path", displayByteString(entry.path), `a directory at ${displayByteString(name)}`);
    }
    return way.at(-1);
  }

  /** The parts of a path inside the image: no `.`, no empty ones; refuses `..`, which could lead outside. */
  #components(path: ByteString, entry: TarEntry, field: string): ByteString[] {
    const components = path.split("/").filter((part) => part !== "" && part !== ".");
    this.#spendSteps(entry, components.length);
    if (components.length > MAX_DEPTH) this.#bad(entry, `depth of ${field}`, components.length, `at most ${MAX_DEPTH}`);
    for (const part of components) {
      if (part === "..") this.#bad(entry, field, displayByteString(path), "a path without ..");
      if (part.length > MAX_NAME_BYTES) {
        this.#bad(entry, `length of a component of ${field}`, part.length, `at most ${MAX_NAME_BYTES}`);
      }
      if (part.includes("\0")) this.#bad(entry, field, displayByteString(path), "a path without NUL");
    }
    return components;
  }

  #spendEntry(): void {
    if (++this.#spent.entries > this.#spent.maxEntries) throw new TooManyEntriesError(this.#spent.maxEntries);
  }

  #spendSteps(entry: TarEntry, steps: number): void {
    this.#spent.steps += steps;
    if (this.#spent.steps <= this.#spent.maxSteps) return;
    const place = `layer ${this.#layer}, entry ${displayByteString(entry.path).slice(0, 300)}`;
    throw new ClipError(
      "limit",
      `${place}: with those before, paths lead over more than ${this.#spent.maxSteps} names`,
    );
  }

  #warnOfOverlayMarks(entry: TarEntry): void {
    const whiteout = entry.kind === "character-device" && entry.deviceMajor === 0 && entry.deviceMinor === 0;
    const mark = entry.xattrs !== undefined &&
      [...entry.xattrs.keys()].some((name) => name.startsWith("trusted.overlay."));
    if (!whiteout && !mark) return;
    const what = whiteout ? "a 0:0 character device" : "a trusted.overlay attribute";
    const path = displayByteString(entry.path);
    this.#warn(`${path} is or has ${what}; an overlayfs on the mount will give it a meaning`);
  }

  #warn(message: string): void {
    if (++this.#warnings <= MAX_WARNINGS) this.#onWarning(`layer ${this.#layer}: ${message}`);
  }

  #bad(entry: TarEntry, field: string, actual: string | number, expected: string): never {
    const source = `layer ${this.#layer}, entry ${displayByteString(entry.path).slice(0, 300)}`;
    throw new CorruptError({ subject: "tar", source, field, actual, expected });
  }
}

const units: number[] = [];

/** The same in memory of its own: a piece cut out of a longer string, such as a path, keeps all of that alive. */
function ownString(text: ByteString): ByteString {
  units.length = text.length;
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
  return String.fromCharCode.apply(null, units);
}

/** Whether a path's last part is a name to be used as it is. */
function isPlainName(name: ByteString): boolean {
  return name !== "" && name !== "." && name !== ".." && name.length <= MAX_NAME_BYTES && !name.includes("\0") &&
    !name.startsWith(WHITEOUT);
}

/** Whether a part of a path, the name included, is a whiteout's. */
function leadsIntoWhiteout(components: readonly ByteString[]): boolean {
  return components.some((part) => part.startsWith(WHITEOUT));
}

/** Owner, mode, times and attributes of `entry`, put on `node`. */
function describe(node: TreeNode, entry: TarEntry): void {
  if (entry.kind === "hardlink") throw new ClipError("internal", "internal error: a hard link has no attributes");
  // Linux has no permissions on symlinks: every file system shows 0777, whatever an archive says.
  node.mode = TYPE_BITS[entry.kind] | (entry.kind === "symlink" ? 0o777 : entry.mode);
  node.uid = entry.uid;
  node.gid = entry.gid;
  node.mtimeSeconds = entry.mtimeSeconds;
  node.mtimeNanoseconds = entry.mtimeNanoseconds;
  node.xattrs = entry.xattrs;
}
