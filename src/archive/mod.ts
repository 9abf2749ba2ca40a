/** The `.clip` format: writing an archive, and reading one in place. */
export { compareArchives } from "./compare_archives.ts";
export { DataArchiveWriter } from "./data_archive_writer.ts";
export {
  encodeArchive,
  encodeSections,
  packContents,
  type PackedSection,
  packSection,
  tableDigest,
} from "./encode_archive.ts";
export { compareByteStrings } from "./encode_tree.ts";
export { type FileInfo, fileInfo, type FileType } from "./file_info.ts";
export { inflateInto } from "./inflate_into.ts";
export { type CheckpointRecord, LayerTables, spanAt } from "./layer_tables.ts";
export * from "./layout.ts";
export * from "./model.ts";
export { Archive, openArchive } from "./open_archive.ts";
export { encodeProfile, type ProfileRange } from "./profile_section.ts";
export { type SectionInfo, type SectionTable } from "./read_sections.ts";
export { SpanList, SpanListWriter } from "./span_list.ts";
export { Tree, type TreeBytes } from "./tree.ts";
export { treeDigest } from "./tree_digest.ts";
export {
  checkWindowRecord,
  packWindow,
  type UnpackedWindow,
  unpackWindow,
  type WindowParts,
  type WindowSizes,
} from "./window_record.ts";
export { withProfile } from "./with_profile.ts";
export { withSource } from "./with_source.ts";
