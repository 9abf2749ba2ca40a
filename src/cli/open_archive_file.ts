import { type Archive, openArchive } from "../archive/mod.ts";
import { ClipError, FileRangeSource, isArchiveUrl, LazyFile } from "../base/mod.ts";
import { ARCHIVE_URL_VARIABLE, showArchive } from "./archive_url.ts";
import type { CommandContext } from "./io.ts";

/**
 * Opens the archive in a file, or at a URL, where only its tables are read. A file stays open until the command ends.
 * @param choices `offline`: nothing but files may be opened.
 * @throws {ClipError} naming the file.
 */
export async function openArchiveFile(
  path: string,
  { atEnd, io, log }: Pick<CommandContext, "atEnd" | "io" | "log">,
  choices: { readonly offline?: boolean } = {},
): Promise<Archive> {
  if (isArchiveUrl(path)) {
    if (choices.offline === true) {
      throw new ClipError("not_found", `cannot open ${showArchive(path)} offline: copy it to a disk`);
    }
    const { openObject } = await import("../storage/mod.ts");
    const whole = io.env(ARCHIVE_URL_VARIABLE) ?? "";
    const url = showArchive(whole) === path ? whole : path;
    return await openArchive(await openObject(url, { env: io.env, log }, io.signal));
  }
  const file = new LazyFile(path);
  atEnd(() => file.close());
  return await openArchive(FileRangeSource.whole(file));
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
