import { type TarEntry, type TarLimits, TarScanner } from "../../src/tar/mod.ts";

/** All entries and warnings of a tar, pushed in `pieces` that are overwritten afterwards. */
export function scanTar(
  pieces: Iterable<Uint8Array>,
  limits: Partial<TarLimits> = {},
): { entries: TarEntry[]; warnings: string[] } {
  const entries: TarEntry[] = [];
  const warnings: string[] = [];
  const scanner = new TarScanner({
    limits,
    onEntry: (entry) => entries.push(entry),
    onWarning: (message) => warnings.push(message),
  });
  for (const piece of pieces) {
    const lent = new Uint8Array(piece);
    scanner.push(lent);
    lent.fill(0xa5);
  }
  scanner.finish();
  return { entries, warnings };
}

/** The contents of a file entry as a reader sees them: stored bytes, and zeros between the runs of a sparse file. */
export function contents(archive: Uint8Array, entry: TarEntry): Uint8Array {
  const stored = archive.subarray(entry.dataPlainOffset, entry.dataPlainOffset + entry.storedBytes);
  if (entry.sparse === undefined) return stored;
  const bytes = new Uint8Array(entry.sizeBytes);
  let at = 0;
  for (const { fileOffset, lengthBytes } of entry.sparse) {
    bytes.set(stored.subarray(at, at + lengthBytes), fileOffset);
    at += lengthBytes;
  }
  return bytes;
}
