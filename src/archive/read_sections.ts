import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { ClipError, CorruptError, messageOf, type RangeSource, readU64, sha256Bytes } from "../base/mod.ts";
import { tableDigest } from "./encode_archive.ts";
import { inflateInto } from "./inflate_into.ts";
import {
  align8,
  Encoding,
  FORMAT_VERSION,
  HEADER,
  HEADER_BYTES,
  MAGIC,
  MAX_DOCUMENT_BYTES,
  MAX_PLAIN_BYTES,
  MAX_PROFILE_RANGES,
  PROFILE_RANGE_BYTES,
  SECTION,
  SECTION_BYTES,
  SECTION_NAMES,
  SectionId,
  type SectionName,
} from "./layout.ts";

/** With data and a profile. */
const MOST_SECTIONS = SECTION_NAMES.length + 2;
/** Sections that are never read as a whole, and never deflated as a whole. */
const LEFT_IN_FILE: readonly (keyof typeof SectionId)[] = ["windows", "data"];
/** Deflate cannot expand further than this. Source: zlib's technical notes, "Maximum Compression Factor". */
const MAX_DEFLATE_RATIO = 1032;

/** Bounds of sections that are short. */
const MOST_PLAIN_BYTES: Readonly<Partial<Record<keyof typeof SectionId, number>>> = {
  image: MAX_DOCUMENT_BYTES,
  manifest: MAX_DOCUMENT_BYTES,
  config: MAX_DOCUMENT_BYTES,
  profile: MAX_PROFILE_RANGES * PROFILE_RANGE_BYTES,
};

/** A row of the section table, checked. */
export interface SectionInfo {
  /** Which it is. */
  readonly name: keyof typeof SectionId;
  /** Whether its bytes are deflated. */
  readonly deflated: boolean;
  /** Where it begins in the file. */
  readonly offset: number;
  /** Its length in the file. */
  readonly storedBytes: number;
  /** Its length once inflated. */
  readonly plainBytes: number;
  /** sha256 of the stored bytes. */
  readonly digest: Uint8Array;
}

/** Header and section table of an archive. */
export interface SectionTable {
  /** sha256 over header and table, in hex: stands for the whole archive. */
  readonly id: string;
  /** The sections that every archive has, by name. */
  readonly sections: Readonly<Record<SectionName, SectionInfo>>;
  /** The profile; undefined where the archive has none. */
  readonly profile: SectionInfo | undefined;
  /** The blobs of the layers; undefined where they are elsewhere. Never deflated. */
  readonly data: SectionInfo | undefined;
}

/**
 * Reads and checks the header and the section table.
 * @throws {CorruptError} naming field, value and place; {ClipError} `unsupported` for another format version.
 */
