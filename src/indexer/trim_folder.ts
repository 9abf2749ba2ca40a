/** A temporary file of this age belongs to a writer that was killed. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** What a folder may hold. */
export interface FolderLimit {
  /** The files that count, by how their names end; others are left alone. */
  readonly suffixes: readonly string[];
  /** Of these files together. */
  readonly maxBytes: number;
  /** A file that was just written: never one of those that go. */
  readonly kept: string;
}

/**
 * Removes files of a folder, those used longest ago (by their modification time) first, until the rest is small enough;
 * and what killed writers have left. Other processes may do the same meanwhile.
 */
export async function trimFolder(folder: string, { suffixes, maxBytes, kept }: FolderLimit): Promise<void> {
  const files: { path: string; sizeBytes: number; usedMs: number }[] = [];
  let allBytes = 0;
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const temporary = name.startsWith(".") && name.endsWith(".tmp");
    if (!isFile || !(temporary || suffixes.some((suffix) => name.endsWith(suffix)))) continue;
    const path = `${folder}/${name}`;
    // Another process may have removed it.
    const stat = await Deno.stat(path).catch(() => undefined);
    if (stat === undefined) continue;
    const usedMs = stat.mtime?.getTime() ?? 0;
    if (temporary) {
      if (Date.now() - usedMs > ABANDONED_AFTER_MS) await Deno.remove(path).catch(() => {});
      continue;
    }
    allBytes += stat.size;
    if (path !== kept) files.push({ path, sizeBytes: stat.size, usedMs });
  }
  files.sort((a, b) => a.usedMs - b.usedMs);
  for (const { path, sizeBytes } of files) {
    if (allBytes <= maxBytes) return;
    await Deno.remove(path).catch(() => {});
    allBytes -= sizeBytes;
  }
}
