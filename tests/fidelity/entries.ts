/** Entries of layers, in few words: what the header has no room for goes to a PAX header by itself. */
import { join, paxHeader, tarEntry, type TarEntryFields } from "../tar/tar_builder.ts";

/** What an entry may say beside its name. Texts are byte strings. */
export interface EntryOptions extends Partial<Omit<TarEntryFields, "mtime">> {
  /** Seconds since 1970, as a decimal where it is text. */
  readonly mtime?: number | string;
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Further PAX records. */
  readonly pax?: Readonly<Record<string, string>>;
}

/** Most bytes of a name or link target in a header. */
const HEADER_NAME_BYTES = 100;
/** A day of 2020, so that nothing has a time of today by accident. */
const MTIME = 1_600_000_000;

/** An entry of any type. */
export function entry(path: string, { mtime = MTIME, xattrs, pax, ...fields }: EntryOptions = {}): Uint8Array {
  const records: Record<string, string> = {};
  if (path.length > HEADER_NAME_BYTES) records.path = path;
  if ((fields.linkName?.length ?? 0) > HEADER_NAME_BYTES) records.linkpath = fields.linkName!;
  if (typeof mtime === "string") records.mtime = mtime;
  for (const [name, value] of Object.entries(xattrs ?? {})) records[`SCHILY.xattr.${name}`] = value;
  Object.assign(records, pax);
  const header = tarEntry({ path, mtime: typeof mtime === "string" ? 0 : mtime, ...fields });
  return Object.keys(records).length === 0 ? header : join(paxHeader(records), header);
}

/** A file with these contents. */
export function file(path: string, data: Uint8Array | string, options: EntryOptions = {}): Uint8Array {
  return entry(path, { data, ...options });
}

/** A directory; its name is written as it is given, with or without a slash. */
export function directory(path: string, options: EntryOptions = {}): Uint8Array {
  return entry(path, { type: "5", mode: 0o755, ...options });
}

/** A symlink. */
export function symlink(path: string, target: string, options: EntryOptions = {}): Uint8Array {
  return entry(path, { type: "2", mode: 0o777, linkName: target, ...options });
}

/** A hard link to an entry that came before, here or in a lower layer. */
export function hardLink(path: string, target: string, options: EntryOptions = {}): Uint8Array {
  return entry(path, { type: "1", linkName: target, ...options });
}

/** An empty file, which whiteouts are. */
export function whiteout(path: string): Uint8Array {
  return entry(path);
}

/** A character (`3`) or block (`4`) device. */
export function device(path: string, type: "3" | "4", major: number, minor: number): Uint8Array {
  return entry(path, { type, major, minor, mode: 0o600 });
}
