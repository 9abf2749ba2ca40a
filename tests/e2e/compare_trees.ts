/** Compares two file trees by all that stat(2), readlink(2), getxattr(2) and read(2) tell of them. */
import { runProgram } from "./programs.ts";

/** A tree as read: by path (bytes as a latin-1 string; the root is the empty path), properties by name. */
export type TreeListing = Map<string, Record<string, string>>;

/** What may be left out of a comparison. */
export interface ListOptions {
  /** False: contents are not read. */
  readonly contents?: boolean;
}

const FIELDS = ["type", "mode", "uid", "gid", "mtime", "size", "links", "inode", "target"] as const;

/**
 * Reads a tree, without leaving its file system and without following symlinks. By GNU find, getfattr, stat and
 * sha256sum, since Deno's own functions know neither names that are not UTF-8 nor extended attributes.
 * The size and the link count of directories are left out: they are the file system's own affair.
 */
export async function listTree(root: string, { contents = true }: ListOptions = {}): Promise<TreeListing> {
  const tree: TreeListing = new Map();
  const format = "%P\\0%y\\0%#m\\0%U\\0%G\\0%T@\\0%s\\0%n\\0%i\\0%l\\0";
  const fields = (await read(["find", ".", "-xdev", "-printf", format], root)).split("\0");
  for (let at = 0; at + FIELDS.length < fields.length; at += FIELDS.length + 1) {
    const node: Record<string, string> = {};
    FIELDS.forEach((name, i) => node[name] = fields[at + 1 + i]!);
    if (node.type === "d") delete node.size, delete node.links;
    tree.set(fields[at]!, node);
  }
  nameHardLinkGroups(tree);
  await addDevices(tree, root);
  await addXattrs(tree, root);
  if (contents) await addContents(tree, root);
  return tree;
}

/** Instead of an inode number, each file with several names gets the first of them. */
function nameHardLinkGroups(tree: TreeListing): void {
  const first = new Map<string, string>();
  for (const path of [...tree.keys()].sort()) {
    const node = tree.get(path)!;
    if (node.type !== "d" && node.links !== "1") {
      if (!first.has(node.inode!)) first.set(node.inode!, path);
      node.sameFileAs = first.get(node.inode!)!;
    }
    delete node.inode;
  }
}

async function addDevices(tree: TreeListing, root: string): Promise<void> {
  const find = ["find", ".", "-xdev", "(", "-type", "b", "-o", "-type", "c", ")"];
  const lines = await read([...find, "-exec", "stat", "--printf", "%n\\0%t:%T\\0", "{}", "+"], root);
  const fields = lines.split("\0");
  for (let at = 0; at + 1 < fields.length; at += 2) tree.get(fields[at]!.slice(2))!.device = fields[at + 1]!;
}

async function addXattrs(tree: TreeListing, root: string): Promise<void> {
  // All of them in one call; getfattr writes odd bytes of names as octal escapes.
  const text = await read(["getfattr", "-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "."], root);
  for (const block of text.split("\n\n")) {
    const [head, ...lines] = block.trim().split("\n");
    if (head === undefined || head === "") continue;
    const path = unescapeOctal(head.replace(/^# file: /, "")).replace(/^\.\/?/, "");
    tree.get(path)!.xattrs = lines.sort().join(" ");
  }
}

async function addContents(tree: TreeListing, root: string): Promise<void> {
  const text = await read(["sh", "-c", "find . -xdev -type f -print0 | xargs -0 -r sha256sum -z --"], root);
  for (const line of text.split("\0")) if (line !== "") tree.get(line.slice(68))!.sha256 = line.slice(0, 64);
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** What a program writes, as a latin-1 string. @throws an Error when it fails. */
async function read(command: readonly string[], cwd: string): Promise<string> {
  const { code, stdoutBytes, stderr } = await runProgram(command, { cwd, env: { LC_ALL: "C" } });
  if (code !== 0) throw new Error(`${command[0]} in ${cwd}: status ${code}: ${stderr.slice(0, 2000)}`);
  // latin1 means windows-1252 to a TextDecoder; a byte is to be its own code.
  let text = "";
  for (let at = 0; at < stdoutBytes.length; at += 32_768) {
    text += String.fromCharCode(...stdoutBytes.subarray(at, at + 32_768));
  }
  return text;
}

/** The differences, one a line, ordered by path; none where the trees are equal. */
export function compareTrees(actual: TreeListing, expected: TreeListing): string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...actual.keys(), ...expected.keys()])].sort()) {
    const left = actual.get(path);
    const right = expected.get(path);
    const name = JSON.stringify(`/${path}`);
    if (left === undefined) lines.push(`${name}: is missing`);
    else if (right === undefined) lines.push(`${name}: should not be there`);
    else {
      for (const field of new Set([...Object.keys(left), ...Object.keys(right)])) {
        if (left[field] === right[field]) continue;
        lines.push(`${name}: ${field} is ${left[field] ?? "absent"}, expected ${right[field] ?? "absent"}`);
      }
    }
  }
  return lines;
}
