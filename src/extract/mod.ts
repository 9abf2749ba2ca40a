/** A tree out of an archive: into a directory, and as a tar stream. */
export { exportArchive, type ExportOptions } from "./export_archive.ts";
export { extractArchive, type Extracted, type ExtractOptions } from "./extract_archive.ts";
export { findDirent, ROOT_ENTRY, Selection } from "./selection.ts";
