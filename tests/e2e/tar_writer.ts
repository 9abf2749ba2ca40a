/**
 * Writes tar entries that programs do not write on request: hard links to files of lower layers, whiteouts, any name.
 * Source: POSIX pax, "ustar Interchange Format" and "pax Extended Header"; OCI image-spec layer.md.
 */

/** One entry. Strings are bytes in latin-1. */
export interface TarMember {
  readonly path: string;
  /** The letter of the type: `0` file, `1` hard link, `2` symlink, `3` character device, `5` directory, `6` fifo. */
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970 as a decimal, negative and with fractions if need be. */
  readonly mtime?: string;
  readonly link?: string;
  readonly device?: readonly [major: number, minor: number];
  readonly data?: Uint8Array;
  /** The length of data that is written by the caller, in place of `data`. */
  readonly dataBytes?: number;
  readonly xattrs?: Readonly<Record<string, string>>;
}

const BLOCK_BYTES = 512;

/** The bytes of an entry: extended header where needed, header, data, padding; the last two if it has `data`. */
export function tarMember(member: TarMember): Uint8Array<ArrayBuffer> {
  const records: string[] = [];
  if (member.path.length > 100) records.push(paxRecord("path", member.path));
  if ((member.link?.length ?? 0) > 100) records.push(paxRecord("linkpath", member.link!));
  if (member.mtime !== undefined) records.push(paxRecord("mtime", member.mtime));
  for (const [name, value] of Object.entries(member.xattrs ?? {})) {
    records.push(paxRecord(`SCHILY.xattr.${name}`, value));
  }
  const extended = latin1(records.join(""));
  const data = member.data ?? new Uint8Array(0);
  const parts = [
    ...(extended.length === 0 ? [] : [header({ path: "pax", type: "x", dataBytes: extended.length }), pad(extended)]),
    header({ ...member, dataBytes: member.dataBytes ?? data.length }),
    pad(data),
  ];
  return concatenate(parts);
}

/** The two empty blocks that end an archive. */
export function tarEnd(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(2 * BLOCK_BYTES);
}

/** How many bytes of padding follow data of that length. */
export function paddingBytes(dataBytes: number): number {
  return -dataBytes & (BLOCK_BYTES - 1);
}

/** Byte arrays one after the other. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`.length;
  let length = rest;
  while (length !== rest + `${length}`.length) length = rest + `${length}`.length;
  return `${length} ${key}=${value}\n`;
}

function header(member: TarMember): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string) => block.set(latin1(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, member.path.slice(0, 100));
  put(100, octal(member.mode ?? 0o644, 7));
  put(108, octal(member.uid ?? 0, 7));
  put(116, octal(member.gid ?? 0, 7));
  put(124, octal(member.dataBytes ?? 0, 11));
  put(136, octal(Math.max(0, Math.floor(Number(member.mtime ?? 0))), 11));
  put(148, "        ");
  put(156, member.type ?? "0");
  put(157, (member.link ?? "").slice(0, 100));
  put(257, "ustar\x0000");
  put(329, octal(member.device?.[0] ?? 0, 7));
  put(337, octal(member.device?.[1] ?? 0, 7));
  put(148, `${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0 `);
  return block;
}

function pad(data: Uint8Array): Uint8Array {
  return concatenate([data, new Uint8Array(paddingBytes(data.length))]);
}

function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
