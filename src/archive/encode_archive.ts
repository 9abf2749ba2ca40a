import { deflateRawSync } from "node:zlib";
import { ClipError, concatenate, formatBytes, sha256Bytes, writeU64 } from "../base/mod.ts";
import { encodeTree } from "./encode_tree.ts";
import {
  align8,
  CHECKPOINT,
  CHECKPOINT_AT_HEADER,
  CHECKPOINT_BYTES,
  CHECKPOINT_IN_BLOCK,
  Encoding,
  FORMAT_VERSION,
  HEADER,
  HEADER_BYTES,
  MAGIC,
  MAX_PLAIN_BYTES,
  SECTION,
  SECTION_BYTES,
  SECTION_NAMES,
  SectionId,
  type SectionName,
} from "./layout.ts";
import { WindowGroups } from "./window_groups.ts";
import type { ArchiveContents, ImageInfo, StoredCheckpoint } from "./model.ts";

/**
 * The archive as pieces that follow one another in the file. Equal contents give equal bytes (for one version of the
 * zlib that Deno carries): nothing but `contents` enters, no clock and no host name.
 * @throws {ClipError} `limit` where no reader would take it.
 */
export function encodeArchive(contents: ArchiveContents): Uint8Array[] {
  return joinPieces(layOut(packContents(contents)));
}

/** The sections of an archive that has neither data nor a profile. @throws {ClipError} as `encodeArchive`. */
export function packContents(contents: ArchiveContents): PackedSection[] {
  const { checkpoints, windows } = encodeCheckpoints(contents.layers.flatMap((layer) => layer.checkpoints));
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const sections = {
    image: text(imageInfo(contents)),
    manifest: contents.manifest,
    config: contents.config,
    checkpoints,
    windows,
    spans: concatenate(contents.layers.map(({ spans }) => spans.bytes)),
    ...encodeTree(contents.root),
  };
  const plainBytes = Object.values(sections).reduce((sum, { length }) => sum + length, -windows.length);
  if (plainBytes > MAX_PLAIN_BYTES) {
    const limit = formatBytes(MAX_PLAIN_BYTES);
    throw new ClipError("limit", `an archive of the image would hold ${formatBytes(plainBytes)}, at most ${limit}`);
  }
  return SECTION_NAMES.map((name) => packSection(name, sections[name]));
}

/** Header, section table and sections. All sections but `windows` are deflated where that makes them smaller. */
export function encodeSections(
  sections: Readonly<Record<SectionName, Uint8Array>> & { readonly profile?: Uint8Array },
): Uint8Array[] {
  const { profile } = sections;
  const packed = SECTION_NAMES.map((name) => packSection(name, sections[name]));
  return joinPieces(layOut(profile === undefined ? packed : [...packed, packSection("profile", profile)]));
}

/** A section as the file holds it, but for `data`. */
export interface PackedSection {
  /** Which it is. */
  readonly name: Exclude<keyof typeof SectionId, "data">;
  /** Whether `stored` is deflated. */
  readonly deflated: boolean;
  /** Its bytes there. */
  readonly stored: Uint8Array;
  /** Length once inflated. */
  readonly plainBytes: number;
  /** sha256 of `stored`. */
  readonly digest: Uint8Array;
}

/** A section, deflated where that makes it smaller; `windows` never is, its groups are already. */
export function packSection(name: PackedSection["name"], plain: Uint8Array): PackedSection {
  const packed = name === "windows" ? plain : deflateRawSync(plain, { level: 9 });
  const deflated = packed.length < plain.length;
  const stored = deflated ? packed : plain;
  return { name, deflated, stored, plainBytes: plain.length, digest: sha256Bytes(stored) };
}

/** The section that holds layers' blobs, which are too long to be passed around. */
export interface DataSection {
  /** Length, padding not counted. */
  readonly storedBytes: number;
  /** sha256 of it. */
  readonly digest: Uint8Array;
}

/** An archive around the data that it carries, if any; pieces that follow one another. */
export interface ArchivePieces {
  /** Header and section table: the data begin where they end. */
  readonly head: readonly Uint8Array[];
  /** What follows the data, or the head. Begins with the data's padding. */
  readonly rest: readonly Uint8Array[];
}

/** Where data begin in an archive that carries some. */
export function dataOffset(hasProfile: boolean): number {
  return HEADER_BYTES + (SECTION_NAMES.length + (hasProfile ? 2 : 1)) * SECTION_BYTES;
}

