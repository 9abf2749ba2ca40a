/** Packing: a directory, or an image's layers, into an archive that carries its data. */
export { carryBlobs, type CarryOptions } from "./carry_blobs.ts";
export { canCompress, defaultCompression } from "./compress_chunk.ts";
export type { Compression } from "./compress_messages.ts";
export { packDirectory, type PackedDirectory, type PackOptions, type PackProgress } from "./pack_directory.ts";
