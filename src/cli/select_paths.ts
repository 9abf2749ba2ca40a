import type { Archive } from "../archive/mod.ts";
import { utf8ToByteString } from "../base/mod.ts";
import { findDirent, Selection } from "../extract/mod.ts";
import { noSuchPath } from "./open_archive_file.ts";

/** What paths name, with all below it; everything where there are none. @throws {ClipError} `not_found` */
export function selectPaths(archive: Archive, paths: readonly string[]): Selection {
  if (paths.length === 0) return new Selection(archive.tree);
  const dirents = paths.map((path) => findDirent(archive.tree, utf8ToByteString(path)) ?? noSuchPath(archive, path));
  return new Selection(archive.tree, dirents);
}