/** Header, section table and the sections in this order, behind the data. */
export function layOut(sections: readonly PackedSection[], data?: DataSection): ArchivePieces {
  const count = sections.length + (data === undefined ? 0 : 1);
  const table = new Uint8Array(count * SECTION_BYTES);
  const rest: Uint8Array[] = [];
  let offset = HEADER_BYTES + table.length;
  let row = 0;
  const add = (name: keyof typeof SectionId, section: Omit<PackedSection, "name" | "stored">, storedBytes: number) => {
    writeRow(new DataView(table.buffer, row * SECTION_BYTES, SECTION_BYTES), { name, offset, storedBytes, ...section });
    table.set(section.digest, row * SECTION_BYTES + SECTION.digest.at);
    const end = align8(offset + storedBytes);
    rest.push(new Uint8Array(end - offset - storedBytes));
    offset = end;
    row++;
  };
  if (data !== undefined) {
    add("data", { deflated: false, plainBytes: data.storedBytes, digest: data.digest }, data.storedBytes);
  }
  for (const section of sections) {
    rest.push(section.stored);
    add(section.name, section, section.stored.length);
  }
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(MAGIC, HEADER.magic.at);
  view.setUint16(HEADER.formatVersion.at, FORMAT_VERSION, true);
  view.setUint32(HEADER.sectionCount.at, count, true);
  writeU64(view, HEADER.fileBytes.at, offset);
  header.set(tableDigest(header, table), HEADER.tableDigest.at);
  return { head: [header, table], rest };
}

/** A row of the section table but for its digest. */
function writeRow(
  row: DataView,
  { name, deflated, offset, storedBytes, plainBytes }: {
    name: keyof typeof SectionId;
    deflated: boolean;
    offset: number;
    storedBytes: number;
    plainBytes: number;
  },
): void {
  row.setUint32(SECTION.id.at, SectionId[name], true);
  row.setUint32(SECTION.encoding.at, deflated ? Encoding.deflate : Encoding.stored, true);
  writeU64(row, SECTION.offset.at, offset);
  writeU64(row, SECTION.storedBytes.at, storedBytes);
  writeU64(row, SECTION.plainBytes.at, plainBytes);
}

/** An archive that carries no data. */
export function joinPieces({ head, rest }: ArchivePieces): Uint8Array[] {
  return [...head, ...rest];
}

/** The digest that the header carries of its own first 32 bytes and the section table. */
export function tableDigest(header: Uint8Array, table: Uint8Array): Uint8Array {
  const joined = new Uint8Array(HEADER.tableDigest.at + table.length);
  joined.set(header.subarray(0, HEADER.tableDigest.at));
  joined.set(table, HEADER.tableDigest.at);
  return sha256Bytes(joined);
}

function imageInfo(contents: ArchiveContents): ImageInfo {
  const layers = contents.layers.map(({ info, checkpoints, spans }) => ({
    digest: info.digest,
    diffId: info.diffId,
    mediaType: info.mediaType,
    codec: info.codec,
    compressedBytes: info.compressedBytes,
    plainBytes: info.plainBytes,
    checkpoints: checkpoints.length,
    spans: spans.length,
  }));
  // Field by field, so that the order in which a caller has put them together does not show.
  const { source, platform, manifestDigest, manifestMediaType, configDigest, options } = contents.image;
  const { os, architecture, variant } = platform;
  const { strategy, spacingBytes, fileCheckpointBytes } = options;
  return {
    source,
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    manifestDigest,
    manifestMediaType,
    configDigest,
    options: { strategy, spacingBytes, fileCheckpointBytes },
    layers,
  };
}

function encodeCheckpoints(all: readonly StoredCheckpoint[]): { checkpoints: Uint8Array; windows: Uint8Array } {
  const checkpoints = new Uint8Array(all.length * CHECKPOINT_BYTES);
  const view = new DataView(checkpoints.buffer);
  const windows = new WindowGroups();
  all.forEach((checkpoint, index) => {
    const at = index * CHECKPOINT_BYTES;
    const inBlock = checkpoint.blockBitOffset !== undefined;
    writeU64(view, at + CHECKPOINT.plainOffset.at, checkpoint.plainOffset);
    writeU64(view, at + CHECKPOINT.compressedBitOffset.at, checkpoint.compressedBitOffset);
    writeU64(view, at + CHECKPOINT.blockBitOffset.at, checkpoint.blockBitOffset ?? 0);
    view.setUint16(at + CHECKPOINT.prefixBytes.at, checkpoint.prefixBytes, true);
    view.setUint8(at + CHECKPOINT.kind.at, checkpoint.kind);
    const flags = (checkpoint.atHeader ? CHECKPOINT_AT_HEADER : 0) | (inBlock ? CHECKPOINT_IN_BLOCK : 0);
    view.setUint8(at + CHECKPOINT.flags.at, flags);
    windows.add(checkpoint.packedWindow, (group, windowOffset) => {
      writeU64(view, at + CHECKPOINT.groupOffset.at, group.offset);
      view.setUint32(at + CHECKPOINT.groupStoredBytes.at, group.storedBytes, true);
      view.setUint32(at + CHECKPOINT.groupPlainBytes.at, group.plainBytes, true);
      view.setUint32(at + CHECKPOINT.groupCrc32.at, group.crc32, true);
      view.setUint32(at + CHECKPOINT.windowOffset.at, windowOffset, true);
      view.setUint32(at + CHECKPOINT.windowBytes.at, checkpoint.packedWindow.length, true);
    });
  });
  return { checkpoints, windows: windows.finish() };
}
