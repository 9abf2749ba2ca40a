import { type Archive, openArchive } from "../archive/mod.ts";
import { ClipError, FileRangeSource, LazyFile } from "../base/mod.ts";
import type { CommandContext } from "./io.ts";

/** Opens the archive in a file, which stays open until the command ends. @throws {ClipError} naming the file. */
export async function openArchiveFile(path: string, { atEnd }: Pick<CommandContext, "atEnd">): Promise<Archive> {
  const file = new LazyFile(path);
  atEnd(() => file.close());
  return await openArchive(new FileRangeSource({ file, offset: 0, sizeBytes: file.sizeBytes(), description: path }));
}

/** @throws {ClipError} `not_found` with the path. */
export function noSuchPath(archive: Archive, path: string): never {
  throw new ClipError("not_found", `${archive.description}: there is no ${path} in the image`);
}

/** @throws {ClipError} `unsupported` where the archive stands for a directory. `purpose`: what an image is wanted for. */
export function requireImage(archive: Archive, purpose: string): void {
  if (archive.isOfImage) return;
  const problem = `${archive.description} was packed from a directory and has no image`;
  throw new ClipError("unsupported", `${problem} to ${purpose}`);
}