export async function readSectionTable(source: RangeSource): Promise<SectionTable> {
  const bad = (field: string, offset: number, actual: string | number, expected: string | number) => {
    throw new CorruptError({ subject: "archive", source: source.description, field, offset, actual, expected });
  };
  const mostBytes = HEADER_BYTES + MOST_SECTIONS * SECTION_BYTES;
  const head = await source.readRange({ offset: 0, endExclusive: Math.min(source.sizeBytes, mostBytes) });
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  MAGIC.forEach((byte, at) => {
    if (head[at] !== byte) bad("magic", at, head[at] ?? "the end of the file", `${byte}: this is not a .clip file`);
  });
  if (head.length >= HEADER_BYTES) checkVersion(view.getUint16(HEADER.formatVersion.at, true), source.description);
  const leastBytes = HEADER_BYTES + SECTION_NAMES.length * SECTION_BYTES;
  if (head.length < leastBytes) bad("length", 0, source.sizeBytes, `at least ${leastBytes}`);
  if (head[HEADER.reserved.at] !== 0) bad("reserved byte", HEADER.reserved.at, head[HEADER.reserved.at]!, 0);
  const count = view.getUint32(HEADER.sectionCount.at, true);
  // Which it has of the two that may be missing is told by the first row.
  const hasData = view.getUint32(HEADER_BYTES + SECTION.id.at, true) === SectionId.data;
  const leastCount = SECTION_NAMES.length + (hasData ? 1 : 0);
  if (count < leastCount || count > leastCount + 1) {
    bad("section count", HEADER.sectionCount.at, count, `${leastCount} or ${leastCount + 1}`);
  }
  const headBytes = HEADER_BYTES + count * SECTION_BYTES;
  if (head.length < headBytes) bad("length", 0, source.sizeBytes, `at least ${headBytes}`);
  const number = (field: "fileBytes" | "flags", name: string) =>
    readU64(view, HEADER[field].at, {
      subject: "archive",
      source: source.description,
      field: name,
      offset: HEADER[field].at,
    });
  const flags = number("flags", "flags");
  if (flags !== 0) bad("flags", HEADER.flags.at, flags, 0);
  const fileBytes = number("fileBytes", "file length");
  if (fileBytes !== source.sizeBytes) bad("file length", HEADER.fileBytes.at, source.sizeBytes, fileBytes);
  const table = head.subarray(HEADER_BYTES, headBytes);
  const digest = Buffer.from(tableDigest(head, table)).toString("hex");
  const stored = Buffer.from(head.subarray(HEADER.tableDigest.at, HEADER_BYTES)).toString("hex");
  if (digest !== stored) bad("header digest", HEADER.tableDigest.at, digest, stored);
  const required: readonly (keyof typeof SectionId)[] = SECTION_NAMES;
  const names = [...(hasData ? ["data" as const] : []), ...required, "profile" as const].slice(0, count);
  const sections = {} as Record<keyof typeof SectionId, SectionInfo>;
  let next = headBytes;
  let plainBytes = 0;
  names.forEach((name, index) => {
    const row = HEADER_BYTES + index * SECTION_BYTES;
    const section = readSectionRow(view, row, name, source.description);
    if (section.offset !== next) bad(`${name} offset`, row + SECTION.offset.at, section.offset, next);
    next = align8(next + section.storedBytes);
    if (!LEFT_IN_FILE.includes(name)) plainBytes += section.plainBytes;
    if (plainBytes > MAX_PLAIN_BYTES) {
      bad(
        `${name} plain length`,
        row + SECTION.plainBytes.at,
        section.plainBytes,
        `${MAX_PLAIN_BYTES} with all others`,
      );
    }
    sections[name] = section;
  });
  if (next !== fileBytes) bad("end of the last section", HEADER.fileBytes.at, next, fileBytes);
  const { profile, data, ...others } = sections as Partial<typeof sections> & Record<SectionName, SectionInfo>;
  return { id: digest, sections: others, profile, data };
}

/** Comes before all other fields: another version may have others. */
function checkVersion(version: number, source: string): void {
  if (version === FORMAT_VERSION) return;
  const advice = version > FORMAT_VERSION ? "use a newer clip" : "index the image again";
  const message = `${source}: format version ${version}, this clip reads ${FORMAT_VERSION}: ${advice}`;
  throw new ClipError("unsupported", message);
}

