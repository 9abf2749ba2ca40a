/** Writes tar archives by hand, lawful or not. The sizes and places here are written anew, not taken from src/tar. */

/** What a hand-made entry may say; unset fields are harmless. Texts are byte strings. */
export interface TarEntryFields {
  path: string;
  /** The typeflag. Default "0". */
  type?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  linkName?: string;
  major?: number;
  minor?: number;
  prefix?: string;
  data?: Uint8Array | string;
  /** The size field, where it is not the data's length. */
  size?: number;
  format?: "v7" | "ustar" | "gnu" | "star";
  /** Bytes written over the header before it is summed, by offset. */
  raw?: Record<number, Uint8Array | string>;
  /** Added to the right checksum. */
  checksumError?: number;
  /** Sums bytes as signed, as some old writers do. */
  signedChecksum?: boolean;
}

const MAGICS = { v7: "", ustar: "ustar\x0000", star: "ustar\x0000", gnu: "ustar  \0" };

/** The bytes of a byte string. */
export function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? Uint8Array.from(text, (char) => char.charCodeAt(0)) : text;
}

/** A field of `length` bytes with octal digits, or base-256 where they do not fit or `value` is negative. */
export function numberField(value: number, length: number): Uint8Array {
  if (value >= 0 && value < 8 ** (length - 1)) return bytesOf(value.toString(8).padStart(length - 1, "0") + "\0");
  const field = new Uint8Array(length);
  let rest = BigInt.asUintN(8 * length - 1, BigInt(value));
  for (let i = length - 1; i >= 0; i--, rest >>= 8n) field[i] = Number(rest & 255n);
  field[0]! |= 0x80;
  return field;
}

/** A header and its data, padded. */
export function tarEntry(fields: TarEntryFields): Uint8Array<ArrayBuffer> {
  const data = bytesOf(fields.data ?? "");
  const bytes = new Uint8Array(512 + Math.ceil(data.length / 512) * 512);
  const put = (value: string | Uint8Array, at: number) => bytes.set(bytesOf(value), at);
  const format = fields.format ?? "ustar";
  put(fields.path.slice(0, 100), 0);
  put(numberField(fields.mode ?? 0o644, 8), 100);
  put(numberField(fields.uid ?? 0, 8), 108);
  put(numberField(fields.gid ?? 0, 8), 116);
  put(numberField(fields.size ?? data.length, 12), 124);
  put(numberField(fields.mtime ?? 0, 12), 136);
  put(fields.type ?? "0", 156);
  put((fields.linkName ?? "").slice(0, 100), 157);
  put(MAGICS[format], 257);
  if (format !== "v7") {
    put(numberField(fields.major ?? 0, 8), 329);
    put(numberField(fields.minor ?? 0, 8), 337);
  }
  if (fields.prefix !== undefined) put(fields.prefix, 345);
  if (format === "star") put("tar\0", 508);
  for (const [at, value] of Object.entries(fields.raw ?? {})) put(value, Number(at));
  put(" ".repeat(8), 148);
  let sum = fields.checksumError ?? 0;
  for (let i = 0; i < 512; i++) sum += fields.signedChecksum ? bytes[i]! << 24 >> 24 : bytes[i]!;
  put(sum.toString(8).padStart(6, "0") + "\0 ", 148);
  bytes.set(data, 512);
  return bytes;
}

/** A PAX record, its own length included. */
export function paxRecord(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

/** A PAX header for the next entry, or a global one with type "g". */
export function paxHeader(records: Record<string, string> | [string, string][], type = "x"): Uint8Array<ArrayBuffer> {
  const list = Array.isArray(records) ? records : Object.entries(records);
  return tarEntry({ path: "pax", type, data: list.map(([keyword, value]) => paxRecord(keyword, value)).join("") });
}

/** GNU's header of a long name (type "L") or link target ("K"). */
export function longHeader(text: string, type: "L" | "K" = "L"): Uint8Array<ArrayBuffer> {
  return tarEntry({ path: "././@LongLink", type, format: "gnu", data: `${text}\0` });
}

/** The two zero blocks that end an archive. */
export function endOfArchive(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(1024);
}

/** The parts one after another, without an end. */
export function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A whole archive. */
export function tar(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return join(...parts, endOfArchive());
}
