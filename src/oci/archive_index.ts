import { ClipError, CorruptError, type LazyFile } from "../base/mod.ts";
import { show } from "./errors.ts";

/** A member of a tar file that can be looked up by name. */
export type ArchiveMember =
  | { readonly kind: "file"; readonly offset: number; readonly sizeBytes: number }
  /** `target` as stored: of a hard link a member's name, of a symlink relative to the member's folder. */
  | { readonly kind: "symlink" | "hardlink"; readonly target: string };

const BLOCK_BYTES = 512;
const MAX_MEMBERS = 100_000;
const MAX_EXTENSION_BYTES = 1024 * 1024;
const MAX_NAME_LENGTH = 4096;
/** `docker save` makes links to files; a link to a link is already odd. */
const MAX_LINKS = 4;

/** Where the fields of a header block are. Source: POSIX pax, "ustar Interchange Format"; GNU tar manual. */
const Field = {
  name: [0, 100],
  size: [124, 12],
  checksum: [148, 8],
  link: [157, 100],
  magic: [257, 6],
  prefix: [345, 155],
} as const;

/** The first bytes of compressed files. */
const COMPRESSIONS: readonly (readonly [string, string, readonly number[]])[] = [
  ["gzip", "gunzip", [0x1f, 0x8b]],
  ["zstd", "unzstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", "bunzip2", [0x42, 0x5a, 0x68]],
  ["xz", "unxz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
];

/**
 * The files and links in the uncompressed tar `file`, by name (without leading `./` and doubled slashes); of several
 * members with one name the last. Reads headers only, in time and memory linear in the number of members.
 *
 * This is the tar of an image's *transport*, made by image tools. Layers have a scanner of their own that knows every
 * dialect; here ustar, PAX `path`, `linkpath` and `size`, GNU long names and binary sizes suffice.
 * @throws {ClipError} `unsupported` for a compressed file, `limit` beyond 100,000 members, `not_found`, `io`.
 * @throws {CorruptError}
 */
export function indexArchive(file: LazyFile): ReadonlyMap<string, ArchiveMember> {
  return new ArchiveScan(file).run();
}

/** `name` as the index has it: `./a//b` and `c/../a/b` are `a/b`. */
export function plainMemberName(name: string): string {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** The file that `name` leads to, through links inside the archive; undefined where there is none. */
export function findFile(
  members: ReadonlyMap<string, ArchiveMember>,
  name: string,
): (ArchiveMember & { kind: "file" }) | undefined {
  let at = plainMemberName(name);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const member = members.get(at);
    if (member === undefined || member.kind === "file") return member;
    const folder = at.slice(0, at.lastIndexOf("/") + 1);
    at = plainMemberName(
      member.kind === "symlink" && !member.target.startsWith("/") ? folder + member.target : member.target,
    );
  }
  return undefined;
}

class ArchiveScan {
  readonly #file: LazyFile;
  readonly #fileBytes: number;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  readonly #members = new Map<string, ArchiveMember>();
  #offset = 0;
  #extensions: { path?: string; linkpath?: string; size?: number } = {};

  constructor(file: LazyFile) {
    this.#file = file;
    this.#fileBytes = file.sizeBytes();
  }

  run(): ReadonlyMap<string, ArchiveMember> {
    const head = this.#block.subarray(0, Math.min(8, this.#fileBytes));
    this.#file.read(head, 0);
    refuseCompressed(head, this.#file.path);
    let headers = 0;
    while (this.#offset + BLOCK_BYTES <= this.#fileBytes) {
      this.#file.read(this.#block, this.#offset);
      // Some writers leave out the second block of zeros, or both: the end of the file will do.
      if (this.#block.every((byte) => byte === 0)) return this.#members;
      this.#checkSum();
      if (++headers > MAX_MEMBERS) {
        throw new ClipError("limit", `${this.#file.path}: more than ${MAX_MEMBERS} members`);
      }
      this.#takeMember();
    }
    if (this.#offset === 0) throw this.#corrupt("file size", this.#fileBytes, "at least 512");
    return this.#members;
  }

  #takeMember(): void {
    const type = String.fromCharCode(this.#block[156]!);
    const isExtension = type === "x" || type === "g" || type === "L" || type === "K";
    const statedBytes = this.#number(Field.size);
    const sizeBytes = isExtension ? statedBytes : this.#extensions.size ?? statedBytes;
    const dataOffset = this.#offset + BLOCK_BYTES;
    // Links state the size of their target in some dialects, without data.
    const storedBytes = type === "1" || type === "2" ? 0 : sizeBytes;
    if (dataOffset + storedBytes > this.#fileBytes) {
      throw this.#corrupt("member size", sizeBytes, `at most the ${this.#fileBytes - dataOffset} bytes that follow`);
    }
    if (isExtension) this.#takeExtension(type, dataOffset, sizeBytes);
    else {
      this.#addMember(type, dataOffset, sizeBytes);
      this.#extensions = {};
    }
    this.#offset = dataOffset + Math.ceil(storedBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }

  #addMember(type: string, offset: number, sizeBytes: number): void {
    // GNU's magic has a space where POSIX's has a NUL, and its field of that place is no prefix.
    const isUstar = this.#text(Field.magic) === "ustar";
    const prefix = isUstar ? this.#text(Field.prefix) : "";
    const stored = this.#extensions.path ?? (prefix === "" ? "" : `${prefix}/`) + this.#text(Field.name);
    const target = this.#extensions.linkpath ?? this.#text(Field.link);
    if (stored.length > MAX_NAME_LENGTH || target.length > MAX_NAME_LENGTH) {
      throw this.#corrupt("name length", Math.max(stored.length, target.length), `at most ${MAX_NAME_LENGTH}`);
    }
    const name = plainMemberName(stored);
    if (type === "0" || type === "\0" || type === "7") this.#members.set(name, { kind: "file", offset, sizeBytes });
    else if (type === "1") this.#members.set(name, { kind: "hardlink", target });
    else if (type === "2") this.#members.set(name, { kind: "symlink", target });
  }

  #takeExtension(type: string, offset: number, sizeBytes: number): void {
    if (sizeBytes > MAX_EXTENSION_BYTES) {
      throw this.#corrupt("extended header size", sizeBytes, `at most ${MAX_EXTENSION_BYTES}`);
    }
    if (type === "g") return;
    const bytes = new Uint8Array(sizeBytes);
    if (sizeBytes > 0) this.#file.read(bytes, offset);
    if (type === "L") this.#extensions.path = untilNul(bytes);
    else if (type === "K") this.#extensions.linkpath = untilNul(bytes);
    else this.#takePaxRecords(bytes);
  }

  /** Source: POSIX pax, "pax Extended Header": records `LENGTH KEY=VALUE\n`. */
  #takePaxRecords(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const space = bytes.indexOf(0x20, at);
      const digits = space < 0 || space - at > 7 ? "" : new TextDecoder().decode(bytes.subarray(at, space));
      const lengthBytes = /^\d+$/.test(digits) ? Number(digits) : 0;
      const endExclusive = at + lengthBytes;
      if (lengthBytes < 5 || endExclusive > bytes.length || space >= endExclusive || bytes[endExclusive - 1] !== 0x0a) {
        throw this.#corrupt("extended header record", show(digits, 20), "LENGTH KEY=VALUE");
      }
      const record = new TextDecoder().decode(bytes.subarray(space + 1, endExclusive - 1));
      const equals = record.indexOf("=");
      const key = record.slice(0, Math.max(equals, 0));
      const value = record.slice(equals + 1);
      if (key === "path") this.#extensions.path = value;
      else if (key === "linkpath") this.#extensions.linkpath = value;
      else if (key === "size") this.#extensions.size = this.#decimal(value);
      at = endExclusive;
    }
  }

  #decimal(text: string): number {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value)) throw this.#corrupt("size", show(text, 20), "a whole number");
    return value;
  }

  /** A number in octal, or big-endian binary where the top bit of the first byte is set (GNU). */
  #number([start, lengthBytes]: readonly [number, number]): number {
    let value = 0;
    if ((this.#block[start]! & 0x80) !== 0) {
      value = this.#block[start]! & 0x7f;
      for (let i = start + 1; i < start + lengthBytes; i++) value = value * 256 + this.#block[i]!;
    } else {
      const text = this.#text([start, lengthBytes]).trim();
      value = text === "" ? 0 : /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
    }
    if (!Number.isSafeInteger(value)) throw this.#corrupt("number", value, "octal digits, at most 9007199254740991");
    return value;
  }

  #text([start, lengthBytes]: readonly [number, number]): string {
    return untilNul(this.#block.subarray(start, start + lengthBytes));
  }

  #checkSum(): void {
    const [start, lengthBytes] = Field.checksum;
    let sum = 0;
    for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= start && i < start + lengthBytes ? 0x20 : this.#block[i]!;
    const stated = this.#number(Field.checksum);
    if (stated !== sum) throw this.#corrupt("header checksum (is it a tar file?)", stated, sum);
  }

  #corrupt(field: string, actual: string | number, expected: string | number): CorruptError {
    return new CorruptError({ subject: "tar", source: this.#file.path, field, offset: this.#offset, actual, expected });
  }
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function refuseCompressed(head: Uint8Array, path: string): void {
  for (const [name, program, magic] of COMPRESSIONS) {
    if (!magic.every((byte, index) => head[index] === byte)) continue;
    throw new ClipError("unsupported", `${path} is compressed with ${name}; decompress it first, with ${program}`);
  }
}
