import type { EntryKind, TarEntry } from "../../src/tar/mod.ts";

/** An entry; what is not given is harmless. */
export function entry(kind: EntryKind, path: string, fields: Partial<TarEntry> = {}): TarEntry {
  return {
    kind,
    path,
    linkName: "",
    mode: kind === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    sizeBytes: 0,
    dataPlainOffset: 0,
    storedBytes: fields.sizeBytes ?? 0,
    sparse: undefined,
    xattrs: undefined,
    ...fields,
  };
}
