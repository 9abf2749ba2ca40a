import { posix } from "node:path";
import { ClipError, describeValue, displayByteString, UsageError, utf8ToByteString } from "../base/mod.ts";
import { S_IFDIR, type Tree } from "../archive/mod.ts";
import type { BundleFolder, DirectoryAttributes } from "./bundle_folder.ts";
import { overlayOptions, type OverlayPlaces } from "./overlay.ts";
import type { RuntimeMount } from "./runtime_config.ts";

/** A directory or file of the machine that a container is to see. */
export interface HostVolume {
  /** Absolute path on the machine. */
  readonly source: string;
  /** Absolute path in the container. */
  readonly destination: string;
  /** Whether the container may only read it. */
  readonly readOnly: boolean;
}

/** Reads `SRC:DST[:ro]`. @throws {UsageError} */
export function parseHostVolume(text: string): HostVolume {
  const [source, destination, mode, ...rest] = text.split(":");
  if (source === "" || destination === undefined || rest.length > 0 || !["ro", "rw", undefined].includes(mode)) {
    throw new UsageError(`${JSON.stringify(text)} is not SRC:DST or SRC:DST:ro`);
  }
  if (!isPlainPath(destination)) throw new UsageError(`the destination ${destination} is not an absolute path`);
  return { source: source!, destination, readOnly: mode === "ro" };
}

/** A mount of the runtime's by which a container sees a part of the machine. */
export function bindMount({ source, destination, readOnly }: HostVolume): RuntimeMount {
  return { destination, type: "none", source, options: ["rbind", "rprivate", readOnly ? "ro" : "rw"] };
}

/** A volume that an image asks for. */
export interface ImageVolume {
  /** What the runtime is to mount. */
  readonly mount: RuntimeMount;
  /** The directories behind it, to be made. */
  readonly places: OverlayPlaces;
  /** What its root looks like. */
  readonly attributes: DirectoryAttributes;
}

/**
 * The volumes that an image asks for: an overlay for each, so that the image's files are there without being copied,
 * and what is written lies beside what is written to the root. Those in `taken` are left out: another mount is there.
 * @throws {ClipError} for a volume that is no absolute path without `..`, or no directory in the image.
 * Source: image-spec conversion.md, "Optional Fields".
 */
export function imageVolumes(
  paths: readonly string[],
  { tree, folder, taken, userNamespace }: {
    tree: Tree;
    folder: BundleFolder;
    taken: readonly string[];
    userNamespace: boolean;
  },
): ImageVolume[] {
  for (const path of paths) {
    if (isPlainPath(path)) continue;
    throw new ClipError("corrupt", `the image's volume ${describeValue(path)} is not an absolute path without ".."`);
  }
  const mountpoints = new Set(taken.map(trimmed));
  const free = [...new Set(paths.map(trimmed))].filter((path) => !mountpoints.has(path));
  return free.map((path, index) => {
    const inode = tree.find(utf8ToByteString(path));
    if (inode !== undefined && tree.type(inode) !== S_IFDIR) {
      throw new ClipError("unsupported", `the image's volume ${path} is no directory in the image`);
    }
    const places = folder.volume(index, inode === undefined ? "" : displayPath(tree, inode, path));
    const options = overlayOptions(places, userNamespace);
    const attributes = inode === undefined ? { mode: 0o755, uid: 0, gid: 0 } : attributesOf(tree, inode);
    return { mount: { destination: path, type: "overlay", source: "overlay", options }, places, attributes };
  });
}

/** Mode and owner of a node. */
export function attributesOf({ columns }: Tree, inode: number): DirectoryAttributes {
  return { mode: columns.mode[inode]! & 0o7777, uid: columns.uid[inode]!, gid: columns.gid[inode]! };
}

function displayPath(tree: Tree, inode: number, path: string): string {
  const found = tree.path(inode);
  // What is handed to the runtime is JSON, and hence text.
  if (/^[\x20-\x7e]*$/.test(found) || displayByteString(found) === path) return displayByteString(found);
  throw new ClipError("unsupported", `the image's volume ${describeValue(path)} lies at a path that is no plain text`);
}

/** Absolute, and neither the root nor with `..` in it. */
function isPlainPath(path: string): boolean {
  return path.startsWith("/") && !path.split("/").includes("..") && trimmed(path) !== "/";
}

function trimmed(path: string): string {
  return posix.normalize(path).replace(/(.)\/+$/, "$1");
}
