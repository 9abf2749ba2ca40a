/** An archive as a mounted file system. */
export { ArchiveFileSystem, type LocalLayers } from "./archive_file_system.ts";
export { type AdoptedMount, type ArchiveMount, mountArchive, type MountArchiveOptions } from "./mount_archive.ts";
export { limitMemory, releaseMemory } from "./server_memory.ts";
export type { MountMetricName } from "./mount_metric_definitions.ts";
export { MountMetrics } from "./mount_metrics.ts";
export {
  type FoundRecord,
  liveMounts,
  makePrivateFolder,
  type MountRecord,
  type MountSupervisor,
  placeRecord,
  type RecordPlace,
  runtimeFolders,
  writeRecord,
} from "./mount_records.ts";
export {
  type DurationStats,
  type LayerStats,
  mountFamilies,
  type MountStats,
  mountStats,
  type TierStats,
} from "./mount_stats.ts";
