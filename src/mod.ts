/**
 * clip as a library; docs/library.md has examples.
 * @module
 */
export * from "./library/mod.ts";
export {
  ClipError,
  CorruptError,
  createLogger,
  DigestMismatchError,
  type ErrorCode,
  FileRangeSource,
  LazyFile,
  type Logger,
  type LogLevel,
  type RangeSource,
} from "./base/mod.ts";
export type { Archive, FileInfo, FileType, ImageInfo, LayerInfo } from "./archive/mod.ts";
export {
  type CacheLimits,
  defaultLimits,
  diskSpanCache,
  type LayerCache,
  openRemoteCache,
  type RemoteCache,
  type SpanCache,
} from "./cache/mod.ts";
export type { ContentCounters, ContentObserver, ObservedFetch, ObservedRead, Tier } from "./content/mod.ts";
export { IndexCache, type LayerProgress } from "./indexer/mod.ts";
export type { ArchiveMount } from "./mount/mod.ts";
export {
  type Credential,
  type Endpoint,
  type FoundLogin,
  type GivenLogin,
  type HostGate,
  type HostGates,
  type Login,
  type LoginQuery,
  type LoginRequest,
  Logins,
  type LoginsOptions,
  Network,
  type NetworkOptions,
  type SourceOptions,
  type TlsFiles,
} from "./oci/mod.ts";
