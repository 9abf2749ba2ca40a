/** A tree out of an archive: into a directory, and as a tar stream. */
export { extractArchive, type Extracted, type ExtractOptions } from "./extract_archive.ts";
export { findDirent, ROOT_ENTRY, Selection } from "./selection.ts";
