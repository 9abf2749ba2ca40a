import { ClipError, messageOf } from "./errors.ts";

/**
 * Writes the pieces to `path` so that it holds either all of them or what it held before: a temporary name in the
 * same folder, fsync, rename, fsync of the folder. Nothing is left behind on failure. A symlink is followed: the file
 * it leads to is replaced, not the link. A file that was there keeps its mode and owner, where that can be. What is not
 * a file (a pipe, `/dev/null`) is written to as it is, since a rename would put a file in its place.
 * @throws {ClipError} of code `io` naming the path; what the pieces throw.
 */
export async function writeFileAtomically(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const existing = await naming(path, () => whatIsAt(path));
  if (existing !== undefined && !existing.isFile) {
    const file = await naming(path, () => Deno.open(path, { write: true }));
    return await writing(path, file, () => writePieces(file, pieces));
  }
  await replaceFile(path, existing, (file) => writePieces(file, pieces));
}

/**
 * As {@linkcode writeFileAtomically}, for what is not written from front to back: `write` is given an empty file, and
 * what it returns is returned. The file is called `.<name>.<8 hex digits>.tmp` until it is complete; a process that is
 * killed leaves it behind under that name. @throws {ClipError} also where `path` is something else than a file.
 */
export async function replaceFileAtomically<Result>(
  path: string,
  write: (file: PlacedFile) => Promise<Result>,
): Promise<Result> {
  const existing = await naming(path, () => whatIsAt(path));
  if (existing !== undefined && !existing.isFile) {
    throw new ClipError("io", `cannot write ${path}: it is there and not a regular file`);
  }
  return await replaceFile(path, existing, (file) => write(new PlacedFile(file)));
}

/** A file that is written to at any place. Calls do not overlap. */
export class PlacedFile {
  readonly #file: Deno.FsFile;
  #at = 0;

  /** `file` stands at its beginning. */
  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Writes all of `bytes` so far from the beginning. */
  async write(bytes: Uint8Array, offset: number): Promise<void> {
    if (offset !== this.#at) await this.#file.seek(offset, Deno.SeekMode.Start);
    this.#at = offset + bytes.length;
    await writeAll(this.#file, bytes);
  }
}

async function whatIsAt(path: string): Promise<Deno.FileInfo | undefined> {
  const existing = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (existing?.isDirectory) throw new Error("it is a directory");
  return existing;
}

async function replaceFile<Result>(
  path: string,
  existing: Deno.FileInfo | undefined,
  write: (file: Deno.FsFile) => Promise<Result>,
): Promise<Result> {
  // Of a link that leads nowhere there is no real path: then the link itself is replaced.
  const real = await Deno.realPath(path).catch(() => path);
  const slash = real.lastIndexOf("/");
  const folder = slash < 0 ? "./" : real.slice(0, slash + 1);
  // Cut, so that a name as long as the system allows leaves room for the rest.
  const temporary = `${folder}.${real.slice(slash + 1, slash + 41)}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  let result: Result;
  try {
    const file = await naming(
      path,
      () => Deno.open(temporary, { read: true, write: true, createNew: true, mode: 0o644 }),
    );
    result = await writing(path, file, async () => {
      // Before there is anything to read.
      if (existing !== undefined) await keepAccess(temporary, existing);
      const written = await write(file);
      await file.sync();
      return written;
    });
    await naming(path, () => Deno.rename(temporary, real));
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  const handle = await Deno.open(folder).catch(() => undefined);
  await handle?.sync().catch(() => {});
  handle?.close();
  return result;
}

async function keepAccess(path: string, { uid, gid, mode }: Deno.FileInfo): Promise<void> {
  // Only root may give files away, and not every file system has owners and modes.
  await Deno.chown(path, uid, gid).catch(() => {});
  if (mode !== null) await Deno.chmod(path, mode & 0o777).catch(() => {});
}

/** Does `work` and closes the file, whatever happens. */
async function writing<Result>(path: string, file: Deno.FsFile, work: () => Promise<Result>): Promise<Result> {
  try {
    return await naming(path, work);
  } finally {
    file.close();
  }
}

async function writePieces(
  file: Deno.FsFile,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const piece of pieces) await writeAll(file, piece);
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** What `work` gives; what the system says against it, as an error that names the path. */
async function naming<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    // Of a signal's reasons, and of errors that tell already what failed, nothing is to be changed.
    if (error instanceof ClipError || error instanceof DOMException) throw error;
    throw new ClipError("io", `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}
