import { ClipError, messageOf } from "./errors.ts";

/**
 * Writes the pieces to `path` so that it holds either all of them or what it held before: a temporary name in the
 * same folder, fsync, rename, fsync of the folder. Nothing is left behind on failure.
 * @throws {ClipError} of code `io` naming the path.
 */
export async function writeFileAtomically(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "." : path.slice(0, slash + 1);
  const temporary = `${folder}${slash < 0 ? "/" : ""}.${path.slice(slash + 1)}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o644 });
    try {
      for (const piece of pieces) for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new ClipError("io", `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
  const handle = await Deno.open(folder).catch(() => undefined);
  await handle?.sync().catch(() => {});
  handle?.close();
}
