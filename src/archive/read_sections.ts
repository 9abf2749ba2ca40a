import { inflateRawSync } from "node:zlib";
import { Buffer } from "node:buffer";
import { ClipError, CorruptError, messageOf, type RangeSource, readU64, sha256Bytes } from "../base/mod.ts";
import { tableDigest } from "./encode_archive.ts";
import {
  align8,
  Encoding,
  FORMAT_VERSION,
  HEADER,
  HEADER_BYTES,
  MAGIC,
  SECTION,
  SECTION_BYTES,
  SECTION_NAMES,
  SectionId,
  type SectionName,
} from "./layout.ts";

/** Longest section that a reader will inflate: 1 GiB holds more than ten million files. */
const MAX_SECTION_BYTES = 1 << 30;
/** Deflate cannot expand further than this. Source: zlib's technical notes, "Maximum Compression Factor". */
const MAX_DEFLATE_RATIO = 1032;

/** A row of the section table, checked. */
export interface SectionInfo {
  readonly name: SectionName;
  readonly deflated: boolean;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  /** sha256 of the stored bytes. */
  readonly digest: Uint8Array;
}

/** Header and section table of an archive. */
export interface SectionTable {
  /** sha256 over header and table, in hex: stands for the whole archive. */
  readonly id: string;
  readonly sections: Readonly<Record<SectionName, SectionInfo>>;
}

/**
 * Reads and checks the header and the section table.
 * @throws {CorruptError} naming field, value and place; {ClipError} `unsupported` for another format version.
 */
export async function readSectionTable(source: RangeSource): Promise<SectionTable> {
  const bad = (field: string, offset: number, actual: string | number, expected: string | number) => {
    throw new CorruptError({ subject: "archive", source: source.description, field, offset, actual, expected });
  };
  const headBytes = HEADER_BYTES + SECTION_NAMES.length * SECTION_BYTES;
  if (source.sizeBytes < headBytes) bad("length", 0, source.sizeBytes, `at least ${headBytes}`);
  const head = await source.readRange({ offset: 0, endExclusive: headBytes });
  const view = new DataView(head.buffer);
  MAGIC.forEach((byte, at) => {
    if (head[at] !== byte) bad("magic", at, head[at]!, `${byte}: this is not a .clip file`);
  });
  const version = view.getUint16(HEADER.formatVersion.at, true);
  if (version !== FORMAT_VERSION) {
    const advice = version > FORMAT_VERSION ? "use a newer clip" : "index the image again";
    throw new ClipError(
      "unsupported",
      `${source.description}: format version ${version}, this clip reads ` + `${FORMAT_VERSION}: ${advice}`,
    );
  }
  const count = view.getUint32(HEADER.sectionCount.at, true);
  if (count !== SECTION_NAMES.length) bad("section count", HEADER.sectionCount.at, count, SECTION_NAMES.length);
  const fileBytes = readU64(view, HEADER.fileBytes.at, { subject: "archive", field: "file length" });
  if (fileBytes !== source.sizeBytes) bad("file length", HEADER.fileBytes.at, source.sizeBytes, fileBytes);
  const table = head.subarray(HEADER_BYTES);
  const digest = Buffer.from(tableDigest(head, table)).toString("hex");
  const stored = Buffer.from(head.subarray(HEADER.tableDigest.at, HEADER_BYTES)).toString("hex");
  if (digest !== stored) bad("header digest", HEADER.tableDigest.at, digest, stored);
  const sections = {} as Record<SectionName, SectionInfo>;
  let next = headBytes;
  SECTION_NAMES.forEach((name, index) => {
    const section = readSectionRow(view, HEADER_BYTES + index * SECTION_BYTES, name, source.description);
    if (section.offset !== next) bad(`${name} offset`, HEADER_BYTES + index * SECTION_BYTES, section.offset, next);
    next = align8(next + section.storedBytes);
    sections[name] = section;
  });
  if (next !== fileBytes) bad("end of the last section", HEADER.fileBytes.at, next, fileBytes);
  return { id: digest, sections };
}

function readSectionRow(view: DataView, at: number, name: SectionName, source: string): SectionInfo {
  const bad = (field: string, offset: number, actual: number, expected: string | number) => {
    throw new CorruptError({ subject: "archive", source, field: `${name} ${field}`, offset, actual, expected });
  };
  const number = (field: "offset" | "storedBytes" | "plainBytes") =>
    readU64(view, at + SECTION[field].at, {
      subject: "archive",
      field: `${name} ${field}`,
      offset: at + SECTION[field].at,
    });
  const id = view.getUint32(at + SECTION.id.at, true);
  if (id !== SectionId[name]) bad("id", at, id, SectionId[name]);
  const encoding = view.getUint32(at + SECTION.encoding.at, true);
  if (encoding !== Encoding.stored && encoding !== Encoding.deflate) bad("encoding", at + 4, encoding, "0 or 1");
  const storedBytes = number("storedBytes");
  const plainBytes = number("plainBytes");
  const most = encoding === Encoding.stored ? storedBytes : storedBytes * MAX_DEFLATE_RATIO;
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
  const bad = (field: string, actual: string | number, expected: string | number) => {
    const { description } = source;
    throw new CorruptError({
      subject: "archive",
      source: description,
      field,
      offset: section.offset,
      actual,
      expected,
    });
  };
  if (section.plainBytes > MAX_SECTION_BYTES) bad(`${section.name} length`, section.plainBytes, MAX_SECTION_BYTES);
  const stored = await readStored(source, section);
  const plain = new Uint8Array(new SharedArrayBuffer(section.plainBytes));
  plain.set(section.deflated ? inflate(stored, section, source.description) : stored);
  return plain;
}

/** The stored bytes of a section, checked against its digest, and the padding behind it against zero. */
export async function readStored(source: RangeSource, section: SectionInfo): Promise<Uint8Array> {
  const end = section.offset + section.storedBytes;
  const bytes = await source.readRange({ offset: section.offset, endExclusive: align8(end) });
  const stored = bytes.subarray(0, section.storedBytes);
  const found = Buffer.from(sha256Bytes(stored));
  const where = { subject: "archive", source: source.description };
  if (!found.equals(section.digest)) {
    const expected = Buffer.from(section.digest).toString("hex");
    const field = `${section.name} section digest`;
    throw new CorruptError({ ...where, field, offset: section.offset, actual: found.toString("hex"), expected });
  }
  const odd = bytes.subarray(section.storedBytes).findIndex((byte) => byte !== 0);
  if (odd >= 0) {
    const field = `padding after the ${section.name} section`;
    throw new CorruptError({
      ...where,
      field,
      offset: end + odd,
      actual: bytes[section.storedBytes + odd]!,
      expected: 0,
    });
  }
  return stored;
}

function inflate(stored: Uint8Array, section: SectionInfo, source: string): Uint8Array {
  const details = { subject: "archive", source, field: `${section.name} section`, offset: section.offset };
  let plain: Uint8Array;
  try {
    plain = inflateRawSync(stored, { maxOutputLength: section.plainBytes + 1 });
  } catch (error) {
    throw new CorruptError({ ...details, actual: messageOf(error), expected: "deflated data" }, { cause: error });
  }
  if (plain.length !== section.plainBytes) {
    throw new CorruptError({ ...details, actual: `${plain.length} bytes`, expected: `${section.plainBytes} bytes` });
  }
  return plain;
}
