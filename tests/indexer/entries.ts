/** Entries of layers made by hand, and trees as lists of lines. */
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, type TreeNode } from "../../src/archive/mod.ts";
import { mergeLayers } from "../../src/indexer/mod.ts";
import type { TarEntry } from "../../src/tar/mod.ts";
import { entry } from "../tar/entry.ts";

/** A file of 10 bytes at `at` in its layer. */
export function file(path: string, at = 512, fields: Partial<TarEntry> = {}): TarEntry {
  return entry("file", path, { sizeBytes: 10, dataPlainOffset: at, ...fields });
}

export function directory(path: string, fields: Partial<TarEntry> = {}): TarEntry {
  return entry("directory", path, fields);
}

export function symlink(path: string, linkName: string): TarEntry {
  return entry("symlink", path, { linkName, mode: 0o777 });
}

export function hardLink(path: string, linkName: string, fields: Partial<TarEntry> = {}): TarEntry {
  return entry("hardlink", path, { linkName, ...fields });
}

/** The whiteout of `path`. */
export function whiteout(path: string): TarEntry {
  const slash = path.lastIndexOf("/") + 1;
  return entry("file", `${path.slice(0, slash)}.wh.${path.slice(slash)}`);
}

/** The opaque whiteout in `folder`, "" for the root. */
export function opaque(folder: string): TarEntry {
  return entry("file", `${folder === "" ? "" : `${folder}/`}.wh..wh..opq`);
}

const LETTERS: Record<number, string> = {
  [S_IFREG]: "file",
  [S_IFDIR]: "dir",
  [S_IFLNK]: "link",
  [S_IFCHR]: "char",
  [S_IFBLK]: "block",
  [S_IFIFO]: "fifo",
};

/**
 * A line a name, by path: `/a file 644 1@512+10` (layer, place, size), `/d dir 755`, `/l link 777 -> a`, and `/h = /a`
 * for every further name of a node. Owner, time and attributes are added where they are set.
 */
export function linesOf(root: TreeNode): string[] {
  const first = new Map<TreeNode, string>();
  const lines: string[] = [];
  const visit = (node: TreeNode, path: string) => {
    const before = first.get(node);
    lines.push(`${path} ${before === undefined ? nodeText(node) : `= ${before}`}`);
    first.set(node, before ?? path);
    const names = [...(node.children?.keys() ?? [])].sort();
    for (const name of names) visit(node.children!.get(name)!, `${path === "/" ? "" : path}/${name}`);
  };
  visit(root, "/");
  return lines;
}

function nodeText(node: TreeNode): string {
  let text = `${LETTERS[node.mode & S_IFMT]} ${(node.mode & 0o7777).toString(8)}`;
  if (node.target !== "") text += ` -> ${node.target}`;
  if (node.deviceMajor + node.deviceMinor > 0) text += ` ${node.deviceMajor}:${node.deviceMinor}`;
  if (node.data !== undefined) {
    const extents = "plainOffset" in node.data ? undefined : node.data;
    text += extents === undefined
      ? ` ${(node.data as { layer: number }).layer}@${(node.data as { plainOffset: number }).plainOffset}`
      : ` ${extents.map((run) => `${run.fileOffset}:${run.layer}@${run.plainOffset}+${run.lengthBytes}`).join(",")}`;
  }
  if (node.sizeBytes > 0) text += `+${node.sizeBytes}`;
  if (node.uid + node.gid > 0) text += ` ${node.uid}.${node.gid}`;
  if (node.mtimeSeconds !== 0 || node.mtimeNanoseconds !== 0) text += ` t${node.mtimeSeconds}.${node.mtimeNanoseconds}`;
  for (const [name, value] of node.xattrs ?? []) text += ` ${name}=${new TextDecoder().decode(value)}`;
  return text;
}

/** The merged layers as lines, without the root's own. */
export function merged(...layers: TarEntry[][]): string[] {
  return linesOf(mergeLayers(layers, () => {})).slice(1);
}