function readSectionRow(view: DataView, at: number, name: keyof typeof SectionId, source: string): SectionInfo {
  const bad = (field: string, offset: number, actual: number, expected: string | number) => {
    throw new CorruptError({ subject: "archive", source, field: `${name} ${field}`, offset, actual, expected });
  };
  const number = (field: "offset" | "storedBytes" | "plainBytes") =>
    readU64(view, at + SECTION[field].at, {
      subject: "archive",
      source,
      field: `${name} ${field}`,
      offset: at + SECTION[field].at,
    });
  const id = view.getUint32(at + SECTION.id.at, true);
  if (id !== SectionId[name]) bad("id", at, id, SectionId[name]);
  const encoding = view.getUint32(at + SECTION.encoding.at, true);
  const mayDeflate = !LEFT_IN_FILE.includes(name);
  const known = encoding === Encoding.stored || (encoding === Encoding.deflate && mayDeflate);
  if (!known) bad("encoding", at + SECTION.encoding.at, encoding, mayDeflate ? "0 or 1" : 0);
  const storedBytes = number("storedBytes");
  const plainBytes = number("plainBytes");
  const inflated = encoding === Encoding.stored ? storedBytes : storedBytes * MAX_DEFLATE_RATIO;
  const most = Math.min(inflated, MOST_PLAIN_BYTES[name] ?? Infinity);
  if (plainBytes > most) bad("plain length", at + SECTION.plainBytes.at, plainBytes, `at most ${most}`);
  if (encoding === Encoding.stored && plainBytes !== storedBytes) {
    bad("plain length", at + SECTION.plainBytes.at, plainBytes, storedBytes);
  }
  const digestAt = view.byteOffset + at + SECTION.digest.at;
  const digest = new Uint8Array(view.buffer.slice(digestAt, digestAt + 32));
  return { name, deflated: encoding === Encoding.deflate, offset: number("offset"), storedBytes, plainBytes, digest };
}

/**
 * The plain bytes of a section, checked against its digest, at offset 0 of a buffer of their own that several threads
 * can share. @throws {CorruptError}
 */
export async function readSection(source: RangeSource, section: SectionInfo): Promise<Uint8Array<SharedArrayBuffer>> {
  const stored = await readStored(source, section);
  const plain = new Uint8Array(new SharedArrayBuffer(section.plainBytes));
  if (!section.deflated) {
    plain.set(stored);
    return plain;
  }
  try {
    await inflateInto(stored, plain);
  } catch (error) {
    const { name, offset, plainBytes } = section;
    const where = { subject: "archive", source: source.description, field: `${name} section`, offset };
    const expected = `${plainBytes} bytes of deflated data`;
    throw new CorruptError({ ...where, actual: messageOf(error), expected }, { cause: error });
  }
  return plain;
}

/** The stored bytes of a section, checked against its digest, and the padding behind it against zero. */
export async function readStored(source: RangeSource, section: SectionInfo): Promise<Uint8Array> {
  const end = section.offset + section.storedBytes;
  const bytes = await source.readRange({ offset: section.offset, endExclusive: align8(end) });
  const stored = bytes.subarray(0, section.storedBytes);
  checkStored(source, section, { digest: sha256Bytes(stored), padding: bytes.subarray(section.storedBytes) });
  return stored;
}

/** As `readStored`, of a section that is too long to be held. @throws {CorruptError}; the reason of `signal`. */
export async function checkLongSection(source: RangeSource, section: SectionInfo, signal?: AbortSignal): Promise<void> {
  const endExclusive = section.offset + section.storedBytes;
  const hash = createHash("sha256");
  for await (const piece of source.stream({ offset: section.offset, endExclusive, signal })) hash.update(piece);
  const padding = await source.readRange({ offset: endExclusive, endExclusive: align8(endExclusive) });
  checkStored(source, section, { digest: hash.digest(), padding });
}

function checkStored(
  source: RangeSource,
  section: SectionInfo,
  { digest, padding }: { digest: Uint8Array; padding: Uint8Array },
): void {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const where = { subject: "archive", source: source.description };
  if (Buffer.compare(digest, section.digest) !== 0) {
    const field = `${section.name} section digest`;
    throw new CorruptError({
      ...where,
      field,
      offset: section.offset,
      actual: hex(digest),
      expected: hex(section.digest),
    });
  }
  const odd = padding.findIndex((byte) => byte !== 0);
  if (odd >= 0) {
    const field = `padding after the ${section.name} section`;
    const offset = section.offset + section.storedBytes + odd;
    throw new CorruptError({ ...where, field, offset, actual: padding[odd]!, expected: 0 });
  }
}
