/** An archive as a mounted file system. */
export { ArchiveFileSystem, type LocalLayers } from "./archive_file_system.ts";
export { type ArchiveMount, mountArchive, type MountArchiveOptions } from "./mount_archive.ts";
