/** Archives that are wrong and yet have right digests, as somebody who means harm would make them. */
import assert from "node:assert/strict";
import { inflateRawSync } from "node:zlib";
import { ClipError, CorruptError, sha256Bytes } from "../../src/base/mod.ts";
import {
  type Archive,
  COLUMNS_HEADER_BYTES,
  type DIRENT_COLUMNS,
  encodeSections,
  Encoding,
  HEADER,
  HEADER_BYTES,
  INODE_COLUMNS,
  type InodeColumn,
  openArchive,
  SECTION,
  SECTION_BYTES,
  SECTION_NAMES,
  type SectionName,
  tableDigest,
} from "../../src/archive/mod.ts";
import { memoryRangeSource } from "../memory_range_source.ts";
import { join } from "./model_builder.ts";

/** The plain bytes of all sections. */
export type Sections = Record<SectionName, Uint8Array<ArrayBuffer>> & { profile?: Uint8Array<ArrayBuffer> };

/** Offset of a section's row in the file. */
export function rowAt(name: SectionName): number {
  return HEADER_BYTES + SECTION_NAMES.indexOf(name) * SECTION_BYTES;
}

/** The sections of a sound archive but for its profile, each in an array of its own. */
export function sectionsOf(archive: Uint8Array<ArrayBuffer>): Sections {
  const view = new DataView(archive.buffer);
  return Object.fromEntries(SECTION_NAMES.map((name) => {
    const offset = Number(view.getBigUint64(rowAt(name) + SECTION.offset.at, true));
    const stored = archive.slice(
      offset,
      offset + Number(view.getBigUint64(rowAt(name) + SECTION.storedBytes.at, true)),
    );
    const deflated = view.getUint32(rowAt(name) + SECTION.encoding.at, true) === Encoding.deflate;
    return [name, deflated ? new Uint8Array(inflateRawSync(stored)) : stored];
  })) as Sections;
}

/** An archive of these sections, with right digests. */
export function signedArchive(sections: Sections): Uint8Array<ArrayBuffer> {
  return join(encodeSections(sections));
}

/** `archive` with `tamper` done to its sections, and right digests. */
export function tampered(archive: Uint8Array<ArrayBuffer>, tamper: (sections: Sections) => void): Uint8Array {
  const sections = sectionsOf(archive);
  tamper(sections);
  return signedArchive(sections);
}

/** `archive` with `tamper` done to its bytes, and then right digests of all sections that lie inside, and header. */
export function resigned(archive: Uint8Array<ArrayBuffer>, tamper: (file: DataView<ArrayBuffer>) => void): Uint8Array {
  const bytes = archive.slice();
  const view = new DataView(bytes.buffer);
  tamper(view);
  for (const name of SECTION_NAMES) {
    const offset = Number(view.getBigUint64(rowAt(name) + SECTION.offset.at, true));
    const end = offset + Number(view.getBigUint64(rowAt(name) + SECTION.storedBytes.at, true));
    bytes.set(sha256Bytes(bytes.subarray(offset, end)), rowAt(name) + SECTION.digest.at);
  }
  const table = bytes.subarray(HEADER_BYTES, HEADER_BYTES + SECTION_NAMES.length * SECTION_BYTES);
  bytes.set(tableDigest(bytes.subarray(0, HEADER_BYTES), table), HEADER.tableDigest.at);
  return bytes;
}

/** Makes `text` the image section. */
export function setText(sections: Sections, text: string): void {
  sections.image = new Uint8Array(new TextEncoder().encode(text));
}

/** An inode column, to be read and set. */
export function inodeColumn(sections: Sections, column: InodeColumn): Uint32Array {
  const count = new DataView(sections.inodes.buffer).getUint32(0, true);
  const at = COLUMNS_HEADER_BYTES + INODE_COLUMNS.indexOf(column) * (count + 1) * 4;
  return new Uint32Array(sections.inodes.buffer, at, count + 1);
}

/** A dirent column, to be read and set. */
export function direntColumn(sections: Sections, column: (typeof DIRENT_COLUMNS)[number]): Uint32Array {
  const count = new DataView(sections.dirents.buffer).getUint32(0, true);
  const starts = COLUMNS_HEADER_BYTES;
  return column === "nameStart"
    ? new Uint32Array(sections.dirents.buffer, starts, count + 1)
    : new Uint32Array(sections.dirents.buffer, starts + (count + 1) * 4, count);
}

/** Opens and verifies. */
export async function openAndVerify(bytes: Uint8Array): Promise<Archive> {
  const archive = await openArchive(memoryRangeSource(bytes, "some.clip"));
  await archive.verify();
  return archive;
}

/** Fails unless opening and verifying `bytes` throws a CorruptError of a field that `field` matches. */
export async function refuses(bytes: Uint8Array, field: RegExp): Promise<CorruptError> {
  let caught: unknown;
  try {
    await openAndVerify(bytes);
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof CorruptError, `expected a CorruptError of ${field}, got ${String(caught)}`);
  assert.match(caught.details.field, field);
  assert.equal(caught.details.subject, "archive");
  assert.equal(caught.details.source, "some.clip");
  assert.ok(caught.message.startsWith("archive some.clip: bad "), caught.message);
  assert.ok(!caught.message.includes("\n") && caught.message.length < 1000, "a message is one line of no great length");
  return caught;
}

/** Whether an error is one of those with which an archive may be refused. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ClipError && ["corrupt", "digest_mismatch", "unsupported"].includes(error.code);
}
