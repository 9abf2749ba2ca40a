/** Plain bytes of a layer → its entries, with their places in it; and entries → a tar stream. */
export {
  type EncodedEntry,
  encodeEnd,
  encodeEntry,
  type NewTarEntry,
  paddingBytes,
  wholeBlockRuns,
} from "./encode_entry.ts";
export type { EntryKind, SparseRun, TarEntry } from "./entry.ts";
export { TAR_LIMITS, type TarLimits } from "./limits.ts";
export { MAX_WARNINGS, TarScanner, type TarScanOptions } from "./scanner.ts";
