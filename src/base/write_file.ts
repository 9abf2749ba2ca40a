import { ClipError, messageOf } from "./errors.ts";

/**
 * Writes the pieces to `path` so that it holds either all of them or what it held before: a temporary name in the
 * same folder, fsync, rename, fsync of the folder. Nothing is left behind on failure. A symlink is followed: the file
 * it leads to is replaced, not the link. What is not a file (a pipe, `/dev/null`) is written to as it is, since a
 * rename would put a file in its place.
 * @throws {ClipError} of code `io` naming the path.
 */
export async function writeFileAtomically(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  try {
    const existing = await Deno.stat(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    if (existing === undefined) return await replaceFile(path, pieces);
    if (existing.isDirectory) throw new Error("it is a directory");
    if (existing.isFile) return await replaceFile(await Deno.realPath(path), pieces);
    await writePieces(await Deno.open(path, { write: true }), pieces);
  } catch (error) {
    throw new ClipError("io", `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function replaceFile(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "./" : path.slice(0, slash + 1);
  // Cut, so that a name as long as the system allows leaves room for the rest.
  const temporary = `${folder}.${path.slice(slash + 1, slash + 41)}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o644 });
    await writePieces(file, pieces, () => file.sync());
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  const handle = await Deno.open(folder).catch(() => undefined);
  await handle?.sync().catch(() => {});
  handle?.close();
}

/** Writes the pieces to `file`, does `before` and closes it, whatever happens. */
async function writePieces(
  file: Deno.FsFile,
  pieces: Iterable<Uint8Array>,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  try {
    for (const piece of pieces) for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    await before();
  } finally {
    file.close();
  }
}
